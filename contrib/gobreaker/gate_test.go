package gobreakergate_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"

	gobreakergate "github.com/relent-go/relent/contrib/gobreaker"
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

func wants(t *testing.T, g *gobreakergate.Gate, s breaker.State, c gobreaker.Counts) {
	t.Helper()
	if g.State() != s || g.Breaker.Counts() != c {
		t.Errorf("%v, %+v; want %v, %+v", g.State(), g.Breaker.Counts(), s, c)
	}
}

func TestOpensHalfOpensAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gobreakergate.New(gobreaker.Settings{Name: "venue"})
		call(g, nil)
		for range 5 {
			call(g, errReset)
		}
		wants(t, g, breaker.Closed, gobreaker.Counts{Requests: 6, TotalSuccesses: 1, TotalFailures: 5, ConsecutiveFailures: 5})
		if got, want := g.Counts(), (breaker.Counts{OK: 1, Ambiguous: 5}); got != want {
			t.Errorf("Counts() = %+v; want %+v", got, want)
		}
		call(g, errReset)
		wants(t, g, breaker.Open, gobreaker.Counts{})
		made, err := call(g, nil)
		e, ok := errors.AsType[*breaker.Error](err)
		if made || !errors.Is(err, breaker.ErrOpen) || !errors.Is(err, gobreaker.ErrOpenState) || !ok || e.State != breaker.Open || e.Key != "venue" {
			t.Errorf("%v, made %v; want refused", err, made)
		}
		time.Sleep(time.Minute + 1)
		wants(t, g, breaker.HalfOpen, gobreaker.Counts{})
		if made, err := call(g, errReset); !made {
			t.Errorf("no probe: %v", err)
		}
		wants(t, g, breaker.Open, gobreaker.Counts{})
		time.Sleep(time.Minute + 1)
		if made, err := call(g, nil); !made || err != nil {
			t.Errorf("probe made %v: %v", made, err)
		}
		wants(t, g, breaker.Closed, gobreaker.Counts{})
	})
}

// Each retry is one report.
func TestRetriesAreReportedOnce(t *testing.T) {
	g := gobreakergate.New(gobreaker.Settings{})
	p := policy(g)
	p.MaxAttempts, p.Rand = 3, func() float64 { return 0 }
	retry.Run(t.Context(), p, func(context.Context) error { return errReset })
	wants(t, g, breaker.Closed, gobreaker.Counts{Requests: 3, TotalFailures: 3, ConsecutiveFailures: 3})
}

func TestWhatIsNeutral(t *testing.T) {
	errMine := errors.New("excluded by the settings")
	for _, made := range []string{"closed", "half open"} {
		synctest.Test(t, func(t *testing.T) {
			g := gobreakergate.New(gobreaker.Settings{
				ReadyToTrip: func(c gobreaker.Counts) bool { return c.TotalFailures > 0 },
				IsExcluded:  func(err error) bool { return errors.Is(err, errMine) },
			})
			want := breaker.Closed
			if made == "half open" {
				call(g, errReset)
				time.Sleep(time.Minute + 1)
				want = breaker.HalfOpen
			}
			ctx, cancel := context.WithCancel(t.Context())
			p := policy(g)
			retry.Run(ctx, p, func(context.Context) error { cancel(); return ctx.Err() })
			retry.Run(t.Context(), p, func(context.Context) error { return retry.Mark(errReset, retry.Permanent) })
			retry.Run(t.Context(), p, func(context.Context) error { return errMine })
			p.Gates = append(p.Gates, refuser{})
			retry.Run(t.Context(), p, func(context.Context) error { return nil })
			wants(t, g, want, gobreaker.Counts{Requests: 4, TotalExclusions: 4})
		})
	}
}

type refuser struct{}

func (refuser) Admit(context.Context, *retry.Attempt) error { return errReset }
func (refuser) Settle(*retry.Attempt, *retry.Outcome)       {}

func TestPanicsAndTimeoutsCount(t *testing.T) {
	g := gobreakergate.New(gobreaker.Settings{})
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
	wants(t, g, breaker.Closed, gobreaker.Counts{Requests: 3, TotalFailures: 3, ConsecutiveFailures: 3})
}

