package breaker

import (
	"context"
	"time"

	"github.com/relent-go/relent/retry"
)

// admit is Admit beyond the usual case: it asks each breaker from b up the tree. One that refuses makes those below give back
// what they gave.
func (b *Breaker) admit(ctx context.Context, a *retry.Attempt) error {
	for p := b; p != nil; p = p.health.parent.Load() {
		if w := p.health.load(); w.passes() {
			if p == b {
				a.Keep(uint64(w))
			}
			continue
		}
		if e := p.ask(a, a.At, p == b); e != nil {
			for q := b; q != p; q = q.health.parent.Load() {
				q.giveBack(a, q == b)
			}
			if b.OnRefuse != nil {
				b.OnRefuse(ctx, e)
			}
			return e
		}
	}
	return nil
}

// recheck is Recheck beyond the usual case. Retries hold no permits, so there is nothing to give back.
func (b *Breaker) recheck(ctx context.Context, a *retry.Attempt) error {
	at := a.Begins
	if at.IsZero() {
		at = a.At
	}
	for p := b; p != nil; p = p.health.parent.Load() {
		if e := p.ask(a, at, false); e != nil {
			if b.OnRefuse != nil {
				b.OnRefuse(ctx, e)
			}
			return e
		}
	}
	return nil
}

// ask decides about an attempt by this breaker alone, at a time. It keeps a note only for the breaker at the leaf.
func (b *Breaker) ask(a *retry.Attempt, at time.Time, leaf bool) *Error {
	u := b.draw()
	h := &b.health
	h.mu.Lock()
	defer b.unlock()
	if !b.prepare(at, Closed) {
		return nil
	}
	ns := h.see(h.since(at))
	b.pass(ns, u)
	w := h.load()
	wait, refuse := time.Duration(0), false
	switch w.state() {
	case Open, Isolated:
		refuse, wait = true, time.Duration(b.until-ns)
	case Throttling:
		refuse = a.Number > 1 || u < b.shed(ns)
	case HalfOpen:
		id, granted := b.lease(a, ns)
		w = w.scored(int64(id))
		if refuse = !granted; refuse {
			wait = b.probes.wait(ns)
		}
	}
	if !refuse {
		if leaf {
			a.Keep(uint64(w))
		}
		return nil
	}
	e := &Error{Key: b.Name, State: w.state(), Wait: wait, Retry: a.Number > 1, Why: b.order.Why}
	if a.Number <= 1 {
		if h.record(refused, a.Lane, ns); w.state() == Throttling {
			b.decide(ns, u)
		}
	}
	return e
}

// shed is the share of first attempts to refuse, by what the other side accepted: the client-side throttling of
// "Site Reliability Engineering", chapter 21, with K = 2. The lock is held.
func (b *Breaker) shed(ns int64) float64 {
	h := &b.health
	n := h.totals(ns)
	requests := float64(n.Total() + h.refusals(ns))
	return max(0, (requests-2*float64(n.OK))/(requests+1))
}

// pass does what is due by time alone. The lock is held.
func (b *Breaker) pass(ns int64, u float64) {
	if b.own() == HalfOpen {
		b.hung(ns, time.Time{}, u)
	}
	switch b.own() {
	case Open:
		if ns >= b.until {
			b.change(HalfOpen, ByTime, ns)
		}
	case Isolated, ForcedClosed:
		if ns >= b.until {
			b.change(HalfOpen, ByExpiry, ns)
			b.order = Order{}
		}
	case Suspect, Throttling:
		if b.calm(ns) {
			b.change(Closed, ByCalm, ns)
		}
	}
}

// calm says that the evidence which led out of Closed is gone. The lock is held.
func (b *Breaker) calm(ns int64) bool {
	h := &b.health
	pause := int64(h.limits.OpenFor)
	if h.Lagging() || b.peers.quorum(b, ns) {
		return false
	}
	if h.load().score() == 0 && ns-b.calmFrom >= pause {
		return true
	}
	return b.wins >= inARow && ns-b.lastFailure >= pause && h.totals(ns).Total() < uint64(h.limits.MinSamples)
}

// open refuses from ns on, for the open time that is due. The lock is held.
func (b *Breaker) open(cause Cause, ns int64, u float64) {
	l := &b.health.limits
	d := l.OpenFor
	for i := 0; i < b.rounds && d < l.MaxOpenFor; i++ {
		d *= 2
	}
	d = min(d, l.MaxOpenFor)
	b.until = ns + int64(float64(d)*(0.8+0.4*u)) // ±20 %, so that a fleet does not probe together
	b.change(Open, cause, ns)
}

// reopen ends a round of probes with a failure. The lock is held.
func (b *Breaker) reopen(cause Cause, ns int64, u float64) {
	b.rounds++
	b.open(cause, ns, u)
}
