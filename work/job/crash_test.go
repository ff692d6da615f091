package job_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/job"
)

// die runs a runner on a store of its own until the step calls kill, and then lets its lease end.
func (r *rig) die(h job.Handler, kill <-chan struct{}) {
	m := &mortal{Store: r.store}
	runner := r.another(h)
	runner.Store, runner.Observe = m, nil
	stop := start(r.t, runner)
	<-kill
	m.kill()
	stop()
	time.Sleep(job.DefaultLease)
}

// hang is a step in which the process dies.
func hang(kill chan struct{}) func(context.Context, *job.Task) error {
	return func(ctx context.Context, _ *job.Task) error {
		kill <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
}

func TestCrashInAnUnsafeStep(t *testing.T) {
	for name, test := range map[string]struct {
		reconcile func(context.Context, *job.Task) (job.Resolution, error)
		want      job.Status
		log       string
	}{
		"nobody knows":   {nil, job.Unknown, ""},
		"cannot tell":    {func(context.Context, *job.Task) (job.Resolution, error) { return job.Applied, errBusy }, job.Unknown, ""},
		"says nonsense":  {func(context.Context, *job.Task) (job.Resolution, error) { return 9, nil }, job.Unknown, ""},
		"it did not act": {func(context.Context, *job.Task) (job.Resolution, error) { return job.Absent, nil }, job.Done, "12"},
		"it had acted":   {func(context.Context, *job.Task) (job.Resolution, error) { return job.Applied, nil }, job.Done, "2"},
		"knows of itself": {func(_ context.Context, task *job.Task) (job.Resolution, error) {
			return map[string]job.Resolution{"a/1": job.Applied}[task.Key()], nil
		}, job.Done, "2"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kill := make(chan struct{})
				var log []string
				h := job.Handler{Steps: steps(2, job.Unsafe, &log, nil)}
				h.Steps[0].Reconcile = test.reconcile
				r := newRig(t, h)
				r.enqueue("a")
				dying := h
				dying.Steps = slices.Clone(h.Steps)
				dying.Steps[0].Do = hang(kill)
				r.die(dying, kill)
				r.run(time.Second)
				got := r.see("a", test.want)
				if s := strings.Join(log, ""); s != test.log {
					t.Errorf("ran %q after the crash; want %q", s, test.log)
				}
				if test.want == job.Unknown && !got.Open {
					t.Errorf("the checkpoint is %+v; want it open", got.Checkpoint)
				}
			})
		})
	}
}

func TestRedriveOfAnUnknownJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		var log []string
		fail := true
		r := newRig(t, job.Handler{Steps: steps(2, job.Unsafe, &log, func(context.Context, int, *job.Task) error {
			if fail {
				return errBusy
			}
			return nil
		})})
		r.enqueue("a")
		r.run(time.Second)
		r.see("a", job.Unknown)
		fail = false
		if err := r.store.Redrive(ctx, "a", job.Redrive{By: "ann"}); !errors.Is(err, job.ErrUndecided) {
			t.Errorf("Redrive() = %v; want %v", err, job.ErrUndecided)
		}
		if err := r.store.Redrive(ctx, "a", job.Redrive{By: "ann", Open: job.Applied}); err != nil {
			t.Fatal(err)
		}
		r.run(time.Second)
		r.see("a", job.Done)
		if s := strings.Join(log, ""); s != "12" {
			t.Errorf("ran %q; want 12: step 1 happened", s)
		}
		r.tells("began", "ended", "began", "ended")
	})
}

