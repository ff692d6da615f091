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

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/job"
	"github.com/relent-go/relent/work/job/jobtest"
)

var errBusy = errors.New("busy")

// A rig is a store, a runner of jobs of the kind "k", and what they told.
type rig struct {
	t      *testing.T
	store  *jobtest.Model
	runner *job.Runner

	failing atomic.Pointer[string] // the method that fails, where a test says so

	mu     sync.Mutex
	events []job.Event
}

func newRig(t *testing.T, h job.Handler) *rig {
	r := &rig{t: t, store: &jobtest.Model{}}
	r.runner = r.another(h)
	return r
}

// another returns a further runner on the same store.
func (r *rig) another(h job.Handler) *job.Runner {
	return &job.Runner{Store: r.store, Handlers: map[string]job.Handler{"k": h}, Name: "w", Observe: r.observe}
}

func (r *rig) observe(_ context.Context, e job.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// kinds returns the kinds of the events told so far.
func (r *rig) kinds() (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		list = append(list, e.Kind.String())
	}
	return list
}

func (r *rig) enqueue(id string) {
	r.t.Helper()
	if err := r.runner.Enqueue(r.t.Context(), job.Job{ID: id, Kind: "k"}); err != nil {
		r.t.Fatal(err)
	}
}

// start runs a runner until stop is called, which returns when Run has.
func start(t *testing.T, r *job.Runner) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v; want nil", err)
		}
	}
}

// run lets the runner run for d.
func (r *rig) run(d time.Duration) {
	stop := start(r.t, r.runner)
	time.Sleep(d)
	synctest.Wait()
	stop()
}

// see compares the status of a job.
func (r *rig) see(id string, want job.Status) job.Record {
	r.t.Helper()
	got, err := r.store.Load(context.Background(), id)
	if err != nil || got.Status != want {
		r.t.Errorf("the job %q is %v, %v; want %v; its history: %+v", id, got.Status, err, want, got.History)
	}
	return got
}

// tells complains unless the events are these.
func (r *rig) tells(want ...string) {
	r.t.Helper()
	if got := r.kinds(); !slices.Equal(got, want) {
		r.t.Errorf("events: %q; want %q", got, want)
	}
}

// steps returns n steps that log their names, and call do if it is not nil.
func steps(n int, effect job.Effect, log *[]string, do func(ctx context.Context, i int, t *job.Task) error) (list []job.Step) {
	var mu sync.Mutex
	for i := range n {
		list = append(list, job.Step{Effect: effect, Do: func(ctx context.Context, t *job.Task) error {
			mu.Lock()
			*log = append(*log, fmt.Sprint(i+1))
			mu.Unlock()
			if do == nil {
				return nil
			}
			return do(ctx, i+1, t)
		}})
	}
	return list
}

var second = backoff.Constant{Wait: time.Second, Jitter: backoff.None}

func TestJobIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		var told []retry.Event
		r := newRig(t, job.Handler{
			Policy: &retry.Policy{Observer: observer(func(e retry.Event) { told = append(told, e) })},
			Steps:  steps(3, job.Safe, &log, nil),
		})
		r.enqueue("a")
		r.run(time.Second)
		if got := r.see("a", job.Done); got.Step != 3 || got.Attempts != 1 || strings.Join(log, "") != "123" {
			t.Errorf("step %d, %d attempts, ran %v; want 3, 1 and each step once", got.Step, got.Attempts, log)
		}
		r.tells("began", "ended")
		if len(told) != 1 || !told[0].Succeeded() || told[0].Attempts != 1 || told[0].Call == 0 {
			t.Errorf("the policy's observer was told %+v; want one good end", told)
		}
	})
}

