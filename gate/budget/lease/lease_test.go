package lease

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

// connected returns a lease that c has answered at a time, with so many milli-tokens.
func connected(t *testing.T, c *Coordinator, l *Lease, seconds float64, tokens int64) *Lease {
	t.Helper()
	exchange(l, c, seconds) // learns the epoch
	exchange(l, c, seconds)
	if s := l.Stats(); s.Tokens != tokens || s.CutOff {
		t.Fatalf("%+v; want %d tokens", s, tokens)
	}
	return l
}

// L4
func TestUsableFromBeforeTheRequest(t *testing.T) {
	for _, test := range []struct {
		arrives, used float64
		granted       int
	}{{0.9, 0.99, 1}, {0.9, 1.0, 0}, {1.0, 1.0, 0}, {1.5, 1.5, 0}} {
		c := serving(t, &Coordinator{Valid: time.Second}, 100_000)
		l := &Lease{Valid: time.Second}
		exchange(l, c, 0)
		g := c.Grant(l.Request(at(0)), at(0.5))
		same(t, "grant", g.Tokens, int64(5000))
		l.Accept(g, at(test.arrives))
		same(t, fmt.Sprintf("L4 arrived at %v, retries at %v", test.arrives, test.used), retries(l, 1, at(test.used)), test.granted)
		if s := l.Stats(); s.Spent+s.Burnt+s.Tokens != 5000 && test.arrives < 1 {
			t.Errorf("%+v; want each of 5000 accounted for", s)
		}
	}
	// The other side may say less, or more, which is cut.
	for valid, usable := range map[time.Duration]bool{500 * time.Millisecond: false, time.Hour: true} {
		c := serving(t, &Coordinator{Valid: time.Second}, 100_000)
		l := &Lease{Valid: time.Second}
		exchange(l, c, 0)
		g := c.Grant(l.Request(at(0)), at(0))
		g.Valid = valid
		l.Accept(g, at(0))
		same(t, fmt.Sprint("usable with valid ", valid), retries(l, 1, at(0.9)) == 1, usable)
		same(t, "never longer than its own", retries(l, 1, at(1)), 0)
	}
}

// A repeated request counts from the first time it was sent.
func TestRepeated(t *testing.T) {
	c := serving(t, &Coordinator{}, 100_000)
	l := &Lease{}
	exchange(l, c, 0)
	first := l.Request(at(0))
	same(t, "again", l.Request(at(1.5)), first)
	l.Accept(c.Grant(first, at(1.5)), at(1.6))
	same(t, "until two seconds after the first", retries(l, 1, at(1.99)), 1)
	same(t, "and no longer", retries(l, 1, at(2)), 0)

	unanswered := l.Request(at(2))
	calls(l, 10, at(2))
	next := l.Request(at(4))
	same(t, "a new one after that", next.Seq, unanswered.Seq+1)
	l.Accept(c.Grant(unanswered, at(4)), at(4))
	same(t, "the answer to the old one is ignored", l.Stats().Tokens, int64(0))
	g := c.Grant(next, at(4))
	l.Accept(g, at(4))
	same(t, "the new one counts", l.Stats().Tokens, g.Tokens)
	same(t, "something was lent", g.Tokens > 0, true)
	retries(l, 1, at(4))
	l.Accept(g, at(4.1))
	same(t, "once", l.Stats().Tokens, g.Tokens-1000)
}

func TestWhatTravels(t *testing.T) {
	c := serving(t, &Coordinator{}, 100_000)
	l := &Lease{Process: "a"}
	calls(l, 3, at(0))
	hello := l.Request(at(0))
	same(t, "hello", hello, Request{Process: "a", Seq: 1, Want: 10_000})
	l.Accept(c.Grant(hello, at(0)), at(0))
	same(t, "the epoch is new", l.Next(0.5), at(0))
	calls(l, 4, at(0))
	r := l.Request(at(0))
	same(t, "deposit", r, Request{Process: "a", Epoch: 1, Seq: 2, Deposit: 700, Want: 10_000})
	l.Accept(c.Grant(r, at(0)), at(0))
	same(t, "lent", l.Stats().Tokens, int64(5000))
	same(t, "retries", retries(l, 12, at(1)), 5)
	calls(l, 2, at(1))
	r = l.Request(at(1.5))
	same(t, "what is left, and twice the demand", r, Request{Process: "a", Epoch: 1, Seq: 3, Deposit: 200, Want: 24_000})
	same(t, "in between", retries(l, 1, at(1.5)), 0)
	l.Accept(c.Grant(r, at(1.5)), at(1.5))
	retries(l, 1, at(1.6))
	tokens := l.Stats().Tokens
	same(t, "return", l.Request(at(2)).Return, tokens)

	l = connected(t, c, &Lease{Process: "b", Want: 2000}, 2, 2000)
	r = l.Request(at(2))
	g := c.Grant(r, at(2))
	g.Tokens = 1_000_000
	l.Accept(g, at(2))
	same(t, "no more than asked for", l.Stats().Tokens, int64(2000))
	l.Request(at(2))
	g.Seq, g.Tokens = g.Seq+1, -5
	l.Accept(g, at(2))
	same(t, "no less than nothing", l.Stats().Tokens, int64(0))
}

