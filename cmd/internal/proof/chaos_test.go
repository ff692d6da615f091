package proof

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/cmd/internal/venue"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/store/memory"
)

// A result is what a trial came to.
type result struct {
	wrong   []string // broken invariants, with what shows them
	events  []string // of the venue's log, about the first of them
	totals  venue.Totals
	faults  map[string]int // hits, by rule
	states  map[string]int // how intents ended
	meant   int
	refused int
	unsure  int             // intents whose fate was unknown at some time
	parked  int             // at some time
	resent  int             // sends after the first
	took    []time.Duration // from doubt to verdict
	crashes int
	halts   int
}

func inMemory() order.Log { return &memory.Orders{MaxIntents: 1 << 20} }

// run carries out a trial in virtual time and has the oracle judge it.
func (c trial) run(t *testing.T) (r result) {
	t.Helper()
	if c.log == nil {
		c.log = inMemory
	}
	synctest.Test(t, func(t *testing.T) {
		a, err := newArena(c)
		if err != nil {
			t.Fatal(err)
		}
		a.trade()
		r = a.judge()
		if c.after != nil {
			c.after()
		}
	})
	return r
}

// judge makes the report of the run and asks the oracle.
func (a *arena) judge() result {
	oracle := a.venue.Oracle()
	log := a.venue.Log(0)
	slack := 3 * a.latency
	skew := time.Duration(0)
	if a.trial.faults == "clock" || a.trial.faults == "storm" {
		skew = 5 * time.Second // ages count by the venue's clock, which jumps by 4 s there
	}
	report := venue.Report{
		Attempts: a.notes.attempts, Halts: a.halts, Restarts: a.restarts, Slack: slack,
		Intents: a.notes.intents(func(id string) (order.Order, bool) { return replayed(a.log, a.scope, id) }, a.within, skew+slack),
	}
	if a.trial.alpaca {
		for n := range report.Intents {
			name(report.Intents[n].Fills, oracle.Orders[report.Intents[n].ClientID].Fills)
		}
	}
	r := result{
		totals: oracle.Totals, faults: map[string]int{}, states: map[string]int{}, meant: a.meant, refused: a.refused, crashes: len(a.restarts), halts: len(a.halts),
	}
	for _, i := range oracle.Check(report).Invariants {
		events := i.Events
		if i.ID == "I8" {
			events = insideBans(oracle, log)
			i.Pass = len(events) == 0
		}
		if !i.Pass {
			r.wrong = append(r.wrong, fmt.Sprintf("%s fails: %s: %s", i.ID, i.Text, strings.Join(events[:min(len(events), 4)], "; ")))
		}
	}
	r.wrong = append(r.wrong, a.faults...)
	meant := map[string]bool{}
	for _, i := range report.Intents {
		meant[i.ClientID] = true
		r.states[i.State]++
	}
	for id := range oracle.Orders {
		if !meant[id] {
			r.wrong = append(r.wrong, fmt.Sprintf("lost: the venue has %s, of which the log knows nothing", id))
		}
	}
	for id, x := range a.notes.by {
		if x.breach {
			r.wrong = append(r.wrong, fmt.Sprintf("breach: %s", id))
		}
		if !x.doubted.IsZero() {
			r.unsure++
			r.took = append(r.took, x.decided.Sub(x.doubted))
		}
		if x.parked {
			r.parked++
			if !x.alert {
				r.wrong = append(r.wrong, fmt.Sprintf("I5 fails: %s was parked, and nobody was told", id))
			}
		}
	}
	for _, sends := range oracle.Sends {
		r.resent += len(sends) - 1
	}
	for _, e := range log {
		if e.Request != nil && e.Request.Fault != "" {
			r.faults[e.Request.Fault]++
		}
	}
	if len(r.wrong) > 0 {
		r.events = about(log, r.wrong[0])
		for _, p := range a.pauses {
			r.events = append(r.events, p.String())
		}
	}
	return r
}

