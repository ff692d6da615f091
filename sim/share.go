package sim

import (
	"context"
	"errors"
	"sync"

	"github.com/relent-go/relent/retry"
)

// errSpent ends a call whose retry the share does not pay for.
var errSpent = errors.New("share of retries spent")

// A Share is a retry.Gate that pays for retries with a share of the first attempts, as the budgets do that learners are compared under. It is
// full at the beginning. A retry that was not made gives back what it took. It is safe for concurrent use.
type Share struct {
	Ratio float64 // retries earned by a first attempt, 0 to 1
	Burst float64 // most retries saved up

	mu    sync.Mutex
	spent float64 // guarded by mu
}

var _ retry.Gate = (*Share)(nil)

// Admit implements [retry.Gate].
func (s *Share) Admit(_ context.Context, a *retry.Attempt) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case a.Number <= 1:
		s.spent = max(0, s.spent-s.Ratio)
	case s.spent+1 > s.Burst:
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