// A job that kills its workers is parked like one that fails.
func TestPoison(t *testing.T) {
	for _, test := range []struct {
		effect job.Effect
		want   job.Status
	}{{job.Safe, job.Failed}, {job.Idempotent, job.Unknown}} {
		synctest.Test(t, func(t *testing.T) {
			kill := make(chan struct{})
			h := job.Handler{Steps: []job.Step{{Effect: test.effect, Do: hang(kill)}}}
			r := newRig(t, h)
			r.enqueue("a")
			for range retry.DefaultMaxAttempts {
				r.die(h, kill)
			}
			r.enqueue("good")
			r.runner.Handlers["k"] = job.Handler{Steps: []job.Step{{Effect: test.effect, Do: func(_ context.Context, t *job.Task) error {
				if t.ID() == "a" {
					panic("it runs again")
				}
				return nil
			}}}}
			r.run(time.Second)
			got := r.see("a", test.want)
			r.see("good", job.Done)
			if n := len(got.History); n != 4 || got.History[3].Err != "attempts exhausted" {
				t.Errorf("history: %+v; want 3 attempts and the end", got.History)
			}
			list, err := r.store.List(t.Context(), job.Query{Statuses: []job.Status{job.Failed, job.Abandoned, job.Unknown}, Max: 9})
			if err != nil || len(list) != 1 || list[0].ID != "a" {
				t.Errorf("List() = %v, %v; want the parked job", list, err)
			}
		})
	}
}

// What a dead worker may have done stays open when the next attempt fails for certain.
func TestLooksBack(t *testing.T) {
	transient := retry.Mark(errBusy, retry.Transient)
	for name, test := range map[string]struct {
		errs []error
		want job.Status
	}{
		"ambiguous before permanent":                       {[]error{errBusy, retry.Mark(errBusy, retry.Permanent)}, job.Unknown},
		"transient before permanent":                       {[]error{transient, retry.Mark(errBusy, retry.Permanent)}, job.Failed},
		"ambiguous, transient, then permanent":             {[]error{errBusy, transient, retry.Mark(errBusy, retry.Permanent)}, job.Unknown},
		"ambiguous, then abandoned":                        {[]error{errBusy, job.ErrAbandoned}, job.Unknown},
		"ambiguous in the step before":                     {[]error{errBusy, nil, retry.Mark(errBusy, retry.Permanent)}, job.Failed},
		"ambiguous and done, then transient, then no more": {[]error{errBusy, nil, transient, retry.Mark(errBusy, retry.Permanent)}, job.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				var log []string
				r := newRig(t, job.Handler{Policy: &retry.Policy{MaxAttempts: 9}, Steps: steps(2, job.Idempotent, &log, func(context.Context, int, *job.Task) error {
					n++
					return test.errs[n-1]
				})})
				r.enqueue("a")
				r.run(time.Minute)
				r.see("a", test.want)
			})
		})
	}
}

func TestRedriveForgetsWhatAPersonHasDealtWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errs := []error{errBusy, retry.Mark(errBusy, retry.Permanent)}
		n := 0
		var log []string
		r := newRig(t, job.Handler{Policy: &retry.Policy{MaxAttempts: 1}, Steps: steps(1, job.Idempotent, &log, func(context.Context, int, *job.Task) error {
			n++
			return errs[n-1]
		})})
		r.enqueue("a")
		r.run(time.Second)
		r.see("a", job.Unknown)
		if err := r.store.Redrive(t.Context(), "a", job.Redrive{}); err != nil {
			t.Fatal(err)
		}
		r.run(time.Second)
		r.see("a", job.Failed)
	})
}

// I21: a worker that was paused for longer than its lease wakes up. The resource saw a higher fence, and the store does, too.
func TestI21StaleWorkerIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var highest uint64
		write := func(fence uint64) error {
			mu.Lock()
			defer mu.Unlock()
			if fence < highest {
				return job.ErrLeaseLost
			}
			highest = fence
			return nil
		}
		var stale []error
		var second atomic.Bool
		step := job.Step{Effect: job.Idempotent, Do: func(ctx context.Context, task *job.Task) error {
			if !second.Swap(true) {
				time.Sleep(time.Hour) // paused
				if ctx.Err() == nil || !errors.Is(context.Cause(ctx), job.ErrLeaseLost) {
					t.Errorf("the cause of its context is %v; want %v", context.Cause(ctx), job.ErrLeaseLost)
				}
				stale = append(stale, write(task.Fence()), task.Save(context.Background(), []byte("stale")))
				return nil
			}
			task.Keep([]byte("fresh"))
			return write(task.Fence())
		}}
		r := newRig(t, job.Handler{Steps: []job.Step{step}})
		m := &mortal{Store: r.store}
		paused := r.another(r.runner.Handlers["k"])
		paused.Store = m
		r.enqueue("a")
		stop := start(t, paused)
		time.Sleep(time.Second)
		m.kill() // so that it cannot renew; it comes back with the pause's end
		time.Sleep(time.Minute)
		m.dead.Store(false)
		r.run(time.Second)
		stop()
		if len(stale) != 2 || !errors.Is(stale[0], job.ErrLeaseLost) || !errors.Is(stale[1], job.ErrLeaseLost) {
			t.Errorf("the stale worker's writes: %v; want %v each", stale, job.ErrLeaseLost)
		}
		if got := r.see("a", job.Done); string(got.State) != "fresh" || got.Fence != 2 {
			t.Errorf("%+v; want the fresh state under fence 2", got)
		}
		ends := slices.DeleteFunc(r.events, func(e job.Event) bool { return e.Kind != job.Ended })
		if len(ends) != 1 {
			t.Errorf("%d ends; want 1", len(ends))
		}
	})
}

