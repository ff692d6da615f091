package failsafegate_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	failsafegate "github.com/relent-go/relent/contrib/failsafe"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/gatetest"
	"github.com/relent-go/relent/retry"
)

var errReset = errors.New("connection reset")

func policy(g retry.Gate) *retry.Policy {
	return &retry.Policy{Name: "venue.quote", MaxAttempts: 1, Idempotent: true, Gates: []retry.Gate{g}}
}

// call makes a call whose attempt returns err, and returns whether it was made.
func call(g retry.Gate, err error) (made bool, _ error) {
	err = retry.Run(context.Background(), policy(g), func(context.Context) error { made = true; return err })
	return made, err
}

func wants(t *testing.T, g *failsafegate.Gate, s breaker.State, c breaker.Counts) {
	t.Helper()
	if g.State() != s || g.Counts() != c {
		t.Errorf("%v, %+v; want %v, %+v", g.State(), g.Counts(), s, c)
	}
}

func open(failures uint) *failsafegate.Gate {
	g, _ := failsafegate.New("venue", circuitbreaker.NewBuilder[any]().WithFailureThreshold(failures))
	return g
}

// held is a call that is under way.
type held struct{ release, done chan struct{} }

func hold(t *testing.T, p *retry.Policy, err error) held {
	h := held{make(chan struct{}), make(chan struct{})}
	go func() {
		defer close(h.done)
		retry.Run(t.Context(), p, func(context.Context) error { <-h.release; return err })
	}()
	synctest.Wait()
	return h
}

func (h held) end() {
	close(h.release)
	<-h.done
}

func TestOpensHalfOpensAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(2)
		call(g, nil)
		call(g, errReset)
		wants(t, g, breaker.Closed, breaker.Counts{OK: 1, Ambiguous: 1})
		call(g, errReset)
		wants(t, g, breaker.Open, breaker.Counts{Ambiguous: 2})
		made, err := call(g, nil)
		e, ok := errors.AsType[*breaker.Error](err)
		if made || !errors.Is(err, breaker.ErrOpen) || !errors.Is(err, circuitbreaker.ErrOpen) || !ok ||
			e.State != breaker.Open || e.Key != "venue" || retry.Hint(err) != time.Minute {
			t.Errorf("%v, made %v; want refused for a minute", err, made)
		}
		time.Sleep(time.Minute)
		call(g, errReset)
		wants(t, g, breaker.HalfOpen, breaker.Counts{Ambiguous: 1})
		call(g, errReset)
		wants(t, g, breaker.Open, breaker.Counts{Ambiguous: 2})
		time.Sleep(time.Minute)
		call(g, nil) // with 2 failures of 2 to open again, one success closes
		wants(t, g, breaker.Closed, breaker.Counts{})
	})
}

func TestRetriesAreRecordedOnce(t *testing.T) {
	g := open(10)
	p := policy(g)
	p.MaxAttempts, p.Rand = 3, func() float64 { return 0 }
	retry.Run(t.Context(), p, func(context.Context) error { return errReset })
	wants(t, g, breaker.Closed, breaker.Counts{Ambiguous: 3})
}

// What the builder's handlers say is no failure is none.
func TestHandlersAreAsked(t *testing.T) {
	errMine := errors.New("not a failure")
	g, _ := failsafegate.New("venue", circuitbreaker.NewBuilder[string]().WithFailureThreshold(5).HandleErrors(errReset))
	call(g, errMine)
	call(g, errReset)
	wants(t, g, breaker.Closed, breaker.Counts{OK: 1, Ambiguous: 1})
}

