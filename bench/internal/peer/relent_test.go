package peer

import (
	"context"
	"testing"

	"github.com/relent-go/relent/retry"
)

type counting struct{ admitted, settled int }

func (c *counting) Admit(context.Context, *retry.Attempt) error { c.admitted++; return nil }
func (c *counting) Settle(*retry.Attempt, *retry.Outcome)       { c.settled++ }

// TestGated shows that the lines of gates ask as many as they say.
func TestGated(t *testing.T) {
	for _, gates := range []int{0, 1, 4, 16} {
		c := &counting{}
		_, err := relentLoop(relentGated(gates, c))(t.Context(), 3, func(context.Context) (Quote, error) { return Quote{}, nil })
		if err != nil || c.admitted != 3*gates || c.settled != 3*gates {
			t.Errorf("three calls with %d gates: %d admitted, %d settled, %v; want %d each", gates, c.admitted, c.settled, err, 3*gates)
		}
	}
}
