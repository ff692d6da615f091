package demo

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/relent-go/relent/retry"
)

// A Tally counts calls by how they ended. Calls = FirstTry + Recovered + Settled + Rejected + Failed,
// but for order placements whose outcome is still open.
type Tally struct {
	Calls     int // that ended
	Attempts  int
	FirstTry  int // succeeded at once
	Recovered int // succeeded after a retry
	Settled   int // order placements with a lost answer whose fate was found by asking
	Rejected  int // the venue said no, once and for all
	Failed    int // none of these: the caller has no answer
	Refused   int // retries that would have helped nobody: no time left, asked to wait too long
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
	tell func(format string, args ...any) // of each retry; nil tells nobody

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
	case errors.Is(e.Reason, retry.ErrPermanent):
		t.Rejected++
	default:
		t.Failed++
	}
	if errors.Is(e.Reason, retry.ErrDeadline) || errors.Is(e.Reason, retry.ErrElapsed) || errors.Is(e.Reason, retry.ErrHint) {
		t.Refused++
	}
}

// settled books the end of an order placement whose outcome was open.
func (c *counter) settled(known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known {
		c.of(placeOrder).Settled++
	} else {
		c.of(placeOrder).Failed++
	}
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
		if name == readMarket {
			reads = *t
		}
	}
	return all, reads
}
