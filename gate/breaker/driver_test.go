package breaker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

var (
	errDown = errors.New("down")
	start   = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	read    = &retry.Policy{Name: "binance.fetch_book", Idempotent: true}
	order   = &retry.Policy{Name: "binance.place_order"}
)

// outcomes by hand.
var (
	good      = retry.Outcome{State: retry.Succeeded}
	bad       = retry.Outcome{State: retry.Failed, Class: retry.Transient, Err: errDown}
	throttle  = retry.Outcome{State: retry.Failed, Class: retry.Throttled, Err: errDown}
	unknown   = retry.Outcome{State: retry.Failed, Class: retry.Ambiguous, Err: errDown}
	permanent = retry.Outcome{State: retry.Failed, Class: retry.Permanent, Err: errDown}
	canceled  = retry.Outcome{State: retry.Canceled, Err: context.Canceled}
	unbegun   = retry.Outcome{State: retry.NotStarted}
	panicked  = retry.Outcome{State: retry.Panicked}
)

// A driver makes attempts by hand, at a time that only it moves.
type driver struct {
	t    *testing.T
	gate retry.Gate
	p    *retry.Policy
	at   time.Time
	call uint64
}

func drive(t *testing.T, g retry.Gate) *driver { return &driver{t: t, gate: g, p: read, at: start} }

func (d *driver) wait(by time.Duration) *driver { d.at = d.at.Add(by); return d }

// attempt returns one that has not been asked for yet.
func (d *driver) attempt(number int) *retry.Attempt {
	d.call++
	return &retry.Attempt{Policy: d.p, Call: d.call, Number: number, At: d.at, Lane: uint32(d.call), Note: new(uint64)}
}

// admit asks for a first attempt.
func (d *driver) admit() (*retry.Attempt, error) {
	a := d.attempt(1)
	return a, d.gate.Admit(context.Background(), a)
}

// settle ends an attempt now.
func (d *driver) settle(a *retry.Attempt, o retry.Outcome) {
	if o.State != retry.NotStarted {
		o.Start = a.At
		if o.State != retry.Succeeded {
			o.End = d.at
		}
	}
	d.gate.Settle(a, &o)
}

// do makes a whole attempt and says whether it was let through.
func (d *driver) do(o retry.Outcome) bool {
	a, err := d.admit()
	if err == nil {
		d.settle(a, o)
	}
	return err == nil
}

// times makes n attempts, some time apart, whether or not they are let through.
func (d *driver) times(n int, apart time.Duration, o retry.Outcome) *driver {
	for range n {
		d.do(o)
		d.wait(apart)
	}
	return d
}

func want(t *testing.T, b *breaker.Breaker, s breaker.State) {
	t.Helper()
	if got := b.State(); got != s {
		t.Errorf("state %v; want %v (%+v)", got, s, b.Snapshot())
	}
}

// even is a Rand without chance: no jitter, and sheds when more than half is to be shed.
func even() float64 { return 0.5 }

// ruin makes a breaker open after good times.
func (d *driver) ruin(b *breaker.Breaker) *driver {
	d.t.Helper()
	d.times(30, time.Millisecond, good)
	for range 300 {
		if d.do(bad); b.State() == breaker.Open {
			return d
		}
		d.wait(time.Millisecond)
	}
	d.t.Fatalf("not open after 300 failures: %+v", b.Snapshot())
	return nil
}

// opened returns a breaker that has just opened, for exactly the open time, and its driver.
func opened(t *testing.T, r breaker.Rules) (*breaker.Breaker, *driver) {
	t.Helper()
	b := &breaker.Breaker{Name: "binance", Rules: r, Rand: even}
	return b, drive(t, b).ruin(b)
}