// name gives fills the venue's numbers in the order they happened, if they are as many: Alpaca does not tell them.
func name(ours []venue.FillReport, theirs []venue.Fill) {
	if len(ours) != len(theirs) {
		return
	}
	for i := range ours {
		ours[i].TradeID = theirs[i].TradeID
	}
}

// insideBans lists requests inside a ban, but for those that had left before anybody here could hear of it. A ban takes 30 s
// by the presets, and 2 min for who goes on after refusals; ten requests that were under way double it.
func insideBans(o venue.Oracle, log []venue.Entry) (events []string) {
	var told []time.Time // bans that a message of a stream told of: others hear of them when they read the store again
	for _, e := range log {
		if q := e.Request; q != nil && q.Status == http.StatusTeapot && strings.HasPrefix(q.Path, "/ws") {
			told = append(told, e.Time)
		}
	}
	for _, b := range o.InsideBans {
		underWay := slices.ContainsFunc([]time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute}, func(length time.Duration) bool {
			return b.At.Sub(b.BannedUntil.Add(-length)).Abs() <= 2*latency
		})
		inMessage := slices.ContainsFunc(told, func(at time.Time) bool { return b.At.Sub(at).Abs() <= 250*time.Millisecond+2*latency })
		if !underWay && !inMessage {
			events = append(events, fmt.Sprintf("request %d at %v: %s %s, banned until %v", b.Seq, b.At, b.Method, b.Path, b.BannedUntil))
		}
	}
	return events
}

// about lists what the venue's log says of the first client id in a text.
func about(log []venue.Entry, text string) (lines []string) {
	id := ""
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ':' || r == ',' }) {
		if len(word) == order.IDLen && strings.HasPrefix(word, "A1") {
			id = word
			break
		}
	}
	for _, e := range log {
		switch {
		case id == "":
		case e.Request != nil && e.Request.ClientID == id:
			q := e.Request
			lines = append(lines, fmt.Sprintf("%s  request %d %s %s arrived %s: %s %d %s %s", clockOf(e.Time), e.Seq, q.Method, q.Path, clockOf(q.Arrival), q.Decision, q.Status, q.Delivery, q.Fault))
		case e.Order != nil && e.Order.ClientID == id:
			lines = append(lines, fmt.Sprintf("%s  order %d %s %+v", clockOf(e.Time), e.Order.ID, e.Order.Event, *e.Order))
		}
	}
	return lines
}

