package linear

import (
	"context"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

// What can be wrong with a naive breaker.
const (
	looksThenProbes  = "looks for a free permit, then takes it"
	countsLateProbes = "lets the result of an earlier round count"
	keepsLeases      = "keeps the permit of a probe that was cancelled"
)

// A naiveCircuit is a breaker with a fault.
type naiveCircuit struct {
	*breaker.Breaker
	fault string
}

func (n *naiveCircuit) Admit(ctx context.Context, a *retry.Attempt) error {
	s := n.Snapshot()
	free := s.State == breaker.HalfOpen && s.Probes < s.Permits && a.Number == 1 && a.Policy.Idempotent
	err := n.Breaker.Admit(ctx, a)
	if free && n.fault == looksThenProbes {
		return nil
	}
	return err
}

func (n *naiveCircuit) Settle(a *retry.Attempt, o *retry.Outcome) {
	switch n.fault {
	case keepsLeases:
		if o.State == retry.Canceled {
			return
		}
	case countsLateProbes:
		if s := n.Snapshot(); s.State == breaker.Closed {
			fresh := *a
			fresh.Note = new(uint64)
			if n.Breaker.Admit(context.Background(), &fresh) == nil {
				n.Breaker.Settle(&fresh, o)
				return
			}
		}
	}
	n.Breaker.Settle(a, o)
}
