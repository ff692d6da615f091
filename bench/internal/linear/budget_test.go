package linear

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

func TestBudget(t *testing.T) {
	bucketFamily(false, func(_ *bucketTerms, b *budget.Budget) bucket { return b }).holds(t, 40_000)
}

func TestBudgetModel(t *testing.T) {
	naive := func(fault string) *family {
		return bucketFamily(true, func(t *bucketTerms, _ *budget.Budget) bucket {
			return &naiveBucket{terms: t, balance: t.capacity, fault: fault}
		})
	}
	t.Run("sound", func(t *testing.T) { naive("").holds(t, 5000) })
	for _, fault := range []string{looksThenTakes, losesEarnings, paysBackTwice, filledByChange} {
		t.Run(fault, func(t *testing.T) { naive(fault).fails(t, 40_000) })
	}
}

// A bucket is a Budget, or what stands in for it.
type bucket interface {
	retry.Gate
	Change(*budget.Budget)
	Stats() budget.Stats
}

// bucketFamily makes trials of budgets; plain ones have no floors, no trickle, no share of requests, and are never suspect.
func bucketFamily(plain bool, make func(*bucketTerms, *budget.Budget) bucket) *family {
	return &family{
		loose: looseBucket,
		model: bucketModel.ToModel(),
		trial: func(r *rand.Rand, clients int) trial {
			b := &bucketTrial{clients: clients, plain: plain, health: &pausing{suspect: r.IntN(8) == 0 && !plain, pause: r.IntN(2) == 0}}
			b.terms, b.moves = b.draw(r), r.IntN(3) == 0
			b.gate = make(b.terms, b.settings(b.terms))
			return b
		},
	}
}

// pausing is a Health that gives way to other goroutines, where a budget asks for it.
type pausing struct{ suspect, pause bool }

func (p *pausing) Suspect() bool {
	if p.pause {
		runtime.Gosched()
	}
	return p.suspect
}

type bucketTrial struct {
	clients int
	gate    bucket
	health  *pausing
	plain   bool
	terms   *bucketTerms // at the beginning
	moves   bool         // the ratio may change
	hands
}

func (b *bucketTrial) draw(r *rand.Rand) *bucketTerms {
	t := &bucketTerms{
		capacity: one[int64](r, 1000, 2000, 2500, 4000),
		gain:     one[int64](r, 100, 500, 1000),
		costs:    [4]int64{one[int64](r, 500, 1000), one[int64](r, 500, 1000), one[int64](r, 500, 1500), 0},
		share:    one[int64](r, 0, 0, 500, 1000),
		least:    one[int64](r, 0, 1, 2, 3),
		every:    one[int64](r, 0, 0, 10_000, 100_000),
		suspect:  b.health.suspect,
	}
	t.costs[retry.Permanent] = t.costs[retry.Ambiguous]
	if b.plain {
		t.share, t.every = 0, 0
	} else if r.IntN(2) == 0 {
		t.floors = [3]int64{t.capacity / 2, t.capacity / 5, 0}
	}
	return t
}

// settings are the terms as a user writes them.
func (b *bucketTrial) settings(t *bucketTerms) *budget.Budget {
	s := &budget.Budget{
		Max: float64(t.capacity) / 1000, Ratio: float64(t.gain) / 1000,
		Costs:   budget.Costs{Transient: t.costs[retry.Transient], Ambiguous: t.costs[retry.Ambiguous], Throttled: t.costs[retry.Throttled]},
		Ceiling: float64(t.share) / 1000, CeilingMin: int(t.least), Health: b.health,
	}
	if t.share == 0 {
		s.Ceiling = budget.None
	}
	if t.least == 0 {
		s.CeilingMin = budget.None
	}
	if t.floors[0] > 0 {
		s.Floors = budget.Trading()
	}
	if t.every > 0 {
		s.Trickle = 1e6 / float64(t.every)
	}
	return s
}

func (b *bucketTrial) before(c *client) {
	for range c.rand.IntN(8) {
		b.step(c)
	}
	b.deal(c, b.clients)
}

func (b *bucketTrial) after(c *client) {
	out := do(c, &bucketIn{op: bucketStats, begin: b.terms}, func() bucketOut { return bucketOut{} })
	out.stats = b.gate.Stats()
}

func (b *bucketTrial) step(c *client) {
	switch n := c.rand.IntN(24); {
	case n < 12:
		b.admit(c)
	case n < 22:
		if a := b.take(c); a != nil {
			b.settle(c, a)
		} else {
			b.admit(c)
		}
	case n == 22:
		t := b.draw(c.rand)
		if !b.moves {
			t.gain = b.terms.gain
		}
		next := b.settings(t)
		do(c, &bucketIn{op: bucketChange, begin: b.terms, terms: t}, func() bucketOut { b.gate.Change(next); return bucketOut{} })
	default:
		do(c, &bucketIn{op: bucketStats, begin: b.terms}, func() bucketOut { return bucketOut{stats: b.gate.Stats()} })
	}
}

func (b *bucketTrial) admit(c *client) {
	p := &retry.Policy{Priority: one(c.rand, retry.Sheddable, retry.Normal, retry.Critical, retry.Critical), Cost: one[int64](c.rand, 1, 1, 2)}
	at := time.Duration(c.rand.IntN(40)) * time.Millisecond
	a := b.attempt(c, p, one(c.rand, 1, 2, 2, 2, 3), at)
	if a == nil {
		return
	}
	if a.Number > 1 {
		a.Class = one(c.rand, retry.Transient, retry.Transient, retry.Ambiguous, retry.Throttled)
	}
	in := &bucketIn{op: bucketAdmit, id: a.id, number: a.Number, class: a.Class, times: p.Cost, priority: p.Priority, at: int64(at), begin: b.terms}
	out := do(c, in, func() bucketOut { return bucketOut{err: b.gate.Admit(context.Background(), &a.Attempt)} })
	switch e, ok := out.err.(*budget.Error); {
	case out.err == nil:
		out.admitted = true
		b.keep(c, a)
	case !ok:
		out.strange = fmt.Sprint("a strange error: ", out.err)
	default:
		out.refused, out.rule, out.balance, out.cost, out.limit, out.kept = true, e.Rule, e.Balance, e.Cost, e.Limit, e.Kept
	}
}

func (b *bucketTrial) settle(c *client, a *held) {
	o := retry.Outcome{State: one(c.rand, retry.NotStarted, retry.Succeeded, retry.Succeeded, retry.Failed, retry.Canceled, retry.Panicked)}
	in := bucketIn{op: bucketSettle, id: a.id, number: a.Number, class: a.Class, state: o.State, begin: b.terms}
	settle := func() bucketOut { b.gate.Settle(&a.Attempt, &o); return bucketOut{} }
	do(c, &in, settle)
	if c.chance(16) {
		again := in
		again.op = bucketAgain
		do(c, &again, settle)
	}
}