// L6 in the text: a stop voids leases wherever a message goes; T bounds it elsewhere.
func TestVoid(t *testing.T) {
	c := serving(t, &Coordinator{}, 100_000)
	l := connected(t, c, &Lease{}, 0, 5000)
	waiting, err := ask(l, at(0))
	same(t, "granted", err, nil)
	c.Stop(at(0.5))
	same(t, "until it hears of it", retries(l, 1, at(0.6)), 1)
	old := exchange(l, c, 0.7)
	same(t, "void", retries(l, 1, at(0.8)), 0)
	l.Settle(waiting, &retry.Outcome{})
	same(t, "nothing goes back into a void lease", l.Stats().Tokens, int64(0))
	same(t, "asks at once", l.Next(0), at(0.7))
	c.Resume(at(0.9))
	exchange(l, c, 0.9)
	same(t, "lent again", l.Stats().Tokens > 0, true)
	same(t, "epoch", l.Stats().Epoch, uint64(2))

	old.Epoch = 1
	old.Tokens = 1000
	tokens := l.Stats().Tokens
	l.Accept(old, at(0.9))
	l.Accept(Grant{Budget: "x", Epoch: 9}, at(0.9))
	l.Accept(Grant{Process: "x", Epoch: 9}, at(0.9))
	same(t, "older epochs and other people's grants are ignored", l.Stats(), Stats{Tokens: tokens, Spent: 1000, Burnt: l.Stats().Burnt, Epoch: 2})
	l.Accept(Grant{Epoch: 3, Seq: 999}, at(0.9))
	same(t, "a newer epoch voids, whoever asked", l.Stats().Tokens, int64(0))
}

// A coordinator that was replaced, and does not know, is not listened to; and nothing is taken from a newer one that
// did not mean it for this epoch.
func TestEpochsOfAnswers(t *testing.T) {
	c := serving(t, &Coordinator{Epoch: 5}, 100_000)
	l := connected(t, c, &Lease{}, 0, 5000)
	r := l.Request(at(1))
	l.Accept(Grant{Epoch: 4, Seq: r.Seq, Tokens: 1000, Valid: time.Hour}, at(1))
	g := c.Grant(r, at(1))
	l.Accept(g, at(1))
	same(t, "the true answer still counts", l.Stats().Tokens, g.Tokens)
	r = l.Request(at(2))
	l.Accept(Grant{Epoch: 6, Seq: r.Seq, Tokens: 1000, Valid: time.Hour}, at(2))
	same(t, "from another epoch", l.Stats().Tokens, int64(0))
}

// A retry that never began gives back, into the lease it came from.
func TestReturns(t *testing.T) {
	c := serving(t, &Coordinator{}, 100_000)
	l := connected(t, c, &Lease{}, 0, 5000)
	for range 1000 {
		a, err := ask(l, at(0.5))
		if err != nil {
			t.Fatal(err)
		}
		l.Settle(a, &retry.Outcome{})
		l.Settle(a, &retry.Outcome{}) // a defect
	}
	same(t, "after a thousand", l.Stats(), Stats{Tokens: 5000, Epoch: 1})
	a, _ := ask(l, at(0.5))
	r := l.Request(at(1))
	same(t, "return", r.Return, int64(4000))
	l.Settle(a, &retry.Outcome{})
	same(t, "too late to go back", l.Stats(), Stats{Burnt: 1000, Epoch: 1})
	l.Accept(c.Grant(r, at(1)), at(1))
	tokens := l.Stats().Tokens
	a, _ = ask(l, at(2))
	l.Settle(a, &retry.Outcome{State: retry.Panicked})
	same(t, "a panic consumes", l.Stats().Tokens, tokens-1000)
	a, _ = ask(l, at(2.5))
	ask(l, at(3)) // it ran out
	l.Settle(a, &retry.Outcome{})
	ask(l, at(3))
	same(t, "nothing goes back into a lease that ran out", l.Stats().Tokens, int64(0))
}

