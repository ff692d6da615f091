package control_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/observe"
	"github.com/relent-go/relent/retry"
)

var (
	errBusy = retry.Mark(errors.New("busy"), retry.Transient)
	errBad  = retry.Mark(errors.New("bad request"), retry.Permanent)
	errLost = errors.New("connection lost")
)

// operation registers a policy in a new registry.
func operation(t *testing.T, p *retry.Policy) (*control.Registry, *control.Operation) {
	t.Helper()
	r := &control.Registry{Instance: "test"}
	o, err := r.AddOperation("venue", p)
	if err != nil {
		t.Fatal(err)
	}
	return r, o
}

func total(m map[string]uint64) (n uint64) {
	for _, one := range m {
		n += one
	}
	return n
}

func count(h control.Histogram) (n uint64) {
	for _, one := range h.Counts {
		n += one
	}
	return n
}

// seen counts events as an observer, in place of the operation's own counters.
type seen struct {
	mu                          sync.Mutex
	terminal, refused           uint64
	succeeded, abandoned, tried uint64
}

func (s *seen) Observe(_ context.Context, e retry.Event) {
	if e.Kind != retry.Finished {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.terminal++
	s.tried += uint64(e.Attempts)
	switch {
	case e.Attempts == 0:
		s.refused++
	case e.State == retry.Succeeded:
		s.succeeded++
	case e.State == retry.Canceled || e.State == retry.Panicked:
		s.abandoned++
	}
}

// skips is an observer without use for calls that succeed at once.
type skips struct{ *seen }

func (skips) SkipsFirstTry() bool { return true }

// picky is an observer without use for those of reads.
type picky struct{ *seen }

func (picky) SkipsFirstTryOf(p *retry.Policy) bool { return p.Idempotent }

// Whatever calls do, in any policy and any order: exactly one outcome each, and the numbers fit together.
func TestInvariants(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { invariants(t, rand.New(rand.NewPCG(seed, 7))) })
		})
	}
}

func invariants(t *testing.T, rnd *rand.Rand) {
	watch := &seen{}
	p := &retry.Policy{Name: "venue.call", MaxAttempts: 1 + rnd.IntN(4), Idempotent: rnd.IntN(2) == 0, Observer: watch,
		Backoff: backoff.Constant{Wait: time.Duration(rnd.IntN(3)) * time.Second, Jitter: backoff.None}}
	if rnd.IntN(2) == 0 {
		p.Gates = []retry.Gate{&budget.Budget{Max: 2}}
	}
	if rnd.IntN(3) == 0 {
		p.AttemptTimeout = time.Second
	}
	if rnd.IntN(3) == 0 {
		p.MaxElapsed = 4 * time.Second
	}
	if rnd.IntN(3) == 0 {
		p.Validate = func(_ context.Context, a retry.Attempt) error {
			if a.Call%5 == 0 {
				return errLost
			}
			return nil
		}
	}
	r, o := operation(t, p)
	defer r.Subscribe(control.Filter{}, 10).Close()
	calls := 40
	for range calls {
		ctx, cancel := context.WithCancel(t.Context())
		if rnd.IntN(6) == 0 {
			time.AfterFunc(time.Duration(rnd.IntN(3000))*time.Millisecond, cancel)
		}
		if rnd.IntN(20) == 0 {
			cancel()
		}
		fn := func(ctx context.Context) error {
			time.Sleep(time.Duration(rnd.IntN(1500)) * time.Millisecond)
			switch rnd.IntN(8) {
			case 0:
				return errBusy
			case 1:
				return errLost
			case 2:
				return errBad
			case 3:
				return ctx.Err()
			case 4:
				panic("fault")
			case 5:
				return retry.After(errBusy, time.Second)
			}
			return nil
		}
		func() {
			defer func() { recover() }()
			if rnd.IntN(4) > 0 {
				retry.Run(ctx, o, fn)
				return
			}
			var err error
			for ctx := range retry.Attempts(ctx, o, &err) {
				if err = fn(ctx); rnd.IntN(10) == 0 {
					break
				}
			}
		}()
		cancel()
	}
	v := o.View()
	failures := total(v.Failures)
	switch {
	case total(v.Outcomes) != uint64(calls), watch.terminal != uint64(calls):
		t.Errorf("%d outcomes, %d ends; want %d", total(v.Outcomes), watch.terminal, calls)
	case v.Attempts != watch.tried, v.Attempts < uint64(calls)-watch.refused:
		t.Errorf("%d attempts; want %d", v.Attempts, watch.tried)
	case v.Attempts-watch.succeeded-watch.abandoned != failures:
		t.Errorf("%d attempts, %d succeeded, %d abandoned, %d failed", v.Attempts, watch.succeeded, watch.abandoned, failures)
	case v.InFlight != 0, v.Waiting != 0:
		t.Errorf("%d in flight, %d waiting; want none", v.InFlight, v.Waiting)
	case count(v.PerCall) != uint64(calls), v.PerCall.Sum != float64(v.Attempts):
		t.Errorf("attempts per call %+v; want %d calls", v.PerCall, calls)
	case total(v.Suppressed) > total(v.Outcomes)-v.Outcomes["success_first_try"]-v.Outcomes["success_after_retry"]:
		t.Errorf("%d retries suppressed in %v", total(v.Suppressed), v.Outcomes)
	}
}

