package linear

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

func TestBreaker(t *testing.T) {
	circuitFamily(func(b *breaker.Breaker) circuit { return b }).holds(t, 40_000)
}

func TestBreakerModel(t *testing.T) {
	for _, fault := range []string{looksThenProbes, countsLateProbes, keepsLeases} {
		t.Run(fault, func(t *testing.T) {
			circuitFamily(func(b *breaker.Breaker) circuit { return &naiveCircuit{Breaker: b, fault: fault} }).fails(t, 40_000)
		})
	}
}

// A circuit is a Breaker, or what stands in for it.
type circuit interface {
	retry.Gate
	Isolate(breaker.Order) error
	Release(breaker.Order) error
	Snapshot() breaker.Snapshot
}

func circuitFamily(make func(*breaker.Breaker) circuit) *family {
	return &family{
		loose: looseCircuit,
		model: circuitModel.ToModel(),
		trial: func(r *rand.Rand, clients int) trial {
			calls := one(r, 0, 0, 1, 2, 3, 4)
			t := &circuitTrial{clients: clients, orders: r.IntN(4) == 0, rules: &circuitRules{
				calls: calls, minSamples: one(r, 1, 1, 2, 3), openFor: time.Second, maxOpenFor: 2 * time.Second, probes: one(r, 1, 1, 2, 3, 4),
			}}
			if calls > 0 {
				t.rules.minSamples = min(t.rules.minSamples, calls)
			}
			pause := r.IntN(2) == 0
			t.gate = make(&breaker.Breaker{
				Name: "venue",
				Rules: breaker.Rules{
					Classic: true, Calls: calls, Window: time.Hour, MinSamples: t.rules.minSamples, FailureRate: failureRate,
					OpenFor: t.rules.openFor, MaxOpenFor: t.rules.maxOpenFor, Probes: t.rules.probes,
				},
				Rand: func() float64 { // no jitter; and where it is asked for, others may come between
					if pause {
						runtime.Gosched()
					}
					return 0.5
				},
				OnChange: t.told,
			})
			return t
		},
	}
}

type circuitTrial struct {
	clients int
	gate    circuit
	rules   *circuitRules
	orders  bool // people give some
	log     string
	late    time.Duration // from when on the attempts at the same time are
	hands
}

func (t *circuitTrial) told(c breaker.Change) {
	t.log += fmt.Sprintf("%v to %v at %v, %s; ", c.From, c.To, c.At.Sub(epoch), c.Cause)
}

// before brings the breaker into some state.
func (t *circuitTrial) before(c *client) {
	t.admit(c, 1, read, 0)
	t.end(c, success, 0)
	switch c.rand.IntN(4) {
	case 0: // closed, with attempts under way
		for range c.rand.IntN(4) {
			t.admit(c, 1, read, 0)
		}
	case 1: // about to open, or open
		t.admit(c, 1, read, 0)
		t.admit(c, 1, read, 0)
		t.end(c, transient, 0)
	default: // open, and its time is over
		for range 5 {
			t.admit(c, 1, read, 0)
		}
		for range 4 {
			t.end(c, transient, 0)
		}
		t.late = time.Second
		for range c.rand.IntN(3) {
			t.admit(c, 1, read, t.late)
		}
		if c.chance(2) {
			t.end(c, success, t.late)
		}
	}
	t.deal(c, t.clients)
}

func (t *circuitTrial) after(c *client) {
	out := do(c, &circuitIn{op: circuitSnapshot, rules: t.rules}, func() circuitOut { return circuitOut{} })
	out.snapshot, out.log, out.all = t.gate.Snapshot(), t.log, true
}

var (
	read  = &retry.Policy{Idempotent: true}
	brief = &retry.Policy{Idempotent: true, AttemptTimeout: 300 * time.Millisecond}
	order = &retry.Policy{}
)

func (t *circuitTrial) step(c *client) {
	at := t.late + one(c.rand, 0, 0, 0, 300*time.Millisecond, time.Second, 3*time.Second)
	switch n := c.rand.IntN(24); {
	case t.orders && n == 0:
		lasts := one(c.rand, 300*time.Millisecond, time.Second)
		o := breaker.Order{Who: "ops1", Why: "to see", At: epoch.Add(at), For: lasts}
		do(c, &circuitIn{op: circuitIsolate, rules: t.rules, at: at, lasts: lasts}, func() circuitOut { return circuitOut{err: t.gate.Isolate(o)} })
	case t.orders && n <= 2:
		o := breaker.Order{Who: "ops2", Why: "seen", At: epoch.Add(at)}
		do(c, &circuitIn{op: circuitRelease, rules: t.rules, at: at}, func() circuitOut { return circuitOut{err: t.gate.Release(o)} })
	case n < 12 || !t.end(c, one(c.rand, success, success, success, transient, throttled, ambiguous, neutral), at):
		t.admit(c, one(c.rand, 1, 1, 1, 1, 2), one(c.rand, read, read, read, brief, order), at)
	}
}

func (t *circuitTrial) admit(c *client, number int, p *retry.Policy, at time.Duration) *held {
	a := t.attempt(c, p, number, at)
	if a == nil {
		return nil
	}
	in := &circuitIn{op: circuitAdmit, rules: t.rules, id: a.id, number: number, idempotent: p.Idempotent, at: at, lease: t.rules.openFor}
	if p.AttemptTimeout > 0 {
		in.lease = p.AttemptTimeout
	}
	out := do(c, in, func() circuitOut { return circuitOut{err: t.gate.Admit(context.Background(), &a.Attempt)} })
	if out.err == nil {
		t.keep(c, a)
		return a
	}
	e, ok := errors.AsType[*breaker.Error](out.err)
	if !ok {
		panic(out.err)
	}
	out.refused, out.state, out.wait, out.retry = true, e.State, e.Wait, e.Retry
	return a
}

// end settles one of the attempts that c holds, and says whether there was one.
func (t *circuitTrial) end(c *client, k sample, at time.Duration) bool {
	a := t.take(c)
	if a == nil {
		return false
	}
	t.settle(c, a, k, at)
	return true
}

func (t *circuitTrial) settle(c *client, a *held, k sample, at time.Duration) {
	o := retry.Outcome{State: retry.Failed, Start: epoch, End: epoch.Add(at)}
	switch k {
	case success:
		o.State = retry.Succeeded
		if c.chance(2) {
			o.Start, o.End = o.End, time.Time{}
		}
	case transient:
		o.Class = retry.Transient
	case throttled:
		o.Class = retry.Throttled
	case ambiguous:
		o.State = one(c.rand, retry.Failed, retry.Panicked)
	case neutral:
		switch c.rand.IntN(3) {
		case 0:
			o.State = retry.Canceled
		case 1:
			o = retry.Outcome{State: retry.NotStarted}
			at = a.At.Sub(epoch)
		case 2:
			o.Class = retry.Permanent
		}
	}
	in := &circuitIn{op: circuitSettle, rules: t.rules, id: a.id, kind: k, at: at}
	do(c, in, func() circuitOut { t.gate.Settle(&a.Attempt, &o); return circuitOut{} })
}
