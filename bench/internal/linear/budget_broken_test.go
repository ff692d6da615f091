package linear

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

// What can be wrong with a naive bucket.
const (
	looksThenTakes = "looks at the balance, then takes from it"
	losesEarnings  = "reads the balance, then writes it with what was earned"
	paysBackTwice  = "gives back what a retry that ran had paid"
	filledByChange = "is filled by a change"
)

// A naiveBucket is a budget with few features and, perhaps, one fault.
type naiveBucket struct {
	fault    string
	requests atomic.Int64 // first attempts in flight

	mu      sync.Mutex
	terms   *bucketTerms
	balance int64
	retries int64
	stats   budget.Stats
}

// gap is where others may come between two steps of a fault.
func (b *naiveBucket) gap(fault string) {
	if b.fault == fault {
		b.mu.Unlock()
		runtime.Gosched()
		b.mu.Lock()
	}
}

func (b *naiveBucket) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Number == 1 {
		b.requests.Add(1)
		a.Keep(1)
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	cost := b.terms.costs[a.Class] * a.Policy.Cost
	switch {
	case b.retries >= b.terms.least:
		return b.refuse(budget.Error{Rule: budget.RuleCeiling, Cost: 1, Limit: b.retries})
	case b.balance < cost:
		return b.refuse(budget.Error{Rule: budget.RuleTokens, Balance: b.balance, Cost: cost, Limit: b.terms.capacity})
	}
	b.gap(looksThenTakes)
	b.balance -= cost
	b.retries++
	a.Keep(uint64(cost))
	return nil
}

func (b *naiveBucket) refuse(e budget.Error) error {
	if b.stats.Denied == nil {
		b.stats.Denied = make(map[budget.Rule]int64)
	}
	b.stats.Denied[e.Rule]++
	return &e
}

func (b *naiveBucket) Settle(a *retry.Attempt, o *retry.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	paid := int64(a.Kept())
	a.Keep(0)
	switch {
	case paid == 0:
		b.stats.Defects++
		return
	case a.Number == 1:
		b.requests.Add(-1)
	default:
		b.retries--
		if o.State == retry.NotStarted || b.fault == paysBackTwice {
			b.balance = min(b.balance+paid, b.terms.capacity)
		}
		if o.State != retry.NotStarted {
			if b.stats.Consumed == nil {
				b.stats.Consumed = make(map[retry.Class]int64)
			}
			b.stats.Consumed[a.Class] += paid
			b.stats.Started++
		}
	}
	if o.State == retry.Succeeded {
		balance := b.balance
		b.gap(losesEarnings)
		b.balance = min(balance+b.terms.gain, b.terms.capacity)
	}
}

func (b *naiveBucket) Change(next *budget.Budget) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := *b.terms
	t.capacity, t.gain, t.least = int64(next.Max*1000), int64(next.Ratio*1000), int64(max(0, next.CeilingMin))
	t.costs = [4]int64{next.Costs.Ambiguous, next.Costs.Transient, next.Costs.Throttled, next.Costs.Ambiguous}
	b.terms = &t
	if b.balance = min(b.balance, t.capacity); b.fault == filledByChange {
		b.balance = t.capacity
	}
}

func (b *naiveBucket) Stats() budget.Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.stats
	s.Denied, s.Consumed = make(map[budget.Rule]int64), make(map[retry.Class]int64)
	for rule, n := range b.stats.Denied {
		s.Denied[rule] = n
	}
	for class, n := range b.stats.Consumed {
		s.Consumed[class] = n
	}
	s.Balance, s.Capacity, s.Retries, s.Ceiling = b.balance, b.terms.capacity, b.retries, b.terms.least
	s.Requests = b.requests.Load() + b.retries
	return s
}