// Calls and waits are seen while they last.
func TestInFlightAndWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, o := operation(t, &retry.Policy{Name: "a", Backoff: backoff.Constant{Wait: time.Minute, Jitter: backoff.None}})
		look := func(in, waiting int64) {
			t.Helper()
			synctest.Wait()
			if v := o.View(); v.InFlight != in || v.Waiting != waiting {
				t.Errorf("%d in flight, %d waiting; want %d, %d", v.InFlight, v.Waiting, in, waiting)
			}
		}
		n := 0
		go retry.Run(t.Context(), o, func(context.Context) error {
			time.Sleep(time.Second)
			if n++; n == 1 {
				return errBusy
			}
			return nil
		})
		look(1, 0)
		time.Sleep(time.Second)
		look(1, 1)
		time.Sleep(time.Minute)
		look(1, 0)
		time.Sleep(time.Second)
		look(0, 0)
	})
}

func TestTiming(t *testing.T) {
	for _, test := range []struct {
		name    string
		timing  control.Timing
		policy  retry.Policy
		success func(timed uint64) bool // of 1,600 successes at once
		failure uint64                  // of 10 failures at once
	}{
		{"always", control.Always, retry.Policy{}, func(n uint64) bool { return n == 1600 }, 10},
		{"sampled", control.Sampled, retry.Policy{}, func(n uint64) bool { return n == 100 }, 0},
		{"off", control.NoTiming, retry.Policy{}, func(n uint64) bool { return n == 0 }, 0},
		{"off, told", control.NoTiming, retry.Policy{Observer: &seen{}}, func(n uint64) bool { return n == 0 }, 0},
		{"by itself", control.AutoTiming, retry.Policy{}, func(n uint64) bool { return n == 100 }, 0},
		{"with a timeout", control.AutoTiming, retry.Policy{MaxElapsed: time.Hour}, func(n uint64) bool { return n == 1600 }, 10},
		{"with a gate", control.AutoTiming, retry.Policy{Gates: []retry.Gate{&budget.Budget{}}}, func(n uint64) bool { return n == 1600 }, 10},
		{"told", control.Sampled, retry.Policy{Observer: &seen{}}, func(n uint64) bool { return n == 1600 }, 10},
		{"quiet", control.Sampled, retry.Policy{Observer: retry.Observers{&observe.Slog{Logger: slog.New(slog.DiscardHandler)}, nil, skips{&seen{}}}}, func(n uint64) bool { return n == 100 }, 0},
		{"quiet about reads", control.Sampled, retry.Policy{Idempotent: true, Observer: picky{&seen{}}}, func(n uint64) bool { return n == 100 }, 0},
		{"not about orders", control.Sampled, retry.Policy{Observer: picky{&seen{}}}, func(n uint64) bool { return n == 1600 }, 10},
		{"not quiet", control.Sampled, retry.Policy{Observer: retry.Observers{&observe.Slog{Logger: slog.New(slog.DiscardHandler)}, &seen{}}}, func(n uint64) bool { return n == 1600 }, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &control.Registry{}
				p := test.policy
				p.Name = "a"
				o, err := r.AddTimed("", &p, test.timing)
				if err != nil {
					t.Fatal(err)
				}
				for range 1600 {
					retry.Run(t.Context(), o, func(context.Context) error { time.Sleep(20 * time.Millisecond); return nil })
				}
				v := o.View()
				n := count(v.Call)
				if !test.success(n) || count(v.Attempt) != n || v.Call.Counts[5] != n || v.Outcomes["success_first_try"] != 1600 {
					t.Errorf("timed %d of 1600: %v, attempts %v", n, v.Call, v.Attempt)
				}
				if want := float64(n) * 0.02; v.Call.Sum < want-1e-6 || v.Call.Sum > want+1e-6 {
					t.Errorf("sum %v; want %v", v.Call.Sum, want)
				}
				for range 10 {
					retry.Run(t.Context(), o, func(context.Context) error { time.Sleep(time.Minute); return errBad })
				}
				v = o.View()
				if got := v.Call.Counts[12]; got != test.failure && (test.failure != 0 || got > 1) {
					t.Errorf("timed %d of 10 failures; want %d, or one more in a sample", got, test.failure)
				}
				if v.Failures["permanent"] != 10 || v.Suppressed["not_retryable"] != 10 {
					t.Errorf("%v, %v; want 10 of each", v.Failures, v.Suppressed)
				}
			})
		})
	}
	if got := fmt.Sprint(control.AutoTiming, control.Always, control.Sampled, control.NoTiming); got != "auto always sampled off" {
		t.Errorf("names %q", got)
	}
}

