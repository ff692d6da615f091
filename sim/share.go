package sim

import (
	"context"
	"errors"
	"sync"

	"github.com/relent-go/relent/retry"
)

// errSpent ends a call whose retry the share does not pay for.
var errSpent = errors.New("share of retries spent")

// keptFade is how much of what is kept for a control arm is given up with each first attempt of the other arm: without a control arm, little
// is left of it after some hundreds.
const keptFade = 1. / 200

// A Share is a retry.Gate that pays for retries with a share of the first attempts, as the budgets do that learners are compared under. It is
// full at the beginning. A retry that was not made gives back what it took. It is safe for concurrent use.
type Share struct {
	Ratio float64 // retries earned by a first attempt, 0 to 1
	Burst float64 // most retries saved up

	mu    sync.Mutex
	spent float64 // guarded by mu, as what follows
	kept  float64 // of what is saved up, for a control arm
}

var _ retry.Gate = (*Share)(nil)

// Admit implements [retry.Gate].
func (s *Share) Admit(_ context.Context, a *retry.Attempt) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case a.Number <= 1:
		s.spent = max(0, s.spent-s.Ratio)
		s.kept -= keptFade * s.kept
	case s.spent+s.kept+1 > s.Burst:
		return errSpent
	default:
		s.spent++
	}
	return nil
}

// Settle implements [retry.Gate].
func (s *Share) Settle(a *retry.Attempt, o *retry.Outcome) {
	if a.Number > 1 && o.State == retry.NotStarted {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.spent = max(0, s.spent-1)
	}
}

// Aside returns the gate of a control arm that is about the given part of all calls. What its first attempts earn is kept for its retries, up to
// that part of Burst: neither arm can starve the other, both together have one budget, and without a control arm all of it is the other's.
func (s *Share) Aside(part float64) retry.Gate { return &aside{s, part} }

// An aside is the control arm's side of a share.
type aside struct {
	*Share
	part float64
}

// Admit implements [retry.Gate].
func (g *aside) Admit(_ context.Context, a *retry.Attempt) error {
	s := g.Share
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case a.Number <= 1:
		s.spent = max(0, s.spent-s.Ratio)
		s.kept = min(g.part*s.Burst, s.kept+s.Ratio)
	case s.kept < 1:
		return errSpent
	default:
		s.kept--
		s.spent++
	}
	return nil
}

// Settle implements [retry.Gate].
func (g *aside) Settle(a *retry.Attempt, o *retry.Outcome) {
	if a.Number > 1 && o.State == retry.NotStarted {
		s := g.Share
		s.mu.Lock()
		defer s.mu.Unlock()
		s.spent = max(0, s.spent-1)
		s.kept = min(g.part*s.Burst, s.kept+1)
	}
}
