package job_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/job"
	"github.com/relent-go/relent/work/job/jobtest"
)

func TestTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		see := func(format string, args ...any) { seen = append(seen, fmt.Sprintf(format, args...)) }
		r := newRig(t, job.Handler{})
		first := true
		r.runner.Handlers["k"] = job.Handler{Steps: []job.Step{
			{Name: "load", Effect: job.Safe, Do: func(ctx context.Context, task *job.Task) error {
				see("%s %s %s %d %d %s %q", task.ID(), task.Kind(), task.Payload(), task.Attempt(), task.Fence(), task.Key(), task.State())
				state := []byte("saved")
				if err := task.Save(ctx, state); err != nil {
					return err
				}
				clear(state)
				task.Keep([]byte("kept"))
				if first {
					first = false
					return retry.Mark(errBusy, retry.Transient)
				}
				return nil
			}},
			{Effect: job.Safe, Do: func(ctx context.Context, task *job.Task) error {
				state, err := task.Load(ctx)
				see("%s %q %v", task.Key(), state, err)
				clear(state)
				see("%q", task.State())
				return nil
			}},
		}}
		if err := r.runner.Enqueue(t.Context(), job.Job{ID: "j", Kind: "k", Payload: []byte("p")}); err != nil {
			t.Fatal(err)
		}
		r.runner.Wake()
		r.runner.Wake() // twice is as once
		r.run(time.Minute)
		got := r.see("j", job.Done)
		want := []string{`j k p 1 1 j/load ""`, `j k p 2 2 j/load "saved"`, `j/2 "kept" <nil>`, `"kept"`}
		if fmt.Sprint(seen) != fmt.Sprint(want) || string(got.State) != "kept" || got.Seq != 4 {
			t.Errorf("the steps saw %q; want %q; the checkpoint is %+v", seen, want, got.Checkpoint)
		}
	})
}

// A state that no store keeps leaves open what became of a step that acts, and says why.
func TestStateTooLong(t *testing.T) {
	for effect, want := range map[job.Effect]job.Status{job.Unsafe: job.Unknown, job.Safe: job.Unknown} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, job.Handler{Steps: []job.Step{{Effect: effect, Do: func(_ context.Context, task *job.Task) error {
				task.Keep(make([]byte, job.MaxState+1))
				return nil
			}}}})
			r.enqueue("j")
			r.run(time.Minute)
			if got := r.see("j", want); !strings.Contains(got.History[0].Err, "state is too long") {
				t.Errorf("history %+v; want the reason", got.History)
			}
		})
	}
}

func TestReconcileWithinAnAttempt(t *testing.T) {
	for name, test := range map[string]struct {
		found job.Resolution
		err   error
		want  job.Status
		ran   int
	}{
		"applied":           {job.Applied, errBusy, job.Done, 1},
		"absent, ambiguous": {job.Absent, errBusy, job.Failed, 3},
		"absent, permanent": {job.Absent, retry.Mark(&retry.Error{Unknown: true}, retry.Permanent), job.Failed, 1},
		"undecided":         {job.Undecided, errBusy, job.Unknown, 1},
	} {
		for _, steal := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				var log []string
				r := newRig(t, job.Handler{})
				h := job.Handler{Steps: steps(1, job.Unsafe, &log, func(context.Context, int, *job.Task) error { return test.err })}
				h.Steps[0].Reconcile = func(context.Context, *job.Task) (job.Resolution, error) {
					if steal {
						r.steal("j")
					}
					return test.found, nil
				}
				r.runner.Handlers["k"] = h
				r.enqueue("j")
				r.run(time.Minute)
				if steal {
					r.tells("began", "lease lost")
					return
				}
				r.see("j", test.want)
				if len(log) != test.ran {
					t.Errorf("%s: ran %d times; want %d", name, len(log), test.ran)
				}
			})
		}
	}
}

// The lease may be lost while a step of an attempt before is resolved.
func TestLeaseLostWhileResolving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kill := make(chan struct{})
		h := job.Handler{Steps: []job.Step{{Do: hang(kill)}}}
		r := newRig(t, h)
		r.enqueue("j")
		r.die(h, kill)
		h.Steps[0].Reconcile = func(context.Context, *job.Task) (job.Resolution, error) {
			r.steal("j")
			return job.Absent, nil
		}
		r.run(time.Second)
		r.tells("began", "lease lost")
	})
}

// The lease may be lost between two steps, and while a refusal is undone.
func TestLeaseLostBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		g := &gate{name: "a", log: &log, begin: errClosed}
		r := newRig(t, job.Handler{Policy: &retry.Policy{Gates: []retry.Gate{g}}, Steps: steps(1, job.Unsafe, &log, nil)})
		n := 0
		r.store.Before = func(m string) error {
			if m == "Save" {
				if n++; n == 2 { // the one that takes back that the step began
					r.steal("j")
				}
			}
			return nil
		}
		r.enqueue("j")
		r.run(time.Second)
		r.tells("began", "lease lost")
	})
	synctest.Test(t, func(t *testing.T) {
		var log []string
		r := newRig(t, job.Handler{})
		r.runner.Handlers["k"] = job.Handler{Policy: &retry.Policy{Gates: []retry.Gate{patient{}}}, Steps: steps(1, job.Safe, &log, nil)}
		r.enqueue("j")
		stop := start(t, r.runner)
		synctest.Wait()
		r.steal("j")
		time.Sleep(job.DefaultLease)
		stop()
		r.tells("began", "lease lost")
	})
}

func TestElapsedBeforeAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kill := make(chan struct{})
		h := job.Handler{Policy: &retry.Policy{MaxElapsed: time.Second}, Steps: []job.Step{{Effect: job.Safe, Do: hang(kill)}}}
		r := newRig(t, h)
		r.enqueue("j")
		r.die(h, kill)
		r.run(time.Second)
		if got := r.see("j", job.Failed); got.History[1].Err != retry.ErrElapsed.Error() {
			t.Errorf("history %+v", got.History)
		}
	})
}

func TestValidateAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		n := 0
		var log []string
		r := newRig(t, job.Handler{
			Policy: &retry.Policy{Validate: func(_ context.Context, a retry.Attempt) error {
				asked = append(asked, fmt.Sprint(a.Number, a.Err, a.Class))
				return nil
			}},
			Steps: steps(1, job.Safe, &log, func(context.Context, int, *job.Task) error {
				if n++; n == 1 {
					return retry.Mark(errBusy, retry.Transient)
				}
				return nil
			}),
		})
		r.enqueue("j")
		r.run(time.Minute)
		r.see("j", job.Done)
		if fmt.Sprint(asked) != "[2 busy transient]" {
			t.Errorf("Validate was asked %v; want once, before the retry", asked)
		}
	})
}

// A runner with mistakes takes nothing that it cannot do.
func TestCheck(t *testing.T) {
	var none job.Runner
	if got, want := fmt.Sprint(none.Run(t.Context())), "Store: missing\nHandlers: none"; got != want {
		t.Errorf("Run() = %q; want %q", got, want)
	}
	do := func(context.Context, *job.Task) error { return nil }
	reconcile := func(context.Context, *job.Task) (job.Resolution, error) { return job.Undecided, nil }
	r := job.Runner{Store: &jobtest.Model{}, Handlers: map[string]job.Handler{
		"b": {},
		"a": {Policy: policyless{}, Steps: []job.Step{{Name: "2", Effect: 7}, {Do: do}, {Do: do, Effect: job.Safe, Reconcile: reconcile}}},
		"c": {Policy: &retry.Policy{MaxAttempts: -1}, Steps: []job.Step{{Do: do}}},
	}}
	want := `Handlers["a"]: Steps[0].Do: missing
Steps[0].Effect: 7 counts as unsafe
Steps[1].Name: "2" is that of Steps[0], so that both have one key
Steps[2].Reconcile: never asked, for the step is safe
Handlers["b"]: Steps: none, so these jobs are left to others
Handlers["c"]: Policy: MaxAttempts: -1 is negative and counts as 1`
	if got := fmt.Sprint(r.Check()); got != want {
		t.Errorf("Check() =\n%s\nwant\n%s", got, want)
	}
}

// policyless is a source that has none.
type policyless struct{}

func (policyless) Current() *retry.Policy { return nil }

// A step without a function fails, and a runner has a name and workers of its own.
func TestDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &job.Runner{Store: &jobtest.Model{}, Lease: time.Minute, Poll: 3 * time.Second, Handlers: map[string]job.Handler{"k": {Policy: policyless{}, Steps: make([]job.Step, 1)}, "none": {}}}
		for _, j := range []job.Job{{ID: "a", Kind: "k"}, {ID: "b", Kind: "none"}} {
			if err := r.Enqueue(t.Context(), j); err != nil {
				t.Fatal(err)
			}
		}
		stop := start(t, r)
		time.Sleep(10 * time.Second)
		stop()
		got, err := r.Store.Load(t.Context(), "a")
		if err != nil || got.Status != job.Failed || !strings.Contains(got.History[0].Err, retry.ErrNilFunc.Error()) || strings.Count(got.History[0].Worker, "-") < 2 {
			t.Errorf("%+v, %v; want it failed for want of a function, by a named worker", got, err)
		}
		if got, _ := r.Store.Load(t.Context(), "b"); got.Status != job.Waiting {
			t.Errorf("a job without steps is %v; want it left to others", got.Status)
		}
	})
}

func TestWorkersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, peak := 0, 0
		r := newRig(t, job.Handler{})
		r.runner.Workers = 0
		r.runner.Handlers["k"] = job.Handler{Steps: []job.Step{{Effect: job.Safe, Do: func(context.Context, *job.Task) error {
			r.mu.Lock()
			running++
			peak = max(peak, running)
			r.mu.Unlock()
			time.Sleep(time.Second)
			r.mu.Lock()
			running--
			r.mu.Unlock()
			return nil
		}}}}
		n := 10 * runtime.GOMAXPROCS(0)
		for i := range n {
			r.enqueue(fmt.Sprint(i))
		}
		begun := time.Now()
		stop := start(t, r.runner)
		for {
			time.Sleep(100 * time.Millisecond)
			if done, _ := r.store.List(t.Context(), job.Query{Statuses: []job.Status{job.Done}, Max: n}); len(done) == n {
				break
			}
		}
		took := time.Since(begun)
		stop()
		if peak != runtime.GOMAXPROCS(0) || took > 11*time.Second {
			t.Errorf("%d at one time, all in %v; want %d, in 10s", peak, took, runtime.GOMAXPROCS(0))
		}
	})
}

func TestStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		r := newRig(t, job.Handler{Steps: steps(1, job.Safe, &log, nil)})
		r.runner.Poll = time.Minute
		var mended atomic.Bool
		r.store.Before = func(m string) error {
			if m == "Take" && !mended.Load() {
				return errBusy
			}
			return nil
		}
		r.enqueue("j")
		stop := start(t, r.runner)
		time.Sleep(time.Hour)
		synctest.Wait()
		n := len(r.events)
		if n < 20 || n > 300 || r.events[n-1].Kind != job.StoreFailed || !errors.Is(r.events[n-1].Err, errBusy) {
			t.Errorf("%d looks in an hour, the last told %+v; want one in half a minute or so", n, r.events[n-1])
		}
		mended.Store(true)
		time.Sleep(time.Minute)
		stop()
		r.see("j", job.Done)
	})
}

func TestStrings(t *testing.T) {
	for got, want := range map[string]string{
		fmt.Sprint(job.Waiting, job.Running, job.Done, job.Failed, job.Abandoned, job.Unknown, job.Status(9)): "waiting running done failed abandoned unknown status(9)",
		fmt.Sprint(job.Unreported, job.Redriven, job.How(9)):                                                  "unreported redriven how(9)",
		fmt.Sprint(job.Undecided, job.Applied, job.Absent, job.Resolution(9)):                                 "undecided applied absent resolution(9)",
		fmt.Sprint(job.Unsafe, job.Idempotent, job.Safe, job.Effect(9)):                                       "unsafe idempotent safe unsafe",
		fmt.Sprint(job.Began, job.StoreFailed, job.EventKind(9)):                                              "began store failed event(9)",
	} {
		if got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

func TestJobCheck(t *testing.T) {
	long := strings.Repeat("x", job.MaxID+1)
	for _, test := range []struct {
		j    job.Job
		want string
	}{
		{job.Job{ID: "a", Kind: "k"}, "<nil>"},
		{job.Job{}, "ID: missing\nKind: missing"},
		{job.Job{ID: long, Kind: "\x00"}, "ID: 513 bytes; the limit is 512\nKind: \"\\x00\" is not text"},
		{job.Job{ID: "\xff", Kind: "k", Payload: make([]byte, job.MaxPayload+1)}, "ID: \"\\xff\" is not text\nPayload: 4194305 bytes; the limit is 4194304"},
	} {
		err := test.j.Check()
		if got := fmt.Sprint(err); got != test.want || err != nil && retry.DefaultClassify(err) != retry.Permanent {
			t.Errorf("Check() = %q, %v; want %q, permanent", got, retry.DefaultClassify(err), test.want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct{ err, want string }{
		{"plain", "plain"},
		{"a\x00b\xffc", "a\uFFFDb\uFFFDc"},
		{strings.Repeat("x", job.MaxError-1) + "é", strings.Repeat("x", job.MaxError-1)},
	} {
		if got := (job.Report{Err: test.err}).Cut().Err; got != test.want {
			t.Errorf("Cut(%.20q) = %.20q; want %.20q", test.err, got, test.want)
		}
	}
}

// Whatever an error says, what is kept of it is text, short enough, and kept as it is the next time.
func FuzzCut(f *testing.F) {
	f.Add("plain")
	f.Add("\x00\xff")
	f.Add(strings.Repeat("é", job.MaxError/2) + "é")
	f.Fuzz(func(t *testing.T, text string) {
		got := (job.Report{Err: text}).Cut()
		if len(got.Err) > job.MaxError || !utf8.ValidString(got.Err) || strings.Contains(got.Err, "\x00") || got.Cut() != got {
			t.Errorf("Cut(%q) = %q", text, got.Err)
		}
	})
}

func TestResolve(t *testing.T) {
	open := job.Checkpoint{Seq: 4, Step: 2, Open: true, State: []byte("s")}
	for _, test := range []struct {
		c    job.Checkpoint
		r    job.Resolution
		want string
		err  error
	}{
		{open, job.Applied, "{5 3 false s}", nil},
		{open, job.Absent, "{5 2 false s}", nil},
		{open, job.Undecided, "{4 2 true s}", job.ErrUndecided},
		{open, 9, "{4 2 true s}", job.ErrUndecided},
		{job.Checkpoint{Seq: 1}, job.Applied, "{1 0 false }", nil},
	} {
		got, err := test.c.Resolve(test.r)
		if s := fmt.Sprintf("{%d %d %v %s}", got.Seq, got.Step, got.Open, bytes.TrimSpace(got.State)); s != test.want || !errors.Is(err, test.err) {
			t.Errorf("Resolve(%v) = %s, %v; want %s, %v", test.r, s, err, test.want, test.err)
		}
	}
}