// L9
func TestHistory(t *testing.T) {
	c := serving(t, &Coordinator{}, 100_000)
	l := connected(t, c, &Lease{Process: "a"}, 0, 5000)
	for tenth := range 600 { // cut off for 60 s
		calls(l, 1, at(float64(tenth)/10))
	}
	probe := l.Request(at(60))
	same(t, "the first request after that is a mere question", probe.Deposit, int64(0))
	l.Accept(c.Grant(probe, at(60)), at(60))
	if got := l.Request(at(60)).Deposit; got < 4000 || got > 5000 {
		t.Errorf("L9 deposit %d; want what the last 4 to 5 s earned", got)
	}
	calls(l, 10, at(61))
	l.Settle(&retry.Attempt{Number: 1, At: at(61)}, &retry.Outcome{State: retry.NotStarted})
	same(t, "one that never began earns nothing", l.earned.sum(l.slot(l.time(at(61)))), int64(1000))
	l.Settle(&retry.Attempt{Number: 1, At: at(61)}, &retry.Outcome{State: retry.Succeeded})
	l.Settle(&retry.Attempt{Number: 1, At: at(55)}, &retry.Outcome{State: retry.Succeeded}) // late news
	same(t, "earned", l.earned.sum(l.slot(l.time(at(61)))), int64(1200))
	same(t, "after the history", l.earned.sum(l.slot(l.time(at(66)))), int64(0))
	l.Settle(&retry.Attempt{Number: 1, At: at(1e9)}, &retry.Outcome{State: retry.Succeeded})
	same(t, "after years", l.earned.sum(l.slot(l.time(at(1e9)))), int64(100))
}

// L11: each process alone spends no more than its own first attempts earn, and its floor.
func TestUnreachable(t *testing.T) {
	const processes, seconds, each = 20, 100, 7 // first attempts per second
	spent := 0
	for p := range processes {
		l := &Lease{Process: fmt.Sprint(p)}
		for s := range seconds * 10 {
			now := at(float64(s) / 10)
			if s%10 == 0 {
				calls(l, each, now)
				l.Request(now) // in vain
			}
			spent += retries(l, 3, now)
		}
		if s := l.Stats(); !s.CutOff || s.Spent != 0 || s.Local/1000 == 0 {
			t.Errorf("%+v; want it cut off, and to spend by itself", s)
		}
	}
	most := processes*seconds*each/10 + processes*seconds/10 // r*traffic + N*floor
	if spent > most || spent < most*8/10 {
		t.Errorf("L11 spent %d; want most of %d", spent, most)
	}
}

func TestFloorOnlyWhileCutOff(t *testing.T) {
	c := serving(t, &Coordinator{}, 100_000)
	l := connected(t, c, &Lease{Floor: 1000, Ratio: -1}, 0, 5000)
	calls(l, 100, at(1))
	same(t, "connected", retries(l, 100, at(1)), 5)
	same(t, "the lease ran out", retries(l, 1, at(3.9)), 0)
	same(t, "cut off", retries(l, 1, at(4)), 0)
	same(t, "a second later", retries(l, 9, at(5)), 1)
	same(t, "the floor piles up for the history", retries(l, 99, at(1000)), 5)
	_, err := ask(l, at(1000))
	if r, ok := errors.AsType[*Refusal](err); !ok || !errors.Is(err, budget.ErrSpent) || *r != (Refusal{Cost: 1000, CutOff: true}) {
		t.Errorf("%v", err)
	}
	same(t, "text", err.Error(), `retry budget spent: lease of "": 0 of 1000 milli-tokens, coordinator not heard of`)
	exchange(l, c, 1000)
	exchange(l, c, 1001)
	retries(l, 100, at(1001))
	same(t, "connected again, what the floor gives is not touched", retries(l, 1, at(1002)), 0)
	_, err = ask(l, at(1002))
	same(t, "text", err.Error(), `retry budget spent: lease of "": 750 of 1000 milli-tokens`)
	// Next time it begins anew.
	same(t, "cut off again, after half a second", retries(l, 9, at(1001+4.5)), 0)
}

