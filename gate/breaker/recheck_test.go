package breaker_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

// A settled is a gate that remembers how attempts ended.
type settled struct{ states []retry.State }

func (*settled) Admit(context.Context, *retry.Attempt) error { return nil }
func (s *settled) Settle(_ *retry.Attempt, o *retry.Outcome) { s.states = append(s.states, o.State) }

// A retry does not begin if its breaker, or one above, was isolated during its backoff.
func TestIsolatedDuringABackoff(t *testing.T) {
	tree := &breaker.Tree{}
	keyed := &breaker.Tree{}
	alone := &breaker.Breaker{}
	var told int
	alone.OnRefuse = func(context.Context, *breaker.Error) { told++ }
	for _, test := range []struct {
		name    string
		gate    retry.Gate
		isolate func(breaker.Order) error
		state   breaker.State
		lasts   time.Duration
	}{
		{"alone", alone, alone.Isolate, breaker.Isolated, time.Hour},
		{"in a tree", tree.Gate("v", "o"), func(o breaker.Order) error { return tree.Group("v").Isolate(o) }, breaker.Isolated, time.Hour},
		{"keyed", breaker.Keyed{Tree: keyed}, func(o breaker.Order) error { return keyed.Gate("v", "o").Isolate(o) }, breaker.HalfOpen, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ends := &settled{}
				p := &retry.Policy{Name: "v.o", Idempotent: true, Backoff: backoff.Constant{Wait: 30 * time.Second, Jitter: backoff.None}, Gates: []retry.Gate{ends, test.gate}}
				calls := 0
				err := retry.Run(t.Context(), p, func(context.Context) error {
					calls++
					time.AfterFunc(time.Second, func() { test.isolate(breaker.Order{Who: "ann", Why: "drill", For: test.lasts}) })
					return errDown
				})
				e, ok := errors.AsType[*breaker.Error](err)
				if !ok || calls != 1 || e.State != test.state || !e.Retry || !errors.Is(err, errDown) {
					t.Errorf("%v after %d attempts; want the retry refused while %v", err, calls, test.state)
				}
				if len(ends.states) != 2 || ends.states[1] != retry.NotStarted {
					t.Errorf("ends %v; want the second not started", ends.states)
				}
			})
		})
	}
	if told != 1 {
		t.Errorf("told of %d refusals; want 1", told)
	}
}

// A retry begins after its backoff if all is well, whoever asks.
func TestRecheckWhenAllIsWell(t *testing.T) {
	b := &breaker.Breaker{Rand: even}
	d := drive(t, b)
	for _, g := range []retry.Rechecker{b, breaker.Keyed{}, breaker.Keyed{Tree: &breaker.Tree{}}} {
		if err := g.Recheck(t.Context(), d.attempt(2)); err != nil {
			t.Errorf("a new one: %v", err)
		}
	}
	d.ruin(b)
	if err := b.Recheck(t.Context(), d.attempt(1)); err != nil {
		t.Errorf("a first attempt has been asked for, but: %v", err)
	}
	if err := b.Recheck(t.Context(), d.attempt(2)); err == nil {
		t.Error("a retry begins while open")
	}
}

// A probe that ends well, but after its lease, closes nothing.
func TestLateProbe(t *testing.T) {
	tree := &breaker.Tree{Rand: even, Rules: breaker.Rules{Classic: true, MinSamples: 1, Probes: 1, OpenFor: time.Second, MinBad: 1}}
	for name, b := range map[string]*breaker.Breaker{"alone": {Rand: even, Rules: tree.Rules}, "in a tree": tree.Gate("v", "o")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &retry.Policy{Idempotent: true, MaxAttempts: 1, Gates: []retry.Gate{b}}
				retry.Run(t.Context(), p, func(context.Context) error { return errDown })
				time.Sleep(2 * time.Second)
				retry.Run(t.Context(), p, func(context.Context) error { time.Sleep(time.Hour); return nil })
				want(t, b, breaker.Open)
				retry.Run(t.Context(), p, func(context.Context) error { return nil })
				want(t, b, breaker.Closed)
			})
		})
	}
	// By the times of the attempts alone.
	b, d := opened(t, breaker.Rules{Probes: 1})
	d.wait(5 * time.Second)
	a, _ := d.admit()
	d.wait(time.Minute)
	b.Settle(a, &retry.Outcome{State: retry.Succeeded, Start: a.At, End: d.at})
	want(t, b, breaker.Open)
}

// An order without a time holds for its time, however long nobody called; and no time ahead stops a breaker's clock.
func TestOrdersAndTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaker.Breaker{Rand: even, Rules: breaker.Rules{Classic: true, MinSamples: 1, OpenFor: time.Second, Probes: 1}}
		p := &retry.Policy{Idempotent: true, MaxAttempts: 1, Gates: []retry.Gate{b}}
		run := func(err error) error { return retry.Run(t.Context(), p, func(context.Context) error { return err }) }
		run(nil)
		for _, at := range []time.Time{{}, time.Now().Add(100 * time.Hour), time.Now().Add(24 * time.Hour).Round(0)} {
			time.Sleep(time.Hour)
			b.Isolate(breaker.Order{Who: "ann", Why: "drill", At: at, For: 10 * time.Minute})
			time.Sleep(10*time.Minute - 1)
			if run(nil) == nil {
				t.Errorf("at %v: passes before the order is over", at)
			}
			time.Sleep(1)
			if err := run(nil); err != nil {
				t.Errorf("at %v: the order is over, but: %v", at, err)
			}
		}
		b.Merge(time.Now().Add(24 * time.Hour))
		run(errDown)
		time.Sleep(time.Minute)
		if err := run(nil); err != nil {
			t.Errorf("a minute after it opened for a second: %v", err)
		}
	})
}

func TestNegativeRulesAreTheDefaults(t *testing.T) {
	b, d := opened(t, breaker.Rules{Window: -1, OpenFor: -5 * time.Second, MaxOpenFor: -1, MinSamples: -1, Probes: -1})
	if s := b.Snapshot(); s.Until.Sub(d.at) != breaker.DefaultOpenFor {
		t.Errorf("open for %v; want %v", s.Until.Sub(d.at), breaker.DefaultOpenFor)
	}
}
