package breaker

import (
	"time"

	"github.com/relent-go/relent/retry"
)

// probes are the permits of the present round in half-open.
type probes struct {
	limit  int
	last   uint32 // number of the lease given last; they go on from round to round, so that none is taken for another
	leases []lease
}

// A lease is a permit that somebody holds.
type lease struct {
	id    uint32 // in the note of an attempt that this breaker admitted
	call  uint64 // of the attempt, for breakers further up
	until int64
	given time.Time     // by the process's own clock; the zero time if the attempts are of another, as in a simulation
	term  time.Duration // from then on
}

func (p *probes) clear() { p.limit, p.leases = 1, p.leases[:0] }

// expired returns when the first of the leases that are over at ns, or by the process's own clock, ended, or -1. The zero
// time leaves that clock out.
func (p *probes) expired(ns int64, now time.Time) int64 {
	at := int64(-1)
	for _, l := range p.leases {
		over := l.until <= ns || !l.given.IsZero() && now.Sub(l.given) > l.term
		if over && (at < 0 || l.until < at) {
			at = l.until
		}
	}
	return at
}

// wait is how long until the first lease ends; 0 if there is none.
func (p *probes) wait(ns int64) time.Duration {
	d := int64(0)
	for _, l := range p.leases {
		if d == 0 || l.until-ns < d {
			d = l.until - ns
		}
	}
	return time.Duration(d)
}

// end takes a lease away from who holds it: by number at the leaf, by call further up. It says whether there was one.
func (p *probes) end(id uint32, call uint64, leaf bool) bool {
	for i, l := range p.leases {
		if leaf && l.id == id || !leaf && l.call == call {
			p.leases = append(p.leases[:i], p.leases[i+1:]...)
			return true
		}
	}
	return false
}

// lease gives a permit to an attempt that may be a probe: a first attempt of an operation that may be made
// twice, and that can be recognised when it ends. The lock is held.
func (b *Breaker) lease(a *retry.Attempt, ns int64) (uint32, bool) {
	p := &b.probes
	if a.Policy == nil || !a.Policy.Idempotent || a.Number > 1 || a.Note == nil || len(p.leases) >= p.limit {
		return 0, false
	}
	d := b.health.limits.OpenFor
	for _, t := range []time.Duration{a.Policy.AttemptTimeout, a.Policy.MaxElapsed} {
		if t > 0 {
			d = min(d, t)
		}
	}
	p.last = p.last%(1<<scoreBits-1) + 1
	p.leases = append(p.leases, lease{p.last, a.Call, ns + int64(d), clocked(a.At, d), d})
	return p.last, true
}

// hung ends the round if a lease is over: see expired for the times. The lock is held.
func (b *Breaker) hung(ns int64, now time.Time, u float64) {
	if at := b.probes.expired(ns, now); at >= 0 {
		b.health.see(at)
		b.reopen(ByLease, at, u)
	}
}

// ended does the same before a probe's end is judged. A failure reopens in any case. Where nobody asked for the time of the
// end, as with a success, the clock has to say whether it came too late. The lock is held.
func (b *Breaker) ended(k kind, o *retry.Outcome, ns int64, u float64) {
	switch {
	case k.failure():
	case o.End.IsZero():
		b.hung(ns, time.Now(), u)
	default:
		b.hung(ns, time.Time{}, u)
	}
}

// clocked returns the time of an attempt if it can be of the process's own clock: less than d ago.
func clocked(at time.Time, d time.Duration) time.Time {
	if ago := time.Since(at); ago < 0 || ago >= d {
		return time.Time{}
	}
	return at
}

// probed is how a probe ends. The lock is held.
func (b *Breaker) probed(k kind, ns int64, u float64) {
	p := &b.probes
	switch {
	case k.failure():
		b.reopen(ByProbe, ns, u)
	case k == neutral:
	case p.limit >= b.health.limits.Probes:
		b.change(Closed, ByRamp, ns)
	default:
		p.limit = min(2*p.limit, b.health.limits.Probes)
	}
}

// giveBack returns the permit of an attempt that another breaker on its way refused.
func (b *Breaker) giveBack(a *retry.Attempt, leaf bool) {
	h := &b.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if w := word(a.Kept()); b.own() == HalfOpen && (!leaf || w.state() == HalfOpen) {
		b.probes.end(uint32(w.score()), a.Call, leaf)
	}
}
