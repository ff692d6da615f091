package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relent-go/relent/retry"
)

// ErrDown is what every refusal of a [HealthGate] is. It is marked Transient, since the other side saw nothing.
var ErrDown = retry.Mark(errors.New("dependency down"), retry.Transient)

// A DownError is a refusal of a [HealthGate].
type DownError struct {
	Component string
	Cause     string
	Wait      time.Duration // until it may be worth asking again; 0 if nobody knows
}

// Error says which component is down, and why.
func (e *DownError) Error() string {
	s := fmt.Sprintf("component %s is down: %s", e.Component, e.Cause)
	if e.Wait > 0 {
		s += ", retry after " + e.Wait.Round(time.Millisecond).String()
	}
	return s
}

// RetryAfter is how long the component stays down, at least; 0 where nobody knows.
func (e *DownError) RetryAfter() time.Duration { return e.Wait }

// Unwrap returns [ErrDown].
func (e *DownError) Unwrap() error { return ErrDown }

// A HealthGate is a retry.Gate that refuses retries while a component, or one that it depends on, is known to be down.
// It goes by the last answers of the checks: it makes none, and knows nothing when the last judgment is older than three
// intervals. [Registry.Run] keeps it informed.
//
// It comes from [Registry.HealthGate], is safe for concurrent use and never waits.
type HealthGate struct {
	component *component
	first     bool
}

var _ retry.Rechecker = (*HealthGate)(nil)

// HealthGate returns the gate of a component. It lets first attempts pass, which find out when the component is back,
// unless firsts says that they are refused, too.
func (r *Registry) HealthGate(name string, firsts bool) (*HealthGate, error) {
	h := &r.state().health
	h.mu.Lock()
	defer h.mu.Unlock()
	c, err := find(h.components, "component", name)
	if err != nil {
		return nil, err
	}
	c.watched = true
	for _, d := range below(c, nil) {
		d.watched = true
	}
	return &HealthGate{c, firsts}, nil
}

// below adds the components that c depends on to those found.
func below(c *component, found []*component) []*component {
	for _, d := range c.deps {
		found = below(d, append(found, d))
	}
	return found
}

// Admit implements [retry.Gate].
func (g *HealthGate) Admit(_ context.Context, a *retry.Attempt) error { return g.judge(a, a.At) }

// Recheck implements [retry.Rechecker]: a component may go down during a backoff.
func (g *HealthGate) Recheck(_ context.Context, a *retry.Attempt) error { return g.judge(a, a.Begins) }

// Settle implements [retry.Gate].
func (*HealthGate) Settle(*retry.Attempt, *retry.Outcome) {}

func (g *HealthGate) judge(a *retry.Attempt, at time.Time) error {
	if a.Number == 1 && !g.first {
		return nil
	}
	j := g.component.judgment.Load()
	if j == nil || !j.down || at.Sub(j.at) > j.fresh {
		return nil
	}
	return &DownError{Component: g.component.Name, Cause: j.cause, Wait: max(0, j.until.Sub(at))}
}