// Gobreaker by itself would stay half-open for ever.
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
			g := gobreakergate.New(gobreaker.Settings{Timeout: time.Second})
			g.Lease = test.g
			for range 6 {
				call(g, errReset)
			}
			time.Sleep(time.Second + 1)
			release := make(chan struct{})
			done := make(chan struct{})
			go func() {
				defer close(done)
				p := test.p
				p.Idempotent, p.Gates = true, []retry.Gate{g}
				retry.Run(t.Context(), &p, func(context.Context) error { <-release; return nil })
			}()
			synctest.Wait()
			time.Sleep(test.after - 1)
			if made, err := call(g, nil); made || !errors.Is(err, gobreaker.ErrTooManyRequests) {
				t.Errorf("a second probe before the lease is over: %v", err)
			}
			time.Sleep(1)
			call(g, nil)
			wants(t, g, breaker.Open, gobreaker.Counts{})
			time.Sleep(time.Second + 1)
			end := make(chan struct{})
			go func() {
				defer close(end)
				retry.Run(t.Context(), policy(g), func(context.Context) error { <-end; return nil })
			}()
			synctest.Wait()
			close(release)
			<-done
			wants(t, g, breaker.HalfOpen, gobreaker.Counts{Requests: 1}) // the result of the hung one does not count
			end <- struct{}{}
			<-end
			wants(t, g, breaker.Closed, gobreaker.Counts{})
		})
	}
}

func TestUnsafeCallsDoNotProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gobreakergate.New(gobreaker.Settings{Timeout: time.Second})
		note := func() *uint64 { return new(uint64) }
		bare := &retry.Attempt{Number: 1}
		if err := g.Admit(t.Context(), bare); err != nil {
			t.Errorf("closed: %v", err)
		}
		g.Settle(bare, &retry.Outcome{State: retry.Panicked})
		wants(t, g, breaker.Closed, gobreaker.Counts{})
		for range 6 {
			call(g, errReset)
		}
		time.Sleep(time.Second + 1)
		for _, a := range []*retry.Attempt{
			bare,
			{Number: 1, Note: note()},
			{Number: 1, Note: note(), Policy: &retry.Policy{}},
			{Number: 2, Note: note(), Policy: &retry.Policy{Idempotent: true}},
		} {
			if err := g.Admit(t.Context(), a); !errors.Is(err, breaker.ErrOpen) {
				t.Errorf("%+v: %v; want refused", a, err)
			}
		}
		call(g, nil)
		wants(t, g, breaker.Closed, gobreaker.Counts{})
	})
}

// Other code uses the same breaker, and a breaker that was there before serves as well.
func TestSharedBreaker(t *testing.T) {
	b := gobreaker.NewTwoStepCircuitBreaker[[]byte](gobreaker.Settings{IsExcluded: gobreakergate.Neutral})
	h := &breaker.Health{}
	g := &gobreakergate.Gate{Breaker: b, Health: h}
	for range 3 {
		call(g, errReset)
		done, err := b.Allow()
		if err != nil {
			t.Fatal(err)
		}
		done(errReset)
	}
	if made, err := call(g, nil); made || !errors.Is(err, breaker.ErrOpen) {
		t.Errorf("%v; want refused for what both saw", err)
	}
	if got := h.Counts(); got.Failures() != 3 {
		t.Errorf("Health has %+v; want the 3 failures that the gate saw", got)
	}
}

func TestGate(t *testing.T) {
	gatetest.Suite{Open: func() retry.Gate { return gobreakergate.New(gobreaker.Settings{}) }, Clock: true, Allocs: 1}.Run(t)
}

func ExampleNew() {
	g := gobreakergate.New(gobreaker.Settings{
		Name:        "venue",
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures > 1 },
	})
	quote := &retry.Policy{Name: "venue.quote", MaxAttempts: 1, Gates: []retry.Gate{g}}
	for range 3 {
		err := retry.Run(context.Background(), quote, func(context.Context) error { return errors.New("connection reset") })
		fmt.Println(g.State(), errors.Is(err, gobreaker.ErrOpenState))
	}
	// Output:
	// closed false
	// open false
	// open true
}
