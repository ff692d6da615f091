package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/relent-go/relent/work/job"
)

// The test is its own child.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-work" {
		main()
		return
	}
	os.Exit(m.Run())
}

// Killed with SIGKILL at any step, and again: no more than the steps since the last checkpoint are made again, none is left
// out, and the model is the same to the last bit.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	_, _, want := run(filepath.Join(dir, "whole"), 0)
	if want == "" {
		t.Fatal("no model without a kill")
	}
	for seed := range uint64(2) {
		random := rand.New(rand.NewPCG(seed, 1))
		path := filepath.Join(dir, string(rune('a'+seed)))
		seen, kills := 0, 0
		for at := 1 + random.IntN(2*interval); at < steps; at += random.IntN(steps / 2) {
			first, last, model := run(path, max(at, seen+1))
			if model != "" {
				break // it was quicker than the kill
			}
			kills++
			check(t, seen, first)
			seen = max(seen, last)
		}
		first, _, got := run(path, 0)
		check(t, seen, first)
		if got != want || kills == 0 {
			t.Errorf("after %d kills the model is %s; want %s", kills, got, want)
		}
	}
}

// check compares where a process went on with how far the one before came.
func check(t *testing.T, last, first int) {
	t.Helper()
	if again := last - first + 1; again > interval || again < 0 {
		t.Errorf("went on at step %d after step %d: %d steps again; want no more than %d", first, last, again, interval)
	}
}

func TestStory(t *testing.T) {
	args := os.Args
	defer func() { os.Args = args }()
	os.Args = args[:1]
	main()
}

func TestResumesWithinAProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	whole := work(path, 0)
	if again := work(path, 0); again != whole {
		t.Errorf("a job that was done ends with %s; want %s", again, whole)
	}
}

func TestFileMistakes(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	line := job.Job{ID: "line", Kind: "train"}
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(ctx, bad, line); err == nil {
		t.Error("open of a damaged file = nil; want an error")
	}
	if _, err := open(ctx, bad, job.Job{}); err == nil {
		t.Error("open with no job = nil; want an error")
	}
	hold := func(path string) (*file, job.Lease) {
		s := must(open(ctx, path, line))
		return s, must(s.Take(ctx, job.Want{Kinds: []string{"train"}, Max: 1, Lease: time.Minute})).Jobs[0].Lease()
	}
	s, l := hold(filepath.Join(dir, "none", "x"))
	if err := s.Save(ctx, l, job.Checkpoint{Seq: 1}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Save into no directory = %v; want %v", err, os.ErrNotExist)
	}
	s, l = hold(filepath.Join(dir, "y"))
	if err := s.Save(ctx, job.Lease{ID: "line", Fence: 7}, job.Checkpoint{Seq: 1}); !errors.Is(err, job.ErrLeaseLost) {
		t.Errorf("Save under another fence = %v; want %v", err, job.ErrLeaseLost)
	}
	must(0, os.Mkdir(filepath.Join(dir, "y.new"), 0o700))
	if err := s.Save(ctx, l, job.Checkpoint{Seq: 1}); err == nil {
		t.Error("Save where no file can be made = nil; want an error")
	}
}

// A checkpoint that cannot be read or written ends the job, and is not trained over.
func TestDamagedCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	for _, state := range []string{`bm8=`, `e30=`} { // "no", and "{}"
		must(0, os.WriteFile(path, []byte(`{"Seq":3,"State":"`+state+`"}`), 0o600))
		if got := work(path, 0); len(got) > 2 {
			t.Errorf("work = %s; want the damaged state, untouched", got)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("work with no such directory: no panic")
		}
	}()
	must(0, os.WriteFile(path, []byte("{"), 0o600))
	work(path, 0)
}
