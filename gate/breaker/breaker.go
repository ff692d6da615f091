package breaker

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/relent-go/relent/retry"
)

// A Breaker is a gate that refuses attempts on a dependency that fails; see the package comment for its states. One
// Breaker serves all policies of what fails together, and belongs into each of them once.
//
// The zero value is ready, with the default rules. A Breaker must not be copied; its exported fields must not be
// changed once it is in use. It is safe for concurrent use and never blocks.
type Breaker struct {
	Name  string // in refusals and changes, and the key under which processes share evidence
	Rules Rules
	Rand  func() float64 // uniform in [0, 1), for jitter and shedding, safe for concurrent use; nil means math/rand/v2

	// OnChange is told of each transition, in their order and outside the lock, by the attempt that brought it about. An
	// attempt that brings about another one meanwhile leaves it to the first to tell. While a listener takes its time, up to 256
	// changes wait for it, and more are left out: the generations tell.
	OnChange func(Change)

	// OnRefuse is told of each refusal before the caller is, so that a fallback can be made ready.
	OnRefuse func(context.Context, *Error)

	health Health
	tree   *Tree
	number int  // in the tree, from 1
	inner  bool // has others below

	// Guarded by health.mu.

	generation  uint64
	floor       uint32 // generation in the word below which results are dropped
	floorAt     int64  // the same as a time, for those who were not admitted by this breaker's word
	since       int64  // the last transition
	until       int64  // the end of Open, Isolated and ForcedClosed
	rounds      int    // of probes that failed
	calmFrom    int64  // the last time the CUSUM was too high for calm
	lastFailure int64
	wins        int // successes in a row while not closed
	probes      probes
	order       Order
	peers       peers
	pending     []Change // not told yet
	telling     bool
}

var _ retry.Rechecker = (*Breaker)(nil)

// Health returns the statistics that b keeps, for others to read.
func (b *Breaker) Health() *Health {
	b.health.owned.Store(true)
	return &b.health
}

// Admit implements [retry.Gate]. A refusal is an [*Error].
func (b *Breaker) Admit(ctx context.Context, a *retry.Attempt) error {
	w := b.health.load()
	if w.passes() && b.clear() {
		a.Keep(uint64(w))
		return nil
	}
	return b.admit(ctx, a)
}

// Recheck implements [retry.Rechecker]: a retry that was let through before its backoff does not begin if it would not be
// let through now. A refusal is an [*Error].
func (b *Breaker) Recheck(ctx context.Context, a *retry.Attempt) error {
	if a.Number <= 1 || b.health.load().passes() && b.clear() {
		return nil
	}
	return b.recheck(ctx, a)
}

// Settle implements [retry.Gate].
func (b *Breaker) Settle(a *retry.Attempt, o *retry.Outcome) {
	h := &b.health
	w := h.load()
	if o.State == retry.Succeeded && w.quiet() && a.Kept() == uint64(w) && b.calmAbove() {
		// The same as Feed.Settle: a call of a function that both share would be a tenth of the cost.
		if ns := int64(o.Start.Sub(h.epoch)); ns < h.edge.Load() {
			tick := h.tick.Load()
			if c := h.success(a.Lane, tick); current(c, tick) {
				c.Add(1)
				return
			}
		}
	}
	b.settle(a, o)
}

// clear says that everything passes in all breakers above.
func (b *Breaker) clear() bool {
	for p := b.health.parent.Load(); p != nil; p = p.health.parent.Load() {
		if !p.health.load().passes() {
			return false
		}
	}
	return true
}

// calmAbove says that a success is no news to the breakers above.
func (b *Breaker) calmAbove() bool {
	for p := b.health.parent.Load(); p != nil; p = p.health.parent.Load() {
		if !p.health.load().quiet() {
			return false
		}
	}
	return true
}

// Suspect says that b, or a breaker above it, is in any state but Closed and ForcedClosed: the wrong time for a
// retry that is not needed. It costs an atomic load for each level.
func (b *Breaker) Suspect() bool {
	for p := b; p != nil; p = p.health.parent.Load() {
		if p.own().Degraded() {
			return true
		}
	}
	return false
}

// State returns the strictest state on the way from b up its tree. Time alone changes no state: Open lasts, by this
// account, until somebody asks to pass when its time is over.
func (b *Breaker) State() State {
	s := Closed
	for p := b; p != nil; p = p.health.parent.Load() {
		if t := p.own(); t.worse(s) || s == Closed && t == ForcedClosed {
			s = t
		}
	}
	return s
}

func (b *Breaker) own() State {
	if w := b.health.load(); w != 0 {
		return w.state()
	}
	return Closed
}

// Hedge asks whether a hedge, a second try beside a running one, may start: only while all is well. A refusal is an
// [*Error]. It may be asked at any time; there is nothing to settle.
func (b *Breaker) Hedge() error {
	for p := b; p != nil; p = p.health.parent.Load() {
		if s := p.own(); s.Degraded() {
			return &Error{Key: p.Name, State: s, Retry: true}
		}
	}
	return nil
}

// draw returns a random number, for use under the lock. What Rand should not return counts as a half.
func (b *Breaker) draw() float64 {
	if b.Rand == nil {
		return rand.Float64()
	}
	if u := b.Rand(); u >= 0 && u < 1 {
		return u
	}
	return 0.5
}

// prepare makes b ready in state s, unless it is, and says whether it is now. The lock is held.
func (b *Breaker) prepare(at time.Time, s State) bool {
	b.health.owned.Store(true)
	if b.tree != nil && b.health.epoch.IsZero() {
		at = b.tree.begin(at)
	}
	r := b.Rules
	if b.inner {
		r.Calls, r.SlowAfter, r.Latency = 0, 0, false // the business of those below
	}
	return b.health.prepare(r, at, b.number, s)
}

// tell reports the transitions that wait to be told, unless somebody is at it. The lock must not be held.
func (b *Breaker) tell() {
	mu := &b.health.mu
	mu.Lock()
	defer mu.Unlock()
	if b.telling {
		return
	}
	b.telling = true
	defer func() { b.telling = false }()
	for len(b.pending) > 0 {
		c := b.pending[0]
		b.pending = b.pending[1:]
		func() {
			mu.Unlock()
			defer mu.Lock()
			b.OnChange(c)
		}()
	}
}
