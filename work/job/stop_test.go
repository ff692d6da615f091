package job_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/job"
)

// Run returns after the last step has, and gives the job back as it was: at its last checkpoint, without counting the attempt.
func TestGracefulStop(t *testing.T) {
	for name, test := range map[string]struct {
		effect job.Effect
		grace  time.Duration
		err    func(context.Context) error
		want   job.Status
		told   string
		takes  time.Duration
	}{
		"at once":                   {job.Idempotent, 0, func(ctx context.Context) error { return ctx.Err() }, job.Waiting, "stopped", 0},
		"after its grace":           {job.Idempotent, time.Minute, func(ctx context.Context) error { return context.Cause(ctx) }, job.Waiting, "stopped", time.Minute},
		"done within its grace":     {job.Safe, 2 * time.Hour, func(context.Context) error { return nil }, job.Done, "ended", time.Hour - time.Second},
		"unsafe, nothing happened":  {job.Unsafe, 0, func(context.Context) error { return retry.Mark(errBusy, retry.Transient) }, job.Waiting, "stopped", 0},
		"unsafe, nobody knows":      {job.Unsafe, 0, func(ctx context.Context) error { return ctx.Err() }, job.Waiting, "stopped", 0},
		"permanent after the cause": {job.Safe, 0, func(ctx context.Context) error { return fmt.Errorf("x: %w", ctx.Err()) }, job.Waiting, "stopped", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, job.Handler{Steps: []job.Step{{Effect: test.effect, Do: func(ctx context.Context, _ *job.Task) error {
					select {
					case <-ctx.Done():
					case <-time.After(time.Hour):
					}
					return test.err(ctx)
				}}}})
				r.runner.Grace = test.grace
				r.enqueue("j")
				stop := start(t, r.runner)
				time.Sleep(time.Second)
				at := time.Now()
				stop()
				if took := time.Since(at); took != test.takes {
					t.Errorf("Run took %v to stop; want %v", took, test.takes)
				}
				got := r.see("j", test.want)
				r.tells("began", test.told)
				if test.want == job.Waiting && (got.Attempts != 0 || got.Left != 0) {
					t.Errorf("%d attempts, due in %v; want none, at once", got.Attempts, got.Left)
				}
				if open := name == "unsafe, nobody knows"; got.Open != open {
					t.Errorf("open: %v; want %v", got.Open, open)
				}
			})
		})
	}
}

// Between two steps a stop needs nobody's help.
func TestStopBetweenSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		r := newRig(t, job.Handler{Steps: steps(3, job.Unsafe, &log, func(context.Context, int, *job.Task) error {
			time.Sleep(time.Minute)
			return nil
		})})
		r.enqueue("j")
		r.run(time.Second)
		got := r.see("j", job.Waiting)
		if got.Step != 1 || got.Open || strings.Join(log, "") != "1" {
			t.Errorf("%+v, ran %v; want step 1 saved", got.Checkpoint, log)
		}
	})
}

// A stop during the wait for a gate or the store begins no step.
func TestStopBeforeAStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		r := newRig(t, job.Handler{Policy: &retry.Policy{Gates: []retry.Gate{patient{}}}, Steps: steps(1, job.Safe, &log, nil)})
		r.enqueue("j")
		r.run(time.Second)
		if got := r.see("j", job.Waiting); got.Attempts != 0 || len(log) != 0 {
			t.Errorf("%d attempts, ran %v; want none", got.Attempts, log)
		}
		r.tells("began", "stopped")
	})
}

// patient is a gate that waits for ever.
type patient struct{}

func (patient) Admit(ctx context.Context, _ *retry.Attempt) error {
	<-ctx.Done()
	return ctx.Err()
}
func (patient) Settle(*retry.Attempt, *retry.Outcome) {}

// While the store is away, the job waits at its last saved step.
func TestStoreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		var away atomic.Bool
		r := newRig(t, job.Handler{})
		h := job.Handler{Steps: steps(3, job.Unsafe, &log, func(_ context.Context, i int, _ *job.Task) error {
			if i == 1 {
				away.Store(true)
			}
			return nil
		})}
		r.runner.Handlers["k"] = h
		r.store.Before = func(string) error {
			if away.Load() {
				return errors.New("store away")
			}
			return nil
		}
		r.enqueue("j")
		stop := start(t, r.runner)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s := strings.Join(log, ""); s != "1" {
			t.Errorf("ran %q while the store was away; want 1", s)
		}
		away.Store(false)
		time.Sleep(10 * time.Second)
		stop()
		r.see("j", job.Done)
		if s := strings.Join(log, ""); s != "123" {
			t.Errorf("ran %q; want each step once", s)
		}
	})
}