func TestWhatIsNeutral(t *testing.T) {
	for _, state := range []breaker.State{breaker.Closed, breaker.HalfOpen} {
		synctest.Test(t, func(t *testing.T) {
			g := open(1)
			if state == breaker.HalfOpen {
				call(g, errReset)
				time.Sleep(time.Minute)
			}
			for range 3 { // the one permit comes back each time
				ctx, cancel := context.WithCancel(t.Context())
				p := policy(g)
				made := 0
				retry.Run(ctx, p, func(context.Context) error { made++; cancel(); return ctx.Err() })
				retry.Run(t.Context(), p, func(context.Context) error { made++; return retry.Mark(errReset, retry.Permanent) })
				p.Gates = append(p.Gates, refuser{})
				retry.Run(t.Context(), p, func(context.Context) error { return nil })
				if made != 2 {
					t.Errorf("%v: %d attempts made; want 2", state, made)
				}
			}
			wants(t, g, state, breaker.Counts{})
			last := hold(t, policy(g), nil)
			if made, err := call(g, nil); made != (state == breaker.Closed) {
				t.Errorf("%v: a second one at once made %v: %v", state, made, err)
			}
			last.end()
			if g.State() != breaker.Closed {
				t.Errorf("%v at last; want closed", g.State())
			}
		})
	}
}

type refuser struct{}

func (refuser) Admit(context.Context, *retry.Attempt) error { return errReset }
func (refuser) Settle(*retry.Attempt, *retry.Outcome)       {}

func TestPanicsAndTimeoutsCount(t *testing.T) {
	g := open(10)
	p := policy(g)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer func() { recover() }()
		retry.Run(t.Context(), p, func(context.Context) error { panic("boom") })
	})
	wg.Go(func() { retry.Run(t.Context(), p, func(context.Context) error { runtime.Goexit(); return nil }) })
	wg.Go(func() {
		retry.Run(t.Context(), p, func(context.Context) error { return retry.Mark(retry.ErrAttemptTimeout, retry.Permanent) })
	})
	wg.Wait()
	wants(t, g, breaker.Closed, breaker.Counts{Ambiguous: 3})
}

// Failsafe-go by itself would wait for the result for ever.
func TestHungProbe(t *testing.T) {
	for _, test := range []struct {
		p     retry.Policy
		g     time.Duration // Lease
		after time.Duration
	}{
		{retry.Policy{}, 0, time.Minute},
		{retry.Policy{}, 2 * time.Second, 2 * time.Second},
		{retry.Policy{AttemptTimeout: 3 * time.Second, MaxElapsed: time.Hour}, 0, 3 * time.Second},
		{retry.Policy{MaxElapsed: 4 * time.Second}, 0, 4 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := open(1)
			g.Lease = test.g
			call(g, errReset)
			time.Sleep(time.Minute)
			p := test.p
			p.Idempotent, p.Gates = true, []retry.Gate{g}
			hung := hold(t, &p, nil)
			time.Sleep(test.after - 1)
			if made, err := call(g, nil); made || !errors.Is(err, breaker.ErrOpen) {
				t.Errorf("a second probe before the lease is over: %v", err)
			}
			time.Sleep(1)
			call(g, nil)
			wants(t, g, breaker.Open, breaker.Counts{Ambiguous: 1})
			time.Sleep(time.Minute)
			next := hold(t, policy(g), nil)
			hung.end()
			wants(t, g, breaker.HalfOpen, breaker.Counts{}) // the result of the hung one does not count
			next.end()
			wants(t, g, breaker.Closed, breaker.Counts{})
		})
	}
}

// Results, and permits, from before a transition do not count after it.
func TestLateResultsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, cb := failsafegate.New("venue", circuitbreaker.NewBuilder[any]().WithFailureThreshold(2))
		late := hold(t, policy(g), nil)
		cb.Open()
		cb.HalfOpen()
		late.end()
		wants(t, g, breaker.HalfOpen, breaker.Counts{})

		ctx, cancel := context.WithCancel(t.Context())
		retry.Run(ctx, policy(g), func(context.Context) error { cancel(); return ctx.Err() }) // leaves a permit behind
		cb.Open()
		cb.HalfOpen()
		a, b := hold(t, policy(g), nil), hold(t, policy(g), nil)
		if made, err := call(g, nil); made {
			t.Errorf("a third probe: %v; want the permits of this state only", err)
		}
		a.end()
		b.end()
		wants(t, g, breaker.Closed, breaker.Counts{})
	})
}