func clockOf(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// shrink halves the intents, then the traders, of a trial as long as it still fails, and returns the smallest one that does.
func (c trial) shrink(t *testing.T, r result) (trial, result) {
	for range 12 {
		smaller := c
		if smaller.each /= 2; c.each <= 4 {
			smaller.each = c.each
			smaller.traders /= 2
		}
		if smaller.traders < 1 {
			break
		}
		s := smaller.run(t)
		if len(s.wrong) == 0 {
			break
		}
		c, r = smaller, s
	}
	return c, r
}

// must fails the test, with the smallest trial that shows it, if a trial went wrong.
func (c trial) must(t *testing.T) result {
	t.Helper()
	r := c.run(t)
	if len(r.wrong) > 0 {
		small, s := c.shrink(t, r)
		t.Errorf("%v:\n%s\nsmallest: %v:\n%s\nat the venue:\n%s", c, strings.Join(first(r.wrong, 8), "\n"), small,
			strings.Join(first(s.wrong, 4), "\n"), strings.Join(first(s.events, 40), "\n"))
	}
	return r
}

func first(list []string, n int) []string { return list[:min(len(list), n)] }

// A tally adds up results.
type tally struct {
	mu     sync.Mutex
	trials int
	sum    result
}

func newTally() *tally {
	return &tally{sum: result{faults: map[string]int{}, states: map[string]int{}}}
}

func (s *tally) add(r result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trials++
	s.sum.meant += r.meant
	s.sum.refused += r.refused
	s.sum.unsure += r.unsure
	s.sum.parked += r.parked
	s.sum.resent += r.resent
	s.sum.crashes += r.crashes
	s.sum.halts += r.halts
	s.sum.took = append(s.sum.took, r.took...)
	for _, m := range []struct{ to, from map[string]int }{{s.sum.faults, r.faults}, {s.sum.states, r.states}} {
		for name, n := range m.from {
			m.to[name] += n
		}
	}
	s.sum.totals.Orders += r.totals.Orders
	s.sum.totals.Duplicates += r.totals.Duplicates
	s.sum.totals.Faulted += r.totals.Faulted
	s.sum.totals.Unheard += r.totals.Unheard
	s.sum.totals.Requests += r.totals.Requests
	s.sum.totals.InsideBans += r.totals.InsideBans
	s.sum.wrong = append(s.sum.wrong, r.wrong...)
}

func (s *tally) String() string {
	r := &s.sum
	slices.Sort(r.took)
	at := func(q float64) time.Duration {
		if len(r.took) == 0 {
			return 0
		}
		return r.took[int(q*float64(len(r.took)-1))].Round(10 * time.Millisecond)
	}
	return fmt.Sprintf("%d trials, %d intents, %d refused by a guard, %d orders at the venue, %d of them unheard of at first, %d duplicates; %d of %d requests hit, %d in a ban they could not have heard of; "+
		"%d in doubt, verdict after %v at the median, %v at p99, %v at most; %d parked (%.2f %%), %d sent again, %d recoveries, %d halts; %d complaints; ended %v",
		s.trials, r.meant, r.refused, r.totals.Orders, r.totals.Unheard, r.totals.Duplicates, r.totals.Faulted, r.totals.Requests, r.totals.InsideBans,
		r.unsure, at(0.5), at(0.99), at(1), r.parked, 100*float64(r.parked)/float64(max(r.meant, 1)), r.resent, r.crashes, r.halts, len(r.wrong), r.states)
}

var weathers = []string{"calm", "lossy", "late", "ratelimit", "storm", "outage", "ws", "clock"}

// Under every weather and the ways of every kind of venue, through crashes and halts: I1 to I12 hold by the venue's own
// account. With RELENT_SOAK it is about as many intents as RELENT_INTENTS says, and a million without it.
func TestChaos(t *testing.T) {
	const traders = 8
	each, seeds := 6, uint64(1)
	if os.Getenv("RELENT_SOAK") != "" {
		each, seeds = 100, rounds(t, len(venue.Profiles())*len(weathers)*traders*100)
	}
	all, began := newTally(), time.Now()
	kinds := map[string]*tally{}
	for _, profile := range venue.Profiles() {
		kinds[profile] = newTally()
	}
	for seed := uint64(1); seed <= seeds; seed++ { // outside, so that a run that is cut short has seen every weather
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			for _, profile := range venue.Profiles() {
				for _, faults := range weathers {
					t.Run(profile+"/"+faults, func(t *testing.T) {
						t.Parallel()
						r := trial{faults: faults, profile: profile, seed: seed, traders: traders, each: each, halts: 1, flaky: seed%2 == 1, crashes: 2 + each/50}.must(t)
						all.add(r)
						kinds[profile].add(r)
					})
				}
			}
		})
		t.Logf("after %v: %v", time.Since(began).Round(time.Second), all)
	}
	for _, profile := range venue.Profiles() {
		t.Logf("%s: %v", profile, kinds[profile])
	}
	t.Logf("faults that hit: %v", all.sum.faults)
}

// rounds is how many rounds of so many intents it takes to come to what RELENT_INTENTS asks for.
func rounds(t *testing.T, round int) uint64 {
	text := cmp.Or(os.Getenv("RELENT_INTENTS"), "1000000")
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("RELENT_INTENTS: %v", err)
	}
	return uint64(max(1, (n+round-1)/round))
}
