package linear

import (
	"context"
	"sync/atomic"

	"github.com/relent-go/relent/retry"
)

// What can be wrong with a naive stop.
const (
	looksOnlyInAdmit = "looks at the stop in Admit only"
	remembersAnswer  = "remembers an answer for the next attempt"
	resumesAnything  = "resumes whatever the epoch"
)

// naiveStop returns a gate with a fault, or the gate itself.
func naiveStop(g retry.Starter, fault string) retry.Starter {
	switch fault {
	case looksOnlyInAdmit:
		return eagerStop{g}
	case remembersAnswer:
		return &cachedStop{Starter: g}
	}
	return g
}

type eagerStop struct{ retry.Starter }

func (eagerStop) Start(context.Context, *retry.Attempt) error { return nil }

// A cachedStop asks for every second attempt only.
type cachedStop struct {
	retry.Starter
	n    atomic.Uint32
	pass atomic.Bool // the last one did
}

func (s *cachedStop) Start(ctx context.Context, a *retry.Attempt) error {
	if s.n.Add(1)%2 == 0 && s.pass.Load() {
		return nil
	}
	err := s.Starter.Start(ctx, a)
	s.pass.Store(err == nil)
	return err
}
