package gobreakergate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

// DefaultLease is what a Lease that is not positive means.
const DefaultLease = time.Minute

// What the breaker is told of attempts that do not have an error of their own.
var (
	ErrNeutral  = errors.New("attempt says nothing about the other side")
	ErrPanicked = errors.New("attempt panicked")
	ErrLease    = errors.New("attempt did not end within its lease")
)

// Neutral says whether err is [ErrNeutral]: for Settings.IsExcluded of a breaker that [New] did not make.
func Neutral(err error) bool { return errors.Is(err, ErrNeutral) }

// A Breaker is a [gobreaker.TwoStepCircuitBreaker] of any type.
type Breaker interface {
	Name() string
	State() gobreaker.State
	Counts() gobreaker.Counts
	Allow() (done func(error), err error)
}

// A Gate is a [retry.Gate] that asks a breaker. It is safe for concurrent use, and must not be copied once used.
// It blocks as little as its breaker does.
type Gate struct {
	Breaker Breaker         // its Settings.IsExcluded must answer as Neutral does, or cancelled attempts count as failed
	Lease   time.Duration   // that an attempt has, if its policy's timeouts are not shorter; not positive means a minute
	Health  *breaker.Health // is told of each attempt, too; nil for none

	mu    sync.Mutex
	held  []held
	free  []uint32 // places in held
	given uint32   // leases, ever
}

// held is an attempt that the breaker let pass and has not heard of since.
type held struct {
	lease uint32
	until time.Time
	done  func(error) // nil for a free place
}

var _ retry.Rechecker = (*Gate)(nil)

// New returns a gate with a breaker of its own, which excludes what is neutral besides what s excludes.
func New(s gobreaker.Settings) *Gate {
	excluded := s.IsExcluded
	s.IsExcluded = func(err error) bool { return Neutral(err) || excluded != nil && excluded(err) }
	return &Gate{Breaker: gobreaker.NewTwoStepCircuitBreaker[struct{}](s)}
}

// Admit asks the breaker. A refusal is a [*breaker.Error] and what gobreaker says. An attempt without a Note passes
// while the breaker is closed, and is not reported.
func (g *Gate) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Note == nil {
		if g.Breaker.State() == gobreaker.StateClosed {
			return nil
		}
		return g.refuse(a, gobreaker.ErrOpenState)
	}
	done, err := g.Breaker.Allow()
	if err == gobreaker.ErrTooManyRequests && g.expire(a.At) {
		done, err = g.Breaker.Allow()
	}
	if err != nil {
		return g.refuse(a, err)
	}
	if !safe(a) && g.Breaker.State() == gobreaker.StateHalfOpen {
		done(ErrNeutral)
		return g.refuse(a, gobreaker.ErrTooManyRequests)
	}
	*a.Note = g.hold(done, a.At.Add(g.lease(a.Policy)))
	return nil
}

// Recheck does not let a retry begin after its backoff unless the breaker is closed.
func (g *Gate) Recheck(_ context.Context, a *retry.Attempt) error {
	if g.Breaker.State() == gobreaker.StateClosed {
		return nil
	}
	return g.refuse(a, gobreaker.ErrOpenState)
}

// Settle reports the attempt, unless its lease has ended.
func (g *Gate) Settle(a *retry.Attempt, o *retry.Outcome) {
	breaker.Feed{Health: g.Health}.Settle(a, o)
	if done := g.take(a.Kept()); done != nil {
		done(report(o))
	}
}

// safe says whether an attempt may probe.
func safe(a *retry.Attempt) bool { return a.Number <= 1 && a.Policy != nil && a.Policy.Idempotent }

// report is what the breaker is told.
func report(o *retry.Outcome) error {
	switch o.State {
	case retry.Succeeded:
		return nil
	case retry.Panicked:
		return ErrPanicked
	case retry.Failed:
		// Permanent says that the other side works, but not when it is our own timeout that someone marked so.
		if o.Class != retry.Permanent || errors.Is(o.Err, retry.ErrAttemptTimeout) {
			return o.Err
		}
	}
	return ErrNeutral
}

// lease is how long an attempt of p may take.
func (g *Gate) lease(p *retry.Policy) time.Duration {
	d := g.Lease
	if d <= 0 {
		d = DefaultLease
	}
	if p != nil && p.AttemptTimeout > 0 {
		d = min(d, p.AttemptTimeout)
	}
	if p != nil && p.MaxElapsed > 0 {
		d = min(d, p.MaxElapsed)
	}
	return d
}

// hold keeps what ends an attempt, and returns the word to find it by.
func (g *Gate) hold(done func(error), until time.Time) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.free) == 0 {
		g.free = append(g.free, uint32(len(g.held)))
		g.held = append(g.held, held{})
	}
	i := g.free[len(g.free)-1]
	g.free = g.free[:len(g.free)-1]
	g.given++
	g.held[i] = held{g.given, until, done}
	return uint64(i+1)<<32 | uint64(g.given)
}

// take returns what ends the attempt of a word, or nil if it has ended or was never held.
func (g *Gate) take(word uint64) func(error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := int(word>>32) - 1
	if i < 0 || i >= len(g.held) || g.held[i].lease != uint32(word) {
		return nil
	}
	return g.release(i)
}

// release frees a place. g.mu is held.
func (g *Gate) release(i int) (done func(error)) {
	done = g.held[i].done
	if done != nil {
		g.held[i] = held{}
		g.free = append(g.free, uint32(i))
	}
	return done
}

// expire reports attempts whose lease has ended as failed, and returns whether there were any.
func (g *Gate) expire(now time.Time) bool {
	var late []func(error)
	g.mu.Lock()
	for i := range g.held {
		if h := &g.held[i]; h.done != nil && !h.until.After(now) {
			late = append(late, g.release(i))
		}
	}
	g.mu.Unlock()
	for _, done := range late {
		done(ErrLease)
	}
	return len(late) > 0
}

func (g *Gate) refuse(a *retry.Attempt, cause error) error {
	return fmt.Errorf("%w: %w", &breaker.Error{Key: g.Breaker.Name(), State: g.State(), Retry: a.Number > 1}, cause)
}

// State returns the breaker's state in relent's words.
func (g *Gate) State() breaker.State {
	switch g.Breaker.State() {
	case gobreaker.StateClosed:
		return breaker.Closed
	case gobreaker.StateHalfOpen:
		return breaker.HalfOpen
	}
	return breaker.Open
}

// Counts returns the breaker's counts of its present interval in relent's words. Gobreaker does not know why
// calls failed, so they are Ambiguous.
func (g *Gate) Counts() breaker.Counts {
	c := g.Breaker.Counts()
	return breaker.Counts{OK: uint64(c.TotalSuccesses), Ambiguous: uint64(c.TotalFailures)}
}
