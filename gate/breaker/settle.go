package breaker

import (
	"time"

	"github.com/relent-go/relent/retry"
)

// settle is Settle beyond the usual case: each breaker from b up the tree learns how the attempt went, and what b drops is no
// evidence further up.
func (b *Breaker) settle(a *retry.Attempt, o *retry.Outcome) {
	k := judge(o)
	at := when(a, o)
	took := time.Duration(0)
	if w := b.health.load(); k == ok && w&watched != 0 {
		took = b.health.took(o)
		if s := b.health.limits.SlowAfter; s > 0 && took > s {
			k = slow
		}
	}
	counts := b.learn(a, o, k, at, took)
	for p := b.health.parent.Load(); p != nil; p = p.health.parent.Load() {
		p.above(a, o, k, at, counts)
	}
}

// learn is for the breaker at the leaf. It says whether the outcome counts.
func (b *Breaker) learn(a *retry.Attempt, o *retry.Outcome, k kind, at time.Time, took time.Duration) bool {
	h := &b.health
	note := word(a.Kept())
	w := h.load()
	if k == neutral && note.state() != HalfOpen {
		return false
	}
	if b.easy(k, w) && (note == 0 || note.generation() == w.generation()) && !h.limits.Latency && h.relax() {
		h.record(k, a.Lane, h.since(at))
		h.calmStreak()
		return true
	}
	u := b.draw()
	h.mu.Lock()
	defer b.unlock()
	if !b.prepare(at, Closed) {
		return false
	}
	ns := h.see(h.since(at))
	if b.own() == HalfOpen {
		b.ended(k, o, ns, u)
	}
	w = h.load()
	switch {
	case w.state() == HalfOpen:
		if note.state() != HalfOpen || !b.probes.end(uint32(note.score()), 0, true) {
			return false
		}
		if k != neutral {
			h.record(k, a.Lane, ns)
		}
		b.probed(k, ns, u)
		return k != neutral
	case k == neutral, w.state() == Open, w.state() == Isolated, note != 0 && !note.since(b.floor):
		return false
	}
	h.record(k, a.Lane, ns)
	if h.limits.Latency && !k.failure() {
		h.lagging.Store(h.latency.add(took, w.state() == Closed))
	}
	b.weigh(k, ns, u)
	return true
}

// above is for the breakers further up. They count nothing, since they sum what those below count.
func (b *Breaker) above(a *retry.Attempt, o *retry.Outcome, k kind, at time.Time, counts bool) {
	h := &b.health
	w := h.load()
	if w == 0 || w.state() != HalfOpen && (!counts || b.easy(k, w) && h.relax()) {
		if counts {
			h.calmStreak()
		}
		return
	}
	u := b.draw()
	h.mu.Lock()
	defer b.unlock()
	ns := h.see(h.since(at))
	if b.own() == HalfOpen {
		b.ended(k, o, ns, u)
	}
	switch s := b.own(); {
	case s == HalfOpen:
		if b.probes.end(0, a.Call, false) {
			b.probed(k, ns, u)
		}
	case !counts, s == Open, s == Isolated, !a.At.IsZero() && h.since(a.At) < b.floorAt:
	default:
		b.weigh(k, ns, u)
	}
}

// easy says that an outcome can change nothing but the CUSUM.
func (b *Breaker) easy(k kind, w word) bool {
	return (k == ok || k == slow) && w.passes() && (!b.health.limits.Classic || w.score() == 0 && k == ok)
}

// calmStreak ends a row of failures. It writes only if there is one.
func (h *Health) calmStreak() {
	if h.streak.Load() != 0 {
		h.streak.Store(0)
	}
}

func (b *Breaker) unlock() {
	untold := len(b.pending) > 0
	b.health.mu.Unlock()
	if untold {
		b.tell()
	}
}

// weigh draws the consequences of an outcome that counts. The lock is held.
func (b *Breaker) weigh(k kind, ns int64, u float64) {
	h := &b.health
	if h.limits.Classic {
		h.mark(ns)
	} else if w := h.step(k); w.score() >= calmLevel {
		b.calmFrom = ns
	}
	if k.failure() {
		h.streak.Add(1)
		b.lastFailure, b.wins = ns, 0
	} else {
		h.calmStreak()
		b.wins++
	}
	b.decide(ns, u)
}
