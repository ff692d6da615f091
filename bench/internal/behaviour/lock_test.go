package behaviour

import (
	"context"
	"sync"

	"github.com/relent-go/relent/retry"
)

// guarded returns g for concurrent use.
func guarded(g retry.Gate) retry.Gate { return &locked{gate: g} }

type locked struct {
	mu   sync.Mutex
	gate retry.Gate
}

func (l *locked) Admit(ctx context.Context, a *retry.Attempt) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gate.Admit(ctx, a)
}

func (l *locked) Settle(a *retry.Attempt, o *retry.Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gate.Settle(a, o)
}
