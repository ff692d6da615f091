package halt_test

import (
	"testing"
	"time"

	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// Attempts that began before a stop, and end after its resume, say nothing about the ramp.
func TestRampIgnoresWhatBeganBeforeIt(t *testing.T) {
	var tree halt.Tree
	g := tree.Gate("desk")
	stop(t, &tree, halt.Global, halt.DrainOnly, "ops1")
	resume(t, &tree, halt.Global)
	at := time.Now()
	for range halt.DefaultBurst {
		g.Settle(&retry.Attempt{Number: 1}, &retry.Outcome{State: retry.Failed, Start: at.Add(-time.Hour)})
	}
	try(g, 1, at)
	if s := look(t, &tree, halt.Global).Share; s != 0.1 {
		t.Errorf("%v pass; want 0.1", s)
	}
}
