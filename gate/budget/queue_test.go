package budget_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

// A limiter is a gate that lets attempts wait until it opens.
type limiter chan struct{}

func (limiter) Admit(context.Context, *retry.Attempt) error { return nil }
func (l limiter) Start(context.Context, *retry.Attempt) error {
	<-l
	return nil
}
func (limiter) Settle(*retry.Attempt, *retry.Outcome) {}

// First attempts that wait in a limiter's queue are in flight, so the ceiling grows with the queue, and shrinks with it;
// Max holds all the same.
func TestAQueueCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &budget.Budget{Ceiling: 0.1, CeilingMin: 1, Max: 7}
		gate := make(limiter)
		p := &retry.Policy{Gates: []retry.Gate{b, gate}}
		for range 40 {
			go retry.Run(t.Context(), p, func(context.Context) error { return nil })
		}
		synctest.Wait()
		admit := func() (held []*retry.Attempt) {
			for {
				a := &retry.Attempt{Number: 2, Class: retry.Transient, Note: new(uint64)}
				if b.Admit(t.Context(), a) != nil {
					return held
				}
				held = append(held, a)
			}
		}
		held := admit()
		if n := b.Stats().Requests; n != 44 || len(held) != 4 {
			t.Errorf("%d in flight, %d of them retries; want 44, a tenth of them retries", n, len(held))
		}
		for _, a := range held {
			b.Settle(a, &retry.Outcome{State: retry.NotStarted})
		}
		close(gate)
		synctest.Wait()
		if held := admit(); len(held) != 1 {
			t.Errorf("%d retries when nothing waits; want 1", len(held))
		}
	})
}
