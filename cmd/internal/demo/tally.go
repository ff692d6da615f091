package demo

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

// A Tally counts calls by how they ended. Calls = FirstTry + Recovered + Settled + Rejected + Failed,
// but for order placements whose outcome is still open.
type Tally struct {
	Calls     int // that ended
	Attempts  int
	FirstTry  int // succeeded at once
	Recovered int // succeeded after a retry
	Settled   int // order placements with a lost answer whose fate was found out
	Rejected  int // the venue said no, once and for all
	Failed    int // none of these: the caller has no answer
	Refused   int // retries that were not made: no budget, no time left, asked to wait too long
}

// Retries is how many attempts came after a first one.
func (t Tally) Retries() int { return t.Attempts - t.Calls }

// Amplification is attempts per call; 1 for no calls.
func (t Tally) Amplification() float64 {
	if t.Calls == 0 {
		return 1
	}
	return float64(t.Attempts) / float64(t.Calls)
}

func (t Tally) plus(u Tally) Tally {
	return Tally{t.Calls + u.Calls, t.Attempts + u.Attempts, t.FirstTry + u.FirstTry, t.Recovered + u.Recovered,
		t.Settled + u.Settled, t.Rejected + u.Rejected, t.Failed + u.Failed, t.Refused + u.Refused}
}

// counter is a retry.Observer that keeps a tally per policy.
type counter struct {
	tell   func(format string, args ...any) // of each retry; nil tells nobody
	sights *sighting

	mu    sync.Mutex
	tally map[string]*Tally // by policy name; guarded by mu
}

// Observe implements retry.Observer.
func (c *counter) Observe(_ context.Context, e retry.Event) {
	if e.Kind == retry.Retrying && c.tell != nil {
		c.tell("%s: attempt %d failed (%s), again in %v", e.Policy.Name, e.Attempts, cause(e.Err), e.Wait.Round(time.Millisecond))
	}
	if e.Kind != retry.Finished || e.Attempts == 0 {
		return
	}
	if e.Succeeded() && e.Attempts > 1 {
		c.sights.saw(&c.sights.Retry)
	}
	spent := errors.Is(e.Reason, budget.ErrSpent)
	if spent {
		c.sights.saw(&c.sights.Budget)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.of(e.Policy.Name)
	t.Calls++
	t.Attempts += e.Attempts
	switch {
	case e.Succeeded() && e.Attempts == 1:
		t.FirstTry++
	case e.Succeeded():
		t.Recovered++
	case e.Policy.Name == placeOrder && e.Unknown:
		// Open until settled.
	case e.Class == retry.Permanent:
		t.Rejected++
	default:
		t.Failed++
	}
	if spent || errors.Is(e.Reason, retry.ErrDeadline) || errors.Is(e.Reason, retry.ErrElapsed) || errors.Is(e.Reason, retry.ErrHint) {
		t.Refused++
	}
}

// settled books the ends of order placements whose outcome was open.
func (c *counter) settled(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of(placeOrder).Settled += n
}

// unsettled books those whose outcome stays open at the end.
func (c *counter) unsettled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.of(placeOrder)
	t.Failed = t.Calls - t.FirstTry - t.Recovered - t.Settled - t.Rejected
}

// of returns the tally of a policy. c.mu is held.
func (c *counter) of(policy string) *Tally {
	if c.tally == nil {
		c.tally = make(map[string]*Tally)
	}
	if c.tally[policy] == nil {
		c.tally[policy] = &Tally{}
	}
	return c.tally[policy]
}

// totals returns the sum over all policies, and that of the market data alone.
func (c *counter) totals() (all, reads Tally) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, t := range c.tally {
		all = all.plus(*t)
		if name == readBook || name == readCandles {
			reads = reads.plus(*t)
		}
	}
	return all, reads
}

// reasons counts things by why they happened.
type reasons struct {
	mu sync.Mutex
	by map[string]int // guarded by mu
}

// add returns how often it was added.
func (r *reasons) add(why string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[string]int{}
	}
	r.by[why]++
	return r.by[why]
}

func (r *reasons) all() (by map[string]int, sum int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.by {
		sum += n
	}
	return maps.Clone(r.by), sum
}
