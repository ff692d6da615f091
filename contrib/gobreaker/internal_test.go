package gobreakergate

import (
	"context"
	"testing"

	"github.com/sony/gobreaker/v2"

	"github.com/relent-go/relent/retry"
)

// Places are used again, or they would fill the memory.
func TestPlacesAreUsedAgain(t *testing.T) {
	g := New(gobreaker.Settings{})
	for range 100 {
		retry.Run(t.Context(), &retry.Policy{Gates: []retry.Gate{g}}, func(context.Context) error { return nil })
	}
	if len(g.held) != 1 || len(g.free) != 1 {
		t.Errorf("%d places, %d free; want the one", len(g.held), len(g.free))
	}
}
