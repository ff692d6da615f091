package halt_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// A negative lease is lost from the start, and no heartbeat brings it back.
func TestNegativeLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := &halt.Tree{Lease: -time.Second}
		tree.Mark(halt.Orders, "desk")
		g := tree.Gate("desk")
		defer run(t, tree)()
		tree.Heartbeat(time.Now().Add(time.Hour))
		if s := look(t, tree, "desk"); s.State != halt.RiskReducingOnly || passes(g) != neither {
			t.Errorf("%+v; want the control plane lost", s)
		}
	})
}

func TestNegativeLimitsOfAttempts(t *testing.T) {
	tree := &halt.Tree{}
	g := tree.Gate("desk")
	watch(t, tree, "desk", halt.Limits{Messages: -1})
	at := time.Now()
	if err := try(g, 1, at); err != nil {
		t.Errorf("one message: %v", err)
	}
	if err := try(g, 1, at); !errors.Is(err, halt.ErrHalted) {
		t.Errorf("two messages in a second: %v; want refused", err)
	}

	tree = &halt.Tree{}
	watch(t, tree, halt.Global, halt.Limits{Attempts: -2})
	calls := 0
	p := &retry.Policy{Gates: []retry.Gate{tree.Gate("desk")}, MaxAttempts: 40, Backoff: backoff.Constant{Jitter: backoff.None}}
	retry.Run(t.Context(), p, func(context.Context) error { calls++; return transient })
	if calls != halt.DefaultAttempts {
		t.Errorf("%d attempts; want %d", calls, halt.DefaultAttempts)
	}
}

// What expires after a restart does so no sooner than Run.
func TestExpiryAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "stops")
		tree := &halt.Tree{File: file}
		if _, err := tree.Stop(halt.Command{State: halt.DrainOnly, Expires: time.Hour, Who: "ops1"}); err != nil {
			t.Fatal(err)
		}
		tree.Close()
		time.Sleep(time.Minute)
		tree = &halt.Tree{File: file}
		until := look(t, tree, halt.Global).Stops[0].Until
		if time.Until(until) != 59*time.Minute {
			t.Errorf("expires at %v, in %v; want in 59 min", until, time.Until(until))
		}
		time.Sleep(2 * time.Hour)
		if s := look(t, tree, halt.Global); s.State != halt.DrainOnly {
			t.Errorf("%+v; want nothing expired without Run", s)
		}
		run(t, tree)()
		if s := look(t, tree, halt.Global); s.State != halt.Running || s.Share != 0.1 {
			t.Errorf("%+v; want it expired", s)
		}
	})
}