// The lease of long work is renewed, so that nobody else takes it; and lost if another took it all the same.
func TestRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		r := newRig(t, job.Handler{Steps: steps(1, job.Safe, &log, func(context.Context, int, *job.Task) error {
			time.Sleep(time.Hour)
			return nil
		})})
		r.enqueue("a")
		other := start(t, r.another(r.runner.Handlers["k"]))
		r.run(2 * time.Hour)
		other()
		r.see("a", job.Done)
		if len(log) != 1 {
			t.Errorf("ran %d times; want once", len(log))
		}
	})
}

func TestRenewalThatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cause error
		r := newRig(t, job.Handler{Steps: []job.Step{{Effect: job.Safe, Do: func(ctx context.Context, _ *job.Task) error {
			if cause == nil {
				<-ctx.Done()
				cause = context.Cause(ctx)
			}
			return nil
		}}}})
		r.enqueue("a")
		stop := start(t, r.runner)
		synctest.Wait()
		// Somebody ends the lease, and takes the job.
		if err := r.store.Renew(t.Context(), job.Lease{ID: "a", Fence: 1}, 0); err != nil {
			t.Fatal(err)
		}
		taken, err := r.store.Take(t.Context(), job.Want{Worker: "other", Kinds: []string{"k"}, Max: 1, Lease: time.Minute})
		if err != nil || len(taken.Jobs) != 1 {
			t.Fatal(taken, err)
		}
		time.Sleep(job.DefaultLease/3 + time.Second)
		synctest.Wait()
		if !errors.Is(cause, job.ErrLeaseLost) {
			t.Errorf("the cause is %v; want %v", cause, job.ErrLeaseLost)
		}
		if err := r.store.Ack(t.Context(), taken.Jobs[0].Lease()); err != nil {
			t.Fatal(err)
		}
		stop()
		r.tells("began", "lease lost")
	})
}

// Nobody starts a job before it is due, though many look.
func TestNeverEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var mu sync.Mutex
		late := time.Duration(0)
		var log []string
		r := newRig(t, job.Handler{Steps: steps(1, job.Safe, &log, func(_ context.Context, _ int, task *job.Task) error {
			if d := time.Since(begun) - 250*time.Millisecond; d < 0 {
				t.Errorf("%s is %v early", task.ID(), -d)
			} else {
				mu.Lock()
				late = max(late, d)
				mu.Unlock()
			}
			return nil
		})})
		for i := range 500 {
			if err := r.runner.Enqueue(t.Context(), job.Job{ID: fmt.Sprint(i), Kind: "k", Delay: 250 * time.Millisecond}); err != nil {
				t.Fatal(err)
			}
		}
		stop := start(t, r.another(r.runner.Handlers["k"]))
		r.run(time.Second)
		stop()
		if done, _ := r.store.List(t.Context(), job.Query{Statuses: []job.Status{job.Done}, Max: 1000}); len(done) != 500 || late > time.Millisecond {
			t.Errorf("%d of 500 done, up to %v late; want all, at once", len(done), late)
		}
	})
}
