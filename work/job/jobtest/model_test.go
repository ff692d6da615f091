package jobtest

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/work/job"
)

func TestModel(t *testing.T) {
	Run(t, func(*testing.T) job.Store { return &Model{} }, Options{})
}

// A store with a clock of its own says how its time passes.
func TestOwnClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var passed time.Duration
		for _, p := range promises {
			p.run(t, suite{
				open: func(*testing.T) job.Store { return &Model{} }, report: t.Errorf,
				Options: Options{Lease: 2 * time.Second, Pass: func(_ *testing.T, d time.Duration) {
					passed += d
					time.Sleep(d)
				}},
			})
		}
		if passed < 10*time.Second || passed > time.Minute {
			t.Errorf("%v passed; want a few of the leases given", passed)
		}
	})
}

func TestModelFailsOnDemand(t *testing.T) {
	errBefore, errAfter := errors.New("before"), errors.New("after")
	m := &Model{Before: func(string) error { return errBefore }}
	if err := m.Enqueue(t.Context(), job.Job{ID: "a", Kind: "k"}); err != errBefore {
		t.Errorf("Enqueue() = %v; want %v", err, errBefore)
	}
	m.Before = nil
	if _, err := m.Load(t.Context(), "a"); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("Load() = %v; want %v: nothing was done", err, job.ErrNotFound)
	}
	m.After = func(string) error { return errAfter }
	if err := m.Enqueue(t.Context(), job.Job{ID: "a", Kind: "k"}); err != errAfter {
		t.Errorf("Enqueue() = %v; want %v", err, errAfter)
	}
	m.After = nil
	if _, err := m.Load(t.Context(), "a"); err != nil {
		t.Errorf("Load() = %v; want the job: it was added", err)
	}
}
