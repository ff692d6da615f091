package memory_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/store/memory"
	"github.com/relent-go/relent/work/job"
	"github.com/relent-go/relent/work/job/jobtest"
)

func TestJobs(t *testing.T) {
	jobtest.Run(t, func(*testing.T) job.Store { return &memory.Jobs{} }, jobtest.Options{})
}

func TestJobsAreBounded(t *testing.T) {
	ctx := t.Context()
	s := &memory.Jobs{MaxJobs: 1}
	if err := s.Enqueue(ctx, job.Job{ID: "a", Kind: "k"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Enqueue(ctx, job.Job{ID: "b", Kind: "k"}); !errors.Is(err, memory.ErrFull) || retry.DefaultClassify(err) != retry.Transient {
		t.Errorf("Enqueue of a second job = %v; want %v, transient", err, memory.ErrFull)
	}
	if err := s.Enqueue(ctx, job.Job{ID: "a", Kind: "k"}); err != nil {
		t.Errorf("Enqueue of a job that is held = %v; want no error", err)
	}
	if got, want := s.String(), "jobs in memory, not durable: 1"; got != want {
		t.Errorf("String() = %q; want %q", got, want)
	}
}

// Jobs that are due at one time are taken in the order in which they came.
func TestJobsKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &memory.Jobs{}
		for _, id := range []string{"c", "a", "d", "b"} {
			if err := s.Enqueue(t.Context(), job.Job{ID: id, Kind: "k"}); err != nil {
				t.Fatal(err)
			}
		}
		order := ""
		for range 4 {
			taken, err := s.Take(t.Context(), job.Want{Kinds: []string{"k"}, Max: 1, Lease: time.Minute})
			if err != nil || len(taken.Jobs) != 1 {
				t.Fatal(taken, err)
			}
			order += taken.Jobs[0].ID
		}
		if order != "cadb" {
			t.Errorf("taken in the order %s; want cadb", order)
		}
	})
}

func TestJobsHaveADefaultBound(t *testing.T) {
	s := &memory.Jobs{}
	for i := range memory.DefaultMaxJobs {
		if err := s.Enqueue(t.Context(), job.Job{ID: fmt.Sprint(i), Kind: "k"}); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := s.Enqueue(t.Context(), job.Job{ID: "one more", Kind: "k"}); !errors.Is(err, memory.ErrFull) {
		t.Errorf("Enqueue = %v; want %v", err, memory.ErrFull)
	}
}