// The sample is drawn anew every 4,096 calls, so that it does not go along with traffic of its own period.
func TestSampleMoves(t *testing.T) {
	r := &control.Registry{}
	o, err := r.AddTimed("", &retry.Policy{Name: "a"}, control.Sampled)
	if err != nil {
		t.Fatal(err)
	}
	places := make(map[int]bool) // in the stride of 16
	for range 20 {
		for i := range 4096 {
			before := uint64(0)
			if i < 16 {
				before = count(o.View().Call)
			}
			retry.Run(t.Context(), o, func(context.Context) error { return nil })
			if i < 15 && count(o.View().Call) > before { // the 16th may be the first of a new draw
				places[i] = true
			}
		}
	}
	if len(places) < 4 {
		t.Errorf("%d places in the stride; want several", len(places))
	}
}

func TestHotPathAllocs(t *testing.T) {
	for _, gates := range [][]retry.Gate{nil, {&budget.Budget{}}} {
		for _, timing := range []control.Timing{control.Always, control.Sampled, control.NoTiming} {
			r := &control.Registry{}
			defer r.Subscribe(control.Filter{}, 0).Close()
			o, err := r.AddTimed("venue", &retry.Policy{Name: "a", Gates: gates, Observer: &observe.Slog{Logger: slog.New(slog.DiscardHandler)}}, timing)
			if err != nil {
				t.Fatal(err)
			}
			if n := testing.AllocsPerRun(1000, func() { sink, _ = retry.Do(t.Context(), o, fetch) }); n != 0 {
				t.Errorf("%v, %d gates: %v allocations; want 0", timing, len(gates), n)
			}
		}
	}
}

// Many goroutines at once lose no count, and a reader never sees one fall.
func TestCountsUnderRace(t *testing.T) {
	_, o := operation(t, &retry.Policy{Name: "a", Backoff: backoff.Constant{}})
	done := make(chan bool)
	go func() {
		defer close(done)
		var before control.PolicyView
		for range 500 {
			v := o.View()
			for _, c := range [][2]uint64{
				{before.Attempts, v.Attempts}, {total(before.Outcomes), total(v.Outcomes)}, {count(before.Call), count(v.Call)}, {total(v.Outcomes), v.Attempts},
			} {
				if c[0] > c[1] {
					t.Errorf("%d, then %d", c[0], c[1])
				}
			}
			if v.InFlight < 0 || v.Waiting < 0 {
				t.Errorf("%d in flight, %d waiting", v.InFlight, v.Waiting)
			}
			before = v
		}
	}()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 2000 {
				n := 0
				retry.Run(t.Context(), o, func(context.Context) error {
					if n++; i%2 == 0 && n == 1 {
						return errBusy
					}
					return nil
				})
			}
		})
	}
	all.Wait()
	<-done
	v := o.View()
	if v.Outcomes["success_first_try"] != 8000 || v.Outcomes["success_after_retry"] != 8000 || v.Attempts != 24000 || v.Failures["transient"] != 8000 ||
		v.PerCall.Counts[0] != 8000 || v.PerCall.Counts[1] != 8000 || count(v.Backoff) != 8000 || v.InFlight != 0 {
		t.Errorf("%+v; want 8000 at once, 8000 by a retry", v)
	}
}

// An observer that panics is somebody else's bug, and leaves no call waiting.
func TestObserverThatPanics(t *testing.T) {
	_, o := operation(t, &retry.Policy{Name: "a", Observer: rude{}})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		retry.Run(t.Context(), o, func(context.Context) error { return errBusy })
	}()
	if v := o.View(); v.Waiting != 0 || v.InFlight != 0 || total(v.Outcomes) != 1 {
		t.Errorf("%+v; want one call that ended", v)
	}
}

type rude struct{}

func (rude) Observe(_ context.Context, e retry.Event) {
	if e.Kind == retry.Retrying {
		panic("rude")
	}
}