// Several probes at once, of which later ones end first.
func TestProbesEndInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := failsafegate.New("venue", circuitbreaker.NewBuilder[any]().WithSuccessThresholdRatio(3, 4))
		call(g, errReset)
		time.Sleep(time.Minute)
		a := hold(t, policy(g), errReset)
		time.Sleep(30 * time.Second)
		b := hold(t, policy(g), nil)
		b.end()
		c := hold(t, policy(g), nil)
		time.Sleep(30 * time.Second) // and the lease of a is over, that of c is not
		d := hold(t, policy(g), nil)
		wants(t, g, breaker.HalfOpen, breaker.Counts{OK: 1, Ambiguous: 1})
		a.end()
		wants(t, g, breaker.HalfOpen, breaker.Counts{OK: 1, Ambiguous: 1})
		c.end()
		wants(t, g, breaker.HalfOpen, breaker.Counts{OK: 2, Ambiguous: 1})
		d.end()
		wants(t, g, breaker.Closed, breaker.Counts{})
	})
}

func TestUnsafeCallsDoNotProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(1)
		note := func() *uint64 { return new(uint64) }
		bare := &retry.Attempt{Number: 1}
		if err := g.Admit(t.Context(), bare); err != nil {
			t.Errorf("closed: %v", err)
		}
		g.Settle(bare, &retry.Outcome{State: retry.Panicked})
		wants(t, g, breaker.Closed, breaker.Counts{})
		call(g, errReset)
		time.Sleep(time.Minute)
		for _, a := range []*retry.Attempt{
			{Number: 1, Policy: &retry.Policy{Idempotent: true}},
			{Number: 1, Note: note()},
			{Number: 1, Note: note(), Policy: &retry.Policy{}},
			{Number: 2, Note: note(), Policy: &retry.Policy{Idempotent: true}},
		} {
			if err := g.Admit(t.Context(), a); !errors.Is(err, breaker.ErrOpen) {
				t.Errorf("%+v: %v; want refused", a, err)
			}
		}
		call(g, nil)
		wants(t, g, breaker.Closed, breaker.Counts{})
	})
}

// Other code uses the same breaker, with its listeners.
func TestSharedBreaker(t *testing.T) {
	opened := 0
	g, cb := failsafegate.New("venue", circuitbreaker.NewBuilder[any]().WithFailureThreshold(4).
		OnOpen(func(circuitbreaker.StateChangedEvent) { opened++ }))
	g.Health = &breaker.Health{}
	for range 2 {
		call(g, errReset)
		cb.RecordFailure()
	}
	if made, err := call(g, nil); made || !errors.Is(err, breaker.ErrOpen) || opened != 1 {
		t.Errorf("%v, opened %d times; want refused for what both saw", err, opened)
	}
	if got := g.Health.Counts(); got.Failures() != 2 {
		t.Errorf("Health has %+v; want the 2 failures that the gate saw", got)
	}
}

func TestGate(t *testing.T) {
	gatetest.Suite{Open: func() retry.Gate { return open(3) }, Clock: true}.Run(t)
}

func ExampleNew() {
	g, cb := failsafegate.New("venue", circuitbreaker.NewBuilder[any]().WithFailureThreshold(2))
	quote := &retry.Policy{Name: "venue.quote", MaxAttempts: 1, Gates: []retry.Gate{g}}
	for range 3 {
		err := retry.Run(context.Background(), quote, func(context.Context) error { return errors.New("connection reset") })
		fmt.Println(cb.State(), errors.Is(err, breaker.ErrOpen))
	}
	// Output:
	// closed false
	// open false
	// open true
}