// W3: a job killed after step 2 of 5 was saved goes on at 3.
func TestW3ResumesAtTheStepAfterTheLastSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		killed := false
		r := newRig(t, job.Handler{Steps: steps(5, job.Idempotent, &log, func(ctx context.Context, i int, _ *job.Task) error {
			if i == 3 && !killed {
				killed = true
				<-ctx.Done() // dead: the store hears no more of this worker
			}
			return nil
		})})
		var dead atomic.Bool
		r.store.Before = func(string) error {
			if dead.Load() {
				return errors.New("dead")
			}
			return nil
		}
		r.enqueue("a")
		stop := start(t, r.runner)
		time.Sleep(time.Second)
		dead.Store(true)
		stop()
		dead.Store(false)
		if got := strings.Join(log, ""); got != "123" {
			t.Fatalf("ran %q before the kill; want 123", got)
		}
		log = nil
		time.Sleep(job.DefaultLease)
		r.run(time.Second)
		if got := strings.Join(log, ""); got != "345" {
			t.Errorf("ran %q after the kill; want 345: steps 1 and 2 were saved", got)
		}
		if got := r.see("a", job.Done); got.Attempts != 2 || got.History[0].How != job.Unreported {
			t.Errorf("history: %+v; want an unreported attempt and an acked one", got.History)
		}
		r.events = slices.CompactFunc(r.events, func(a, b job.Event) bool { return a.Kind == b.Kind })
		r.tells("began", "store failed", "lease lost", "began", "ended")
	})
}

func TestRetriesByPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		begun := time.Now()
		r := newRig(t, job.Handler{
			Policy: &retry.Policy{MaxAttempts: 4, Backoff: backoff.Exponential{Base: time.Second, Jitter: backoff.None}},
			Steps: []job.Step{{Effect: job.Safe, Do: func(ctx context.Context, task *job.Task) error {
				at = append(at, time.Since(begun))
				return retry.Mark(fmt.Errorf("attempt %d: %w", task.Attempt(), errBusy), retry.Transient)
			}}},
		})
		r.enqueue("a")
		r.run(time.Minute)
		if want := []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("attempts at %v; want %v", at, want)
		}
		got := r.see("a", job.Failed)
		var errs []string
		for _, a := range got.History {
			errs = append(errs, fmt.Sprint(a.How, " ", a.Class, " ", a.Err))
		}
		want := []string{"nacked transient attempt 1: busy", "nacked transient attempt 2: busy", "nacked transient attempt 3: busy", "parked transient attempts exhausted: attempt 4: busy"}
		if !slices.Equal(errs, want) {
			t.Errorf("the history is %q; want %q", errs, want)
		}
		r.tells("began", "retrying", "began", "retrying", "began", "retrying", "began", "ended")
	})
}

