package breaker_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

// The ends that an attempt can come to in the engine, in Closed and as a probe.
func TestThroughTheEngine(t *testing.T) {
	type probe struct {
		state breaker.State
		held  int
	}
	for _, test := range []struct {
		name   string
		p      retry.Policy
		fn     func(context.Context) error
		counts breaker.Counts
		probe  probe
	}{
		{"success", retry.Policy{}, func(context.Context) error { return nil }, breaker.Counts{OK: 1}, probe{breaker.HalfOpen, 0}},
		{"failure", retry.Policy{}, func(context.Context) error { return errDown }, breaker.Counts{Ambiguous: 1}, probe{breaker.Open, 0}},
		{"client fault", retry.Policy{}, func(context.Context) error { return retry.Mark(errDown, retry.Permanent) }, breaker.Counts{}, probe{breaker.HalfOpen, 0}},
		{"panic", retry.Policy{}, func(context.Context) error { panic("bug") }, breaker.Counts{Ambiguous: 1}, probe{breaker.Open, 0}},
		{"goexit", retry.Policy{}, func(context.Context) error { runtime.Goexit(); return nil }, breaker.Counts{Ambiguous: 1}, probe{breaker.Open, 0}},
		{"cancelled", retry.Policy{}, nil, breaker.Counts{}, probe{breaker.HalfOpen, 0}},
		{"the caller's deadline", retry.Policy{}, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, breaker.Counts{}, probe{breaker.HalfOpen, 0}},
		{"attempt timeout", retry.Policy{AttemptTimeout: time.Second}, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, breaker.Counts{Ambiguous: 1}, probe{breaker.Open, 0}},
		{"refused by a later gate", retry.Policy{Gates: []retry.Gate{refuser{}}}, func(context.Context) error { return nil }, breaker.Counts{}, probe{breaker.HalfOpen, 0}},
	} {
		for _, half := range []bool{false, true} {
			name := test.name
			if half {
				name += ", as a probe"
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := &breaker.Breaker{Rand: even}
					if half {
						d := drive(t, b)
						d.at = time.Now()
						d.times(30, 0, good)
						for b.State() != breaker.Open {
							d.do(bad)
						}
						time.Sleep(6 * time.Second)
					}
					before := b.Health().Counts()
					p := test.p
					p.Idempotent, p.MaxAttempts = true, 1
					p.Gates = append([]retry.Gate{b}, p.Gates...)
					ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
					defer cancel()
					fn := test.fn
					if fn == nil {
						fn = func(ctx context.Context) error { cancel(); return ctx.Err() }
					}
					done := make(chan struct{})
					go func() { // for the sake of Goexit
						defer close(done)
						defer func() { recover() }()
						retry.Run(ctx, &p, fn)
					}()
					<-done
					if half {
						if s := b.Snapshot(); s.State != test.probe.state || s.Probes != test.probe.held {
							t.Errorf("%+v; want %v with no permit held", s, test.probe.state)
						}
						return
					}
					after := b.Health().Counts()
					if after != test.counts {
						t.Errorf("%+v, from %+v; want %+v", after, before, test.counts)
					}
				})
			})
		}
	}
}

type refuser struct{}

func (refuser) Admit(context.Context, *retry.Attempt) error { return errDown }
func (refuser) Settle(*retry.Attempt, *retry.Outcome)       {}

// A call that comes upon an open breaker makes no attempt, and ends at once.
func TestOpenIsNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaker.Breaker{Name: "binance", Rand: even}
		p := &retry.Policy{Name: "binance.fetch_book", Idempotent: true, MaxAttempts: 100, Backoff: backoff.Constant{Wait: time.Millisecond}, Gates: []retry.Gate{b}}
		down := true
		calls := 0
		fn := func(context.Context) error {
			if calls++; down {
				return retry.Mark(errDown, retry.Transient)
			}
			return nil
		}
		down = false
		for range 30 {
			if err := retry.Run(t.Context(), p, fn); err != nil {
				t.Fatal(err)
			}
		}
		down = true
		var err error
		for range 200 {
			err = retry.Run(t.Context(), p, fn)
		}
		want(t, b, breaker.Open)
		if !errors.Is(err, breaker.ErrOpen) {
			t.Errorf("%v; want ErrOpen", err)
		}
		if calls > 30+110 {
			t.Errorf("%d attempts on a dependency that is down", calls)
		}
		// A call around it waits for the retry-after, if its deadline allows.
		down = false
		began := time.Now()
		outer := &retry.Policy{Idempotent: true, Backoff: backoff.Constant{Wait: time.Millisecond, Jitter: backoff.None}}
		err = retry.Run(t.Context(), outer, func(ctx context.Context) error {
			inner := *p
			inner.Nested = true
			return retry.Run(ctx, &inner, fn)
		})
		if err != nil || time.Since(began) < 4*time.Second {
			t.Errorf("%v after %v; want success after the open time", err, time.Since(began))
		}
	})
}

// A retry is refused where first attempts still pass.
func TestRetriesGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaker.Breaker{Name: "binance", Rand: func() float64 { return 0.999 }}
		p := &retry.Policy{Idempotent: true, Gates: []retry.Gate{b}, Backoff: backoff.Constant{}, MaxAttempts: 20}
		calls := 0
		err := retry.Run(t.Context(), p, func(context.Context) error { calls++; return retry.Mark(errDown, retry.Transient) })
		var refusal *breaker.Error
		if !errors.As(err, &refusal) || refusal.State != breaker.Throttling || !refusal.Retry || calls != 5 || !errors.Is(err, errDown) {
			t.Errorf("%v after %d attempts; want the sixth refused while throttling", err, calls)
		}
	})
}

func TestNoAllocations(t *testing.T) {
	tree := &breaker.Tree{}
	for _, test := range []struct {
		name string
		gate retry.Gate
	}{
		{"plain", &breaker.Breaker{}},
		{"tree", tree.Gate("binance", "orders", "BTC")},
		{"keyed", breaker.Keyed{Tree: tree}},
		{"last calls", &breaker.Breaker{Rules: breaker.Rules{Calls: 100}}},
		{"latency", &breaker.Breaker{Rules: breaker.Rules{Latency: true, SlowAfter: time.Second}}},
		{"feed", breaker.Feed{Health: &breaker.Health{}}},
	} {
		d := drive(t, test.gate)
		a := d.attempt(1)
		o := &retry.Outcome{State: retry.Succeeded, Start: a.At, End: a.At.Add(time.Millisecond)}
		failed := &retry.Outcome{State: retry.Failed, Class: retry.Transient, Start: a.At, End: a.At}
		n := 0
		if got := testing.AllocsPerRun(1000, func() {
			*a.Note = 0
			a.At = a.At.Add(3 * time.Millisecond)
			o.Start = a.At
			if d.gate.Admit(context.Background(), a) != nil {
				t.Error("refused")
			}
			if n++; n%200 == 0 {
				d.gate.Settle(a, failed)
			} else {
				d.gate.Settle(a, o)
			}
		}); got != 0 {
			t.Errorf("%s: %v allocations for an attempt; want 0", test.name, got)
		}
	}
}