// When the store is away for longer than the lease, the job is left to whoever takes it next.
func TestStoreAwayForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		var log []string
		r := newRig(t, job.Handler{Steps: steps(2, job.Idempotent, &log, func(context.Context, int, *job.Task) error {
			away.Store(len(log) == 1)
			return nil
		})})
		r.store.Before = func(m string) error {
			if away.Load() {
				return retry.Mark(errors.New("disk full"), retry.Permanent) // which does not make it so for the job
			}
			return nil
		}
		r.enqueue("j")
		stop := start(t, r.runner)
		time.Sleep(job.DefaultLease - time.Second)
		if last := r.kinds()[len(r.kinds())-1]; last != "store failed" {
			t.Errorf("while the lease runs, the last event is %q; want that it waits", last)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		r.mu.Lock()
		ours := slices.DeleteFunc(slices.Clone(r.events), func(e job.Event) bool { return e.Kind == job.StoreFailed })
		r.mu.Unlock()
		if len(ours) != 2 || ours[1].Kind != job.LeaseLost || !errors.Is(ours[1].Err, job.ErrLeaseLost) {
			t.Errorf("events: %+v; want the lease lost when it ended", ours)
		}
		away.Store(false)
		time.Sleep(time.Minute)
		stop()
		r.see("j", job.Done)
		if s := strings.Join(log, ""); s != "112" {
			t.Errorf("ran %q; want 112: step 1 had not been saved", s)
		}
	})
}

// Jobs that the store hands out while Run is told to stop are given back.
func TestStopDuringALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		r := newRig(t, job.Handler{Steps: steps(1, job.Safe, &log, nil)})
		r.runner.Store = slowToAnswer{r.store}
		r.enqueue("j")
		r.run(time.Second)
		if got := r.see("j", job.Waiting); got.Fence != 1 || got.Attempts != 0 || got.Left != 0 || len(log) != 0 {
			t.Errorf("%+v; want it taken, and given back at once", got)
		}
	})
}

// slowToAnswer is a store whose answer to Take is worth nothing if nobody waits for it.
type slowToAnswer struct{ job.Store }

func (s slowToAnswer) Take(ctx context.Context, w job.Want) (job.Taken, error) {
	taken, err := s.Store.Take(ctx, w)
	time.Sleep(2 * time.Second)
	if ctx.Err() != nil {
		return job.Taken{}, ctx.Err()
	}
	return taken, err
}

// A job that is enqueued while the runner waits is taken at once, and one that failed when it is due again.
func TestLooksInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		var begun time.Time
		r := newRig(t, job.Handler{
			Policy: &retry.Policy{Backoff: backoff.Constant{Wait: 7 * time.Millisecond, Jitter: backoff.None}},
			Steps: []job.Step{{Effect: job.Safe, Do: func(context.Context, *job.Task) error {
				at = append(at, time.Since(begun))
				return errBusy
			}}},
		})
		r.runner.Workers, r.runner.Poll = 4, time.Hour
		stop := start(t, r.runner)
		time.Sleep(time.Second)
		begun = time.Now()
		r.enqueue("j")
		time.Sleep(time.Second)
		stop()
		if want := []time.Duration{0, 7 * time.Millisecond, 14 * time.Millisecond}; !slices.Equal(at, want) {
			t.Errorf("attempts at %v; want %v", at, want)
		}
	})
}

// Every answer of the store gets lost once: nothing is done twice, and nothing is left undone.
func TestLostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, method := range []string{"Take", "Renew", "Save", "Ack", "Nack", "Park"} {
			for nth := range 9 {
				var log []string
				n := 0
				tries := map[string]int{}
				r := newRig(t, job.Handler{Policy: &retry.Policy{MaxAttempts: 5}, Steps: steps(3, job.Unsafe, &log, func(ctx context.Context, i int, task *job.Task) error {
					time.Sleep(job.DefaultLease / 2)
					tries[task.Key()]++
					if i == 2 && tries[task.Key()] == 1 {
						return retry.Mark(errBusy, retry.Transient)
					}
					if i == 3 {
						return retry.Mark(errBusy, retry.Permanent)
					}
					task.Keep([]byte(task.Key()))
					return task.Save(ctx, []byte("within"))
				})})
				r.store.After = func(m string) error {
					if m == method {
						if n++; n == nth+1 {
							return errors.New("answer lost")
						}
					}
					return nil
				}
				r.enqueue("j")
				r.run(10 * time.Minute)
				got := r.see("j", job.Failed)
				if s := strings.Join(log, ""); s != "1223" || got.Step != 2 || string(got.State) != "j/2" {
					t.Errorf("answer %d of %s lost: ran %q, %+v; want 1223 and the state after step 2", nth, method, s, got.Checkpoint)
				}
				ends := slices.DeleteFunc(r.events, func(e job.Event) bool { return e.Kind != job.Ended })
				if len(ends) != 1 {
					t.Errorf("answer %d of %s lost: %d ends; want 1", nth, method, len(ends))
				}
			}
		}
	})
}