// What a failure means, for each effect.
func TestEnds(t *testing.T) {
	exhausted := &retry.Error{Reason: retry.ErrExhausted, Last: errBusy, Unknown: true}
	for name, test := range map[string]struct {
		effect job.Effect
		policy retry.Policy
		err    error
		want   job.Status
		reason error
		ran    int
	}{
		"permanent":                        {job.Unsafe, retry.Policy{}, retry.Mark(errBusy, retry.Permanent), job.Failed, retry.ErrPermanent, 1},
		"ambiguous, unsafe":                {job.Unsafe, retry.Policy{Idempotent: true}, errBusy, job.Unknown, retry.ErrAmbiguous, 1},
		"unheard of effect":                {77, retry.Policy{}, errBusy, job.Unknown, retry.ErrAmbiguous, 1},
		"ambiguous, idempotent":            {job.Idempotent, retry.Policy{}, errBusy, job.Unknown, retry.ErrExhausted, 3},
		"ambiguous, safe":                  {job.Safe, retry.Policy{}, errBusy, job.Failed, retry.ErrExhausted, 3},
		"transient, unsafe":                {job.Unsafe, retry.Policy{}, retry.Mark(errBusy, retry.Transient), job.Failed, retry.ErrExhausted, 3},
		"no such class":                    {job.Unsafe, retry.Policy{Classify: func(error) retry.Class { return 9 }}, errBusy, job.Failed, retry.ErrPermanent, 1},
		"open in a call below":             {job.Unsafe, retry.Policy{}, retry.Mark(exhausted, retry.Permanent), job.Unknown, retry.ErrAmbiguous, 1},
		"open in a call below, idempotent": {job.Idempotent, retry.Policy{}, retry.Mark(exhausted, retry.Permanent), job.Unknown, retry.ErrPermanent, 1},
		"declined":                         {job.Safe, retry.Policy{RetryIf: func(error) bool { return false }}, errBusy, job.Failed, retry.ErrDeclined, 1},
		"one attempt":                      {job.Safe, retry.Policy{MaxAttempts: -1}, errBusy, job.Failed, retry.ErrExhausted, 1},
		"no time":                          {job.Safe, retry.Policy{MaxElapsed: time.Second, Backoff: second}, errBusy, job.Failed, retry.ErrElapsed, 1},
		"long hint":                        {job.Safe, retry.Policy{}, retry.After(errBusy, time.Hour), job.Failed, retry.ErrHint, 1},
		"any hint":                         {job.Safe, retry.Policy{MaxHint: -1}, retry.After(errBusy, 1), job.Failed, retry.ErrHint, 1},
		"longest hint":                     {job.Safe, retry.Policy{MaxHint: 1<<63 - 1, MaxElapsed: 1<<63 - 1, Backoff: second}, retry.After(errBusy, 1<<63-1), job.Failed, retry.ErrElapsed, 1},
		"abandoned":                        {job.Unsafe, retry.Policy{}, fmt.Errorf("market closed: %w", job.ErrAbandoned), job.Abandoned, job.ErrAbandoned, 1},
		"validate refuses":                 {job.Safe, retry.Policy{Validate: func(context.Context, retry.Attempt) error { return errBusy }}, retry.Mark(errBusy, retry.Transient), job.Abandoned, retry.ErrInvalid, 1},
		"validate refuses, open":           {job.Idempotent, retry.Policy{Validate: func(context.Context, retry.Attempt) error { return errBusy }}, errBusy, job.Unknown, retry.ErrInvalid, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log []string
				var finished []retry.Event
				test.policy.Observer = observer(func(e retry.Event) { finished = append(finished, e) })
				r := newRig(t, job.Handler{Policy: &test.policy, Steps: steps(1, test.effect, &log, func(context.Context, int, *job.Task) error { return test.err })})
				r.enqueue("a")
				r.run(time.Minute)
				r.see("a", test.want)
				ends := 0
				for _, e := range r.events {
					if e.Kind == job.Ended {
						ends++
						if e.Status != test.want || !errors.Is(e.Reason, test.reason) {
							t.Errorf("ended as %v because of %v; want %v, %v", e.Status, e.Reason, test.want, test.reason)
						}
					}
				}
				if ends != 1 || len(log) != test.ran {
					t.Errorf("ran %d times, ended %d times; want %d and once", len(log), ends, test.ran)
				}
				last := finished[len(finished)-1]
				if last.Kind != retry.Finished || last.Succeeded() || last.Unknown != (test.want == job.Unknown) || !errors.Is(last.Reason, test.reason) {
					t.Errorf("the policy's observer was told %+v; want the end, unknown: %v", last, test.want == job.Unknown)
				}
			})
		})
	}
}

type observer func(retry.Event)

func (o observer) Observe(_ context.Context, e retry.Event) { o(e) }

func TestHintDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		begun := time.Now()
		r := newRig(t, job.Handler{Policy: &retry.Policy{Backoff: second}, Steps: []job.Step{{Do: func(context.Context, *job.Task) error {
			at = append(at, time.Since(begun))
			return retry.After(errBusy, 10*time.Second)
		}}}})
		r.enqueue("a")
		r.run(time.Minute)
		if want := []time.Duration{0, 11 * time.Second, 22 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("attempts at %v; want %v: the hint, and the backoff on top", at, want)
		}
	})
}

// What the strategy is told of the wait before is how long it was.
func TestBackoffKnowsTheLastWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		r := newRig(t, job.Handler{
			Policy: &retry.Policy{MaxAttempts: 4, Rand: func() float64 { return 0.5 }, Backoff: backoff.Func(func(n int, last time.Duration, u float64) time.Duration {
				told = append(told, fmt.Sprint(n, last, u))
				return time.Duration(n) * 300 * time.Millisecond
			})},
			Steps: []job.Step{{Effect: job.Safe, Do: func(context.Context, *job.Task) error { return errBusy }}},
		})
		r.enqueue("a")
		r.run(time.Minute)
		if want := []string{"1 0s 0.5", "2 300ms 0.5", "3 600ms 0.5", "4 900ms 0.5"}; !slices.Equal(told, want) {
			t.Errorf("the strategy was told %q; want %q", told, want)
		}
	})
}
