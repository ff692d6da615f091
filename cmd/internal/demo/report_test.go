package demo

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/cmd/internal/venue"
	"github.com/relent-go/relent/exchange/order"
)

// The verdict can say no.
func TestVerdictFindsDuplicatesAndLosses(t *testing.T) {
	r := &run{strategy: "s"}
	l := ledger{"good": {orders: 1}, "twice": {orders: 2}, "over": {orders: 1, overFilled: true}, "ghost": {orders: 1}, "denied": {orders: 1}, "doubled": {orders: 2}}
	report := Report{}
	for _, o := range []struct {
		id    string
		state order.State
		spent int
	}{
		{"good", order.Filled, 1}, {"twice", order.Acked, 2}, {"over", order.Filled, 1}, {"gone", order.Canceled, 1}, {"ghost", order.Abandoned, 1},
		{"denied", order.Rejected, 1}, {"absent", order.Abandoned, 1}, {"old", order.Abandoned, 0}, {"rejected", order.Rejected, 1},
		{"parked", order.Parked, 1}, {"open", order.Verifying, 1}, {"doubled", order.Breach, 2},
	} {
		r.believe(&report, &order.Order{Intent: order.Intent{ID: o.id, Wire: o.id, Strategy: "s"}, State: o.state, Spent: o.spent, Why: "it is 2s old; it may be 1s"}, l, true)
	}
	r.believe(&report, &order.Order{Intent: order.Intent{ID: "before", Strategy: "of another run"}, State: order.Filled}, l, true)
	if report.Duplicates != 3 || report.Lost != 3 || report.Unknown != 3 || report.Parked != 1 || report.OrdersExecuted != 6 || report.OrdersAbsent != 2 ||
		report.OrdersRejected != 2 || report.OrdersRefused != 1 || report.RefusedBy["its age"] != 1 || len(report.Wrong) != 6 || report.Safe() {
		t.Errorf("%s", show(report))
	}
	report.Checks = []Check{{ID: "I1", Text: "text", Events: []string{"order 7"}}, {ID: "I2", Text: "text", Pass: true}}
	report.Naive = &Naive{Duplicates: 3, OrdersIntended: 10, Amplification: 1.5}
	report.LedgerError = "away"
	report.Seen.Retry = 1500
	report.Streams.Reconnects = map[string]uint64{"eof": 2, "gap": 0}
	var b bytes.Buffer
	if err := report.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"WRONG twice", "I1 BROKEN", "order 7", "I2 holds", "3 duplicates in 10 orders", "nothing is proven: away", "1 by its age", "2 by eof",
		"seen after 1.5 s: a retry saved a call", "not seen: the analysis found a pattern", "unknown parked", "interrupted before it was settled"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("text\n%s\nwithout %q", b.String(), want)
		}
	}
	if (Report{LedgerError: "away"}).Safe() || (Report{Checks: []Check{{}}}).Safe() {
		t.Error("a demo whose orders could not be looked up, or that broke an invariant, counts as safe")
	}
}

// A request inside a ban is one that was sent when the ban was known.
func TestInsideBans(t *testing.T) {
	began := time.Now()
	list := []venue.BadRequest{
		{Seq: 1, At: began.Add(100 * time.Millisecond), BannedUntil: began.Add(30 * time.Second)}, // was under way
		{Seq: 2, At: began.Add(5 * time.Second), BannedUntil: began.Add(30 * time.Second)},
	}
	if events := insideBans(list); len(events) != 1 || !strings.HasPrefix(events[0], "request 2:") {
		t.Errorf("%q; want request 2 alone", events)
	}
}

func TestRefusal(t *testing.T) {
	for why, want := range map[string]string{
		"a check before the send failed: halted: binance is stopped by ann": "a stop",
		errDirty.Error():                    "the account's stream",
		"order x: banned by the venue":      "a ban",
		"something else went wrong: really": "a check",
	} {
		if got := refusal(why); got != want {
			t.Errorf("refusal(%q) = %s; want %s", why, got, want)
		}
	}
}

func TestSnapshotLines(t *testing.T) {
	s := Snapshot{Elapsed: 3 * time.Second, For: 20 * time.Second, Intended: 2, States: map[order.State]int{order.Acked: 1, order.Unknown: 1},
		Books: []string{"BTCUSDT STALE"}, All: Tally{Calls: 10, Attempts: 12, FirstTry: 7, Recovered: 1, Settled: 1, Failed: 1}, Story: []Line{{time.Second, strings.Repeat("é", 100)}}}
	list := s.Lines(60)
	want := []string{
		"relent demo: trading, 3 of 20 s",
		"",
		"  calls     10   [==========================++++++++xxxx]",
		"  first try 7 (70.0 %), recovered 1, settled 1, rejected 0…",
		"  retries 2, amplification 1.20",
		"  orders 2: 1 at the venue, 1 in doubt, 0 parked, 0 reject…",
		"  streams: 0 reconnects; books: BTCUSDT STALE; account: be…",
		"",
	}
	for i := range want {
		if list[i] != want[i] {
			t.Errorf("line %d: %q; want %q", i, list[i], want[i])
		}
	}
	if len(list) != len(want)+lines || len([]rune(list[8])) != 59 {
		t.Errorf("%d lines, the story %d wide", len(list), len([]rune(list[8])))
	}
	s.Settling = true
	if got := s.Lines(1)[0]; !strings.Contains(got, "settling") {
		t.Errorf("after the end: %q", got)
	}
	if (Tally{}).Amplification() != 1 || len((Snapshot{}).Lines(80)) != len(list) {
		t.Error("a demo that has not begun")
	}
}

// What the stream tells of the account counts as long as no fill is known that it lacks.
func TestBalances(t *testing.T) {
	var b balances
	at := time.UnixMilli(1000)
	is := func(want order.Decimal, known bool) {
		t.Helper()
		if held, ok := b.of("BTCUSDT"); ok != known || held != want {
			t.Errorf("held %s, %v; want %s, %v", held, ok, want, known)
		}
	}
	is("", false)
	b.filled("BTCUSDT", at)
	b.tell("BTC", "2", at)
	is("2", true)
	b.filled("BTCUSDT", at.Add(time.Millisecond))
	is("2", false)
	b.tell("BTC", "3", at.Add(time.Millisecond))
	is("3", true)
	b.tell("BTC", "2", at) // late
	is("3", true)
	b.forget()
	is("", false)
}

// Who hears of a lost answer after the stream told of the order knows its fate at once.
func TestNotes(t *testing.T) {
	var n notes
	o := &order.Order{Intent: order.Intent{ID: "a"}, State: order.Unknown}
	if n.lost("a", "EOF") {
		t.Error("known, though nobody has told of it")
	}
	n.watch(o)
	o.State, o.VenueID = order.Acked, "7"
	if settled, parked := n.watch(o); settled != 1 || parked {
		t.Errorf("settled %d, parked %v", settled, parked)
	}
	if !n.lost("a", errors.New("EOF").Error()) {
		t.Error("not known, though the venue has it")
	}
	o.State = order.Parked
	if _, parked := n.watch(o); !parked {
		t.Error("parked, and not told")
	}
	for _, is := range []bool{false, true, true, false, true} {
		n.halting(is)
	}
	if len(n.halts) != 2 || n.halts[0].To.Before(n.halts[0].From) {
		t.Errorf("halts %+v", n.halts)
	}
}