// The answers to the last report get lost for longer than a renewal would take. The renewals that a job that ended
// would be refused must not make it look lost.
func TestLostAnswersToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		r := newRig(t, job.Handler{Steps: steps(1, job.Safe, &log, nil)})
		begun := time.Now()
		r.store.After = func(m string) error {
			if m == "Ack" && time.Since(begun) < job.DefaultLease*2 {
				return errors.New("answer lost")
			}
			return nil
		}
		r.enqueue("j")
		r.run(3 * time.Minute)
		r.see("j", job.Done)
		r.events = slices.CompactFunc(r.events, func(a, b job.Event) bool { return a.Kind == b.Kind })
		r.tells("began", "store failed", "ended")
	})
}

// A save whose answer went unheard is found out about before the next.
func TestSaveInDoubt(t *testing.T) {
	for _, test := range []struct {
		name string
		then func(r *rig)
		want error
	}{
		{"it was made", func(*rig) {}, nil},
		{"the job was taken", func(r *rig) { r.steal("j") }, job.ErrLeaseLost},
		{"the job was forgotten", func(r *rig) {
			r.store.Ack(context.Background(), r.steal("j"))
			r.store.Forget(context.Background(), 0, 1)
		}, job.ErrLeaseLost},
		{"the store is away", func(r *rig) {
			r.failing.Store(new("Load"))
		}, retry.ErrDeadline},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, job.Handler{})
				r.store.Before = func(m string) error {
					if at := r.failing.Load(); at != nil && *at == m {
						return errBusy
					}
					return nil
				}
				var lost atomic.Bool
				r.store.After = func(m string) error {
					if m == "Save" && lost.Load() {
						return errors.New("answer lost")
					}
					return nil
				}
				var got error
				ran := false
				r.runner.Handlers["k"] = job.Handler{Steps: []job.Step{{Effect: job.Safe, Do: func(ctx context.Context, task *job.Task) error {
					if ran {
						return nil
					}
					ran = true
					lost.Store(true)
					short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
					defer cancel()
					if err := task.Save(short, []byte("one")); !errors.Is(err, retry.ErrDeadline) {
						t.Errorf("Save() = %v; want the deadline", err)
					}
					if task.State() != nil {
						t.Errorf("State() = %q; want none yet", task.State())
					}
					lost.Store(false)
					test.then(r)
					short, cancel = context.WithTimeout(ctx, 5*time.Second)
					defer cancel()
					got = task.Save(short, []byte("two"))
					return nil
				}}}}
				r.enqueue("j")
				r.run(time.Second * 20)
				if !errors.Is(got, test.want) {
					t.Errorf("the next Save() = %v; want %v", got, test.want)
				}
			})
		})
	}
}

// steal ends the lease of a job, and takes it.
func (r *rig) steal(id string) job.Lease {
	ctx := context.Background()
	got, _ := r.store.Load(ctx, id)
	r.store.Renew(ctx, got.Lease(), 0)
	taken, err := r.store.Take(ctx, job.Want{Worker: "thief", Kinds: []string{"k"}, Max: 1, Lease: 24 * time.Hour})
	if err != nil || len(taken.Jobs) != 1 {
		r.t.Fatalf("steal: %v, %v", taken, err)
	}
	return taken.Jobs[0].Lease()
}

// The lease may get lost at any point: whoever lost it leaves the job alone.
func TestLeaseLostAnywhere(t *testing.T) {
	for _, method := range []string{"Save", "Ack", "Nack", "Park"} {
		for nth := range 6 {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, job.Handler{})
				n := 0
				failures := 0
				var log []string
				r.runner.Handlers["k"] = job.Handler{Policy: &retry.Policy{Backoff: backoff.Constant{Wait: time.Second, Jitter: backoff.None}}, Steps: steps(2, job.Unsafe, &log, func(_ context.Context, i int, _ *job.Task) error {
					if failures++; failures == 1 {
						return retry.Mark(errBusy, retry.Transient)
					}
					if method == "Park" && i == 2 {
						return errBusy
					}
					return nil
				})}
				stolen := false
				r.store.Before = func(m string) error {
					if m == method {
						if n++; n == nth+1 {
							stolen = true
							r.steal("j")
						}
					}
					return nil
				}
				r.enqueue("j")
				r.run(time.Minute)
				last := r.events[len(r.events)-1].Kind
				if stolen && last != job.LeaseLost || !stolen && last != job.Ended {
					t.Errorf("stolen at %s %d: events %q", method, nth, r.kinds())
				}
			})
		}
	}
}
