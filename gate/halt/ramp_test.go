package halt_test

import (
	"testing"
	"testing/synctest"
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

// A ramp that nobody goes up ends by time when it is looked at, and not under a stop.
func TestRampWithoutAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tree halt.Tree
		g := tree.Gate("desk")
		share := func(after time.Duration, want float64, what string) {
			t.Helper()
			time.Sleep(after)
			if s := look(t, &tree, "desk").Share; s != want {
				t.Errorf("%s: %v pass; want %v", what, s, want)
			}
		}
		const all = 3 * halt.DefaultStep
		stop(t, &tree, "desk", halt.Stopped, "ops1")
		resume(t, &tree, "desk")
		share(all-1, 0.1, "before its time is over")
		share(1, 1, "after it")
		if err := try(g, 1, time.Now()); err != nil {
			t.Errorf("an attempt after it: %v", err)
		}

		// An attempt shows that somebody is there, and the time begins anew.
		stop(t, &tree, "desk", halt.Stopped, "ops1")
		resume(t, &tree, "desk")
		time.Sleep(all - time.Second)
		try(g, 1, time.Now())
		share(all-1, 0.1, "after an attempt")
		if all := tree.Status(); all[1].Share != 0.1 {
			t.Errorf("Status: %+v; want 0.1", all[1])
		}
		time.Sleep(1)
		if all := tree.Status(); all[1].Share != 1 {
			t.Errorf("Status: %+v; want 1", all[1])
		}

		// A stop that holds, and attempts by another clock, keep it.
		stop(t, &tree, "desk", halt.Stopped, "ops1")
		resume(t, &tree, "desk")
		stop(t, &tree, "desk", halt.NoRetries, "ops1")
		share(2*all, 0.1, "under a stop")
		resume(t, &tree, "desk")
		share(all-1, 0.1, "after the stop")
		try(g, 1, time.Now().Add(-time.Hour))
		share(2*all, 0.1, "by another clock")
	})
}
