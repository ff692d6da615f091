package linear

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/retry"
)

func TestLimit(t *testing.T) {
	for _, test := range []struct {
		name  string
		bound bound
	}{{"concurrency", runningAttempts}, {"retries", runningRetries}, {"rate", beginnings}} {
		t.Run(test.name, func(t *testing.T) {
			capFamily(test.bound, func(g capGate, _ *capRules) capGate { return g }).holds(t, 7000)
		})
	}
}

func TestLimitModel(t *testing.T) {
	t.Run("looks for a slot, then takes it", func(t *testing.T) {
		capFamily(runningAttempts, func(_ capGate, r *capRules) capGate { return &naiveSlots{most: r.most} }).fails(t, 7000)
	})
	t.Run("reads the bucket, then writes it", func(t *testing.T) {
		capFamily(beginnings, func(_ capGate, r *capRules) capGate { return &naiveRate{rules: r} }).fails(t, 7000)
	})
}

// A capGate is a limit, or what stands in for it.
type capGate interface {
	retry.Gate
	Stats() limit.Stats
}

func capFamily(what bound, make func(capGate, *capRules) capGate) *family {
	return &family{
		loose: looseCap,
		model: capModel,
		trial: func(r *rand.Rand, clients int) trial {
			t := &capTrial{clients: clients, rules: &capRules{bound: what, most: one[int64](r, 1, 2, 3)}}
			burst := 1 + r.IntN(3)
			t.rules.space = 100 * time.Millisecond
			t.rules.ahead = time.Duration(burst-1) * t.rules.space
			switch most := int(t.rules.most); what {
			case runningAttempts:
				t.gate = &limit.Concurrency{Max: most}
			case runningRetries:
				t.gate = &limit.Retries{Max: most}
			case beginnings:
				t.gate = &limit.Rate{Tokens: 10, Per: time.Second, Burst: burst}
			}
			t.gate = make(t.gate, t.rules)
			return t
		},
	}
}

type capTrial struct {
	clients int
	rules   *capRules
	gate    capGate
	hands
}

// before makes an attempt, so that a rate knows when time began, and perhaps some more.
func (t *capTrial) before(c *client) {
	t.begin(c, 0)
	for range c.rand.IntN(3) {
		t.step(c)
	}
	t.deal(c, t.clients)
}

func (t *capTrial) after(c *client) {
	out := do(c, &capIn{op: capStats, rules: t.rules}, func() (out capOut) { return })
	out.stats = t.gate.Stats()
}

func (t *capTrial) step(c *client) {
	if a := t.take(c); a != nil && c.chance(2) {
		t.settle(c, a)
		return
	} else if a != nil {
		t.keep(c, a)
	}
	t.begin(c, time.Duration(c.rand.IntN(5))*50*time.Millisecond)
}

func (t *capTrial) begin(c *client, at time.Duration) {
	a := t.attempt(c, read, 2, at)
	if a == nil {
		return
	}
	if at > 0 && c.chance(2) {
		a.At, a.Wait = epoch, at
	}
	out := do(c, &capIn{op: capTake, rules: t.rules, id: a.id, at: at}, func() (out capOut) {
		if s, ok := t.gate.(retry.Starter); ok {
			out.err = s.Start(context.Background(), &a.Attempt)
		} else {
			out.err = t.gate.Admit(context.Background(), &a.Attempt)
		}
		return out
	})
	if out.err == nil {
		t.keep(c, a)
		return
	}
	e, ok := errors.AsType[*limit.Error](out.err)
	if !ok {
		panic(out.err)
	}
	out.refused, out.after = true, e.After
}

func (t *capTrial) settle(c *client, a *held) {
	o := retry.Outcome{State: one(c.rand, retry.NotStarted, retry.Succeeded, retry.Failed)}
	in := &capIn{op: capSettle, rules: t.rules, id: a.id, began: o.State != retry.NotStarted}
	do(c, in, func() (out capOut) { t.gate.Settle(&a.Attempt, &o); return })
}

// naiveSlots looks, then acts.
type naiveSlots struct {
	most             int64
	running, refused atomic.Int64
}

func (s *naiveSlots) Admit(context.Context, *retry.Attempt) error {
	if s.running.Load() >= s.most {
		s.refused.Add(1)
		return &limit.Error{}
	}
	runtime.Gosched()
	s.running.Add(1)
	return nil
}

func (s *naiveSlots) Settle(*retry.Attempt, *retry.Outcome) { s.running.Add(-1) }

func (s *naiveSlots) Stats() limit.Stats {
	return limit.Stats{Running: int(s.running.Load()), Refused: uint64(s.refused.Load())}
}

// A naiveRate reads, then writes.
type naiveRate struct {
	rules   *capRules
	full    atomic.Int64
	refused atomic.Int64
}

func (r *naiveRate) Admit(_ context.Context, a *retry.Attempt) error {
	at := int64(a.At.Sub(epoch) + a.Wait)
	from := max(r.full.Load(), at)
	if from-at > int64(r.rules.ahead) {
		r.refused.Add(1)
		return &limit.Error{After: time.Duration(from - int64(r.rules.ahead) - at)}
	}
	runtime.Gosched()
	r.full.Store(from + int64(r.rules.space))
	a.Keep(uint64(from + int64(r.rules.space)))
	return nil
}

func (r *naiveRate) Settle(a *retry.Attempt, o *retry.Outcome) {
	if mine := int64(a.Kept()); o.State == retry.NotStarted {
		r.full.CompareAndSwap(mine, mine-int64(r.rules.space))
	}
}

func (r *naiveRate) Stats() limit.Stats { return limit.Stats{Refused: uint64(r.refused.Load())} }
