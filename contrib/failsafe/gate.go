package failsafegate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

// DefaultLease is what a Lease that is not positive means.
const DefaultLease = time.Minute

// A Breaker is a [circuitbreaker.CircuitBreaker] of any type.
type Breaker interface {
	State() circuitbreaker.State
	RemainingDelay() time.Duration
	Metrics() circuitbreaker.Metrics
	TryAcquirePermit() bool
	RecordError(error)
	RecordSuccess()
	RecordFailure()
}

// A Gate is a [retry.Gate] that asks a breaker. It is made by [New], is safe for concurrent use, and blocks as
// little as its breaker does. Its exported fields are not modified once it is in use.
type Gate struct {
	Lease  time.Duration   // that a probe has, if its policy's timeouts are not shorter; not positive means a minute
	Health *breaker.Health // is told of each attempt, too; nil for none

	name       string
	breaker    Breaker
	generation atomic.Uint64 // transitions

	mu     sync.Mutex
	period uint64 // the generation that spare and probes are of
	spare  int    // permits of probes that ended without a result
	probes []probe
	given  uint64 // probes, ever
}

type probe struct {
	id    uint64
	until time.Time
}

var _ retry.Rechecker = (*Gate)(nil)

// New builds a breaker and returns it with its gate, whose refusals carry the name. It needs the builder's
// OnStateChanged for itself; OnOpen, OnHalfOpen and OnClose are yours.
func New[R any](name string, b circuitbreaker.Builder[R]) (*Gate, circuitbreaker.CircuitBreaker[R]) {
	g := &Gate{name: name}
	cb := b.OnStateChanged(func(circuitbreaker.StateChangedEvent) { g.generation.Add(1) }).Build()
	g.breaker = cb
	return g, cb
}

// Admit asks the breaker. A refusal is a [*breaker.Error] and a [circuitbreaker.ErrOpen]. An attempt without a Note
// passes while the breaker is closed, and is not recorded.
func (g *Gate) Admit(_ context.Context, a *retry.Attempt) error {
	generation := g.generation.Load()
	if g.breaker.State() == circuitbreaker.ClosedState {
		a.Keep(generation<<1 | 1)
		return nil // closed, it has permits for all
	}
	if a.Note == nil || a.Number > 1 || a.Policy == nil || !a.Policy.Idempotent {
		return g.refuse(a)
	}
	g.expire(a.At)
	if !g.reuse() && !g.breaker.TryAcquirePermit() {
		return g.refuse(a)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn()
	g.given++
	g.probes = append(g.probes, probe{g.given, a.At.Add(g.lease(a.Policy))})
	*a.Note = g.given << 1
	return nil
}

// Recheck does not let a retry begin after its backoff unless the breaker is closed.
func (g *Gate) Recheck(_ context.Context, a *retry.Attempt) error {
	if g.breaker.State() == circuitbreaker.ClosedState {
		return nil
	}
	return g.refuse(a)
}

// Settle records what the attempt says, unless the breaker has changed since it was admitted, or its lease has ended.
func (g *Gate) Settle(a *retry.Attempt, o *retry.Outcome) {
	breaker.Feed{Health: g.Health}.Settle(a, o)
	note := a.Kept()
	if note&1 == 1 {
		if note>>1 == g.generation.Load() {
			g.record(o)
		}
	} else if period, ok := g.end(note >> 1); ok && !g.record(o) {
		g.mu.Lock()
		if g.turn(); g.period == period { // else the permit is of another half-open state
			g.spare++
		}
		g.mu.Unlock()
	}
}

// record tells the breaker. It returns false if there is nothing to tell.
func (g *Gate) record(o *retry.Outcome) bool {
	switch {
	case o.State == retry.Succeeded:
		g.breaker.RecordSuccess()
	case o.State == retry.Panicked:
		g.breaker.RecordFailure()
	// Permanent says that the other side works, but not when it is our own timeout that someone marked so.
	case o.State == retry.Failed && (o.Class != retry.Permanent || errors.Is(o.Err, retry.ErrAttemptTimeout)):
		g.breaker.RecordError(o.Err)
	default:
		return false
	}
	return true
}

// turn forgets what was of another half-open state. g.mu is held.
func (g *Gate) turn() {
	if now := g.generation.Load(); g.period != now {
		g.period, g.spare, g.probes = now, 0, g.probes[:0]
	}
}

// reuse takes a permit that came back without a result.
func (g *Gate) reuse() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn()
	if g.spare == 0 {
		return false
	}
	g.spare--
	return true
}

// end takes a probe out, and returns the period that it is of and whether its result still counts.
func (g *Gate) end(id uint64) (period uint64, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn()
	for i, p := range g.probes {
		if p.id == id {
			g.probes = append(g.probes[:i], g.probes[i+1:]...)
			return g.period, true
		}
	}
	return 0, false
}

// expire records probes as failed whose lease has ended.
func (g *Gate) expire(now time.Time) {
	late := 0
	g.mu.Lock()
	g.turn()
	kept := g.probes[:0]
	for _, p := range g.probes {
		if p.until.After(now) {
			kept = append(kept, p)
		} else {
			late++
		}
	}
	g.probes = kept
	g.mu.Unlock()
	for range late {
		g.breaker.RecordFailure()
	}
}

// lease is how long a probe of p may take.
func (g *Gate) lease(p *retry.Policy) time.Duration {
	d := g.Lease
	if d <= 0 {
		d = DefaultLease
	}
	if p.AttemptTimeout > 0 {
		d = min(d, p.AttemptTimeout)
	}
	if p.MaxElapsed > 0 {
		d = min(d, p.MaxElapsed)
	}
	return d
}

func (g *Gate) refuse(a *retry.Attempt) error {
	e := &breaker.Error{Key: g.name, State: g.State(), Wait: g.breaker.RemainingDelay(), Retry: a.Number > 1}
	return fmt.Errorf("%w: %w", e, circuitbreaker.ErrOpen)
}

// State returns the breaker's state in relent's words.
func (g *Gate) State() breaker.State {
	switch g.breaker.State() {
	case circuitbreaker.ClosedState:
		return breaker.Closed
	case circuitbreaker.HalfOpenState:
		return breaker.HalfOpen
	}
	return breaker.Open
}

// Counts returns the breaker's counts in relent's words. Failsafe-go does not know why executions failed, so they
// are Ambiguous.
func (g *Gate) Counts() breaker.Counts {
	m := g.breaker.Metrics()
	return breaker.Counts{OK: uint64(m.Successes()), Ambiguous: uint64(m.Failures())}
}