func TestCost(t *testing.T) {
	l := &Lease{Ratio: math.MaxInt64, Floor: -1}
	calls(l, 5, at(0))
	a := &retry.Attempt{Number: 2, At: at(0), Policy: &retry.Policy{Cost: 4}}
	same(t, "four of five", l.Admit(t.Context(), a), nil)
	same(t, "refused", l.Admit(t.Context(), a) != nil, true)
	same(t, "the fifth goes on ageing", l.earned.sum(0), int64(1000))
	same(t, "the fifth", retries(l, 2, at(0)), 1)
	l.Settle(a, &retry.Outcome{State: retry.Succeeded})
	a.Policy = &retry.Policy{Cost: math.MaxInt64}
	for range 100 {
		l.Admit(t.Context(), a)
	}
	if r := l.Request(at(0)); r.Want != 2*mostTokens {
		t.Errorf("wants %d", r.Want)
	}
}

func TestNext(t *testing.T) {
	l := &Lease{Valid: 8 * time.Second}
	same(t, "before anything", l.Next(0), time.Time{})
	calls(l, 1, at(0))
	same(t, "before the first request", l.Next(0), time.Time{})
	l.Request(at(1))
	same(t, "unanswered", l.Next(0), at(3))
	l.Request(at(4))
	same(t, "still unanswered", l.Next(0.5), at(6.5))
	l.Accept(Grant{Seq: 1}, at(4))
	for u, want := range map[float64]float64{0: 7, 0.5: 7.5, 1: 8, -1: 8, math.Inf(1): 8} {
		same(t, fmt.Sprint("answered ", u), l.Next(u), at(want))
	}
	same(t, "odd", l.Next(math.NaN()), at(8))
}

func TestOddFields(t *testing.T) {
	l := &Lease{Ratio: 5000, Floor: math.MaxInt64, History: math.MaxInt64, Valid: math.MaxInt64, Want: math.MaxInt64}
	calls(l, 1, time.Time{}) // earns nothing
	same(t, "before any time is known", retries(l, 1, time.Time{}), 0)
	calls(l, 1, at(0))
	same(t, "wants", l.Request(at(0)).Want, int64(mostTokens))
	retries(l, 1, at(1e9))
	same(t, "time goes on", l.Stats().Local, int64(1000))
	tiny := &Lease{History: 1}
	calls(tiny, 1, at(0))
	retries(tiny, 1, at(1e9))
}

func TestFirstAttemptsAllocateNothing(t *testing.T) {
	l := &Lease{}
	calls(l, 1, at(0))
	a, o := &retry.Attempt{Number: 1, At: at(1), Note: new(uint64)}, &retry.Outcome{State: retry.Succeeded, Start: at(1)}
	if n := testing.AllocsPerRun(100, func() { l.Admit(t.Context(), a); l.Settle(a, o) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFirstAttempt(b *testing.B) {
	l := &Lease{}
	ctx := b.Context()
	b.ReportAllocs()
	var lane atomic.Uint32
	b.RunParallel(func(pb *testing.PB) {
		a, o := &retry.Attempt{Number: 1, At: at(1), Note: new(uint64), Lane: lane.Add(1)}, &retry.Outcome{State: retry.Succeeded, Start: at(1)}
		for pb.Next() {
			l.Admit(ctx, a)
			l.Settle(a, o)
		}
	})
}

// Calls and the exchange run side by side; nothing is spent twice.
func TestConcurrent(t *testing.T) {
	c := serving(t, &Coordinator{}, 100_000)
	l := &Lease{Floor: -1, Ratio: -1}
	exchange(l, c, 0)
	var granted atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				now := at(float64(i) / 200)
				calls(l, 1, now)
				granted.Add(int64(retries(l, 1, now)))
				if a, err := ask(l, now); err == nil {
					l.Settle(a, &retry.Outcome{})
				}
				l.Next(0.5)
			}
		})
	}
	wg.Go(func() {
		for i := range 50 {
			exchange(l, c, float64(i)/50)
		}
	})
	wg.Wait()
	s, left := l.Stats(), c.State(at(1))
	if s.Spent != granted.Load()*1000 || s.Spent+s.Tokens+s.Burnt+left.Tokens > 100_000 {
		t.Errorf("%d granted, %+v, %+v; want no more than there was", granted.Load(), s, left)
	}
}

// A process that is cut off spends the oldest of what it earned first.
func TestOldestFirst(t *testing.T) {
	l := &Lease{Ratio: 1000, Floor: -1}
	calls(l, 1, at(0))
	calls(l, 1, at(4))
	same(t, "spent", retries(l, 1, at(4)), 1)
	same(t, "left of the newer", retries(l, 2, at(5.5)), 1)
}
