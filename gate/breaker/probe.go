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
}

func (p *probes) clear() { p.limit, p.leases = 1, p.leases[:0] }

// expired returns when the first of the leases that are over at ns ended, or -1.
func (p *probes) expired(ns int64) int64 {
	at := int64(-1)
	for _, l := range p.leases {
		if l.until <= ns && (at < 0 || l.until < at) {
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
	p.leases = append(p.leases, lease{p.last, a.Call, ns + int64(d)})
	return p.last, true
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
