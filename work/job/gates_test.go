package job_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/job"
)

var errClosed = errors.New("closed")

// gate logs what it is asked and told, and refuses where it is told to.
type gate struct {
	name   string
	log    *[]string
	admit  error
	begin  error
	onlyAt int // the number of the attempts that begin is for; 0 for all
}

func (g *gate) Admit(_ context.Context, a *retry.Attempt) error {
	*g.log = append(*g.log, fmt.Sprintf("%s admit %d", g.name, a.Number))
	if (a.Number > 1) != (a.Err != nil) || a.Err != nil && a.Class != retry.Transient {
		*g.log = append(*g.log, fmt.Sprintf("after %v, %v", a.Err, a.Class))
	}
	a.Keep(uint64(len(g.name)))
	return g.admit
}

func (g *gate) Start(_ context.Context, a *retry.Attempt) error {
	*g.log = append(*g.log, fmt.Sprintf("%s start", g.name))
	if g.onlyAt == 0 || g.onlyAt == a.Number {
		return g.begin
	}
	return nil
}

func (g *gate) Settle(a *retry.Attempt, o *retry.Outcome) {
	if a.Kept() != uint64(len(g.name)) {
		*g.log = append(*g.log, "lost its note")
	}
	*g.log = append(*g.log, fmt.Sprintf("%s settle %v", g.name, o.State))
	if o.State != retry.NotStarted && o.State != retry.Panicked && (o.Start.IsZero() || o.End.Before(o.Start)) {
		*g.log = append(*g.log, "lost the time")
	}
}

func TestGates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		errs := []error{retry.Mark(errBusy, retry.Transient), nil, nil}
		r := newRig(t, job.Handler{
			Policy: &retry.Policy{Backoff: second, Gates: []retry.Gate{&gate{name: "a", log: &log}, nil, &gate{name: "bb", log: &log}}},
			Steps: steps(2, job.Unsafe, &log, func(context.Context, int, *job.Task) error {
				err := errs[0]
				errs = errs[1:]
				return err
			}),
		})
		r.enqueue("j")
		r.run(time.Minute)
		r.see("j", job.Done)
		want := []string{
			"a admit 1", "bb admit 1", "bb start", "a start", "1", "bb settle failed", "a settle failed",
			"a admit 2", "bb admit 2", "bb start", "a start", "1", "bb settle succeeded", "a settle succeeded",
			"a admit 1", "bb admit 1", "bb start", "a start", "2", "bb settle succeeded", "a settle succeeded",
		}
		if !slices.Equal(log, want) {
			t.Errorf("the gates saw\n%q; want\n%q", log, want)
		}
	})
}

// stop is a gate that is a stop switch, and waits to be asked.
type stop struct{ gate }

func (*stop) Halted(*retry.Attempt) context.Context { return context.Background() }

// waiting is a gate that takes its time.
type waiting struct {
	gate
	begins []time.Duration // from admission to Start
}

func (w *waiting) Start(ctx context.Context, a *retry.Attempt) error {
	w.begins = append(w.begins, a.Begins.Sub(a.At))
	time.Sleep(time.Second)
	return w.gate.Start(ctx, a)
}

// A stop has the last word wherever it stands, and each gate is told when it is asked.
func TestStopHasTheLastWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		first, second := &waiting{gate: gate{name: "a", log: &log}}, &waiting{gate: gate{name: "bb", log: &log}}
		r := newRig(t, job.Handler{Policy: &retry.Policy{Gates: []retry.Gate{first, &stop{gate{name: "stop", log: &log}}, second}}, Steps: steps(1, job.Safe, &log, nil)})
		r.enqueue("j")
		r.run(time.Minute)
		if want := []string{"a admit 1", "stop admit 1", "bb admit 1", "bb start", "a start", "stop start", "1"}; !slices.Equal(log[:7], want) {
			t.Errorf("the gates saw %q; want %q", log, want)
		}
		if !slices.Equal(append(second.begins, first.begins...), []time.Duration{0, time.Second}) {
			t.Errorf("asked %v and %v after admission; want 0 and 1s", second.begins, first.begins)
		}
	})
}

// A step that ends because the runner stops says nothing about the other side.
func TestGatesHearOfAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		r := newRig(t, job.Handler{
			Policy: &retry.Policy{Gates: []retry.Gate{&gate{name: "a", log: &log}}},
			Steps: []job.Step{{Effect: job.Safe, Do: func(ctx context.Context, _ *job.Task) error {
				<-ctx.Done()
				return ctx.Err()
			}}},
		})
		r.enqueue("j")
		r.run(time.Second)
		if want := []string{"a admit 1", "a start", "a settle canceled"}; !slices.Equal(log, want) {
			t.Errorf("the gate saw %q; want %q", log, want)
		}
	})
}

// A gate that names a time is not asked before.
func TestRefusalWithAHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		g := &gate{name: "a", log: &log, admit: retry.After(errClosed, time.Hour)}
		r := newRig(t, job.Handler{Policy: &retry.Policy{Gates: []retry.Gate{g}}, Steps: steps(1, job.Safe, &log, nil)})
		r.enqueue("j")
		r.run(59 * time.Minute)
		if len(log) != 1 {
			t.Errorf("asked %d times within the hour; want once", len(log))
		}
		g.admit = retry.After(errClosed, 0)
		r.runner.Handlers["k"] = job.Handler{Policy: &retry.Policy{Gates: []retry.Gate{g}, Backoff: backoff.Constant{}}, Steps: steps(1, job.Safe, &log, nil)}
		r.run(time.Minute + time.Second)
		if n := len(log); n < 50 || n > 110 {
			t.Errorf("asked %d times in a second without a backoff; want a pause of 10 ms", n)
		}
	})
}

// A refusal is no attempt: the job comes back, as long as it takes.
func TestRefusals(t *testing.T) {
	for _, where := range []string{"admit", "start"} {
		t.Run(where, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log, ran []string
				first, second := &gate{name: "a", log: &log}, &gate{name: "bb", log: &log}
				if where == "admit" {
					second.admit = errClosed
				} else {
					first.begin = errClosed
				}
				r := newRig(t, job.Handler{
					Policy: &retry.Policy{MaxAttempts: 1, Gates: []retry.Gate{first, second}, Backoff: backoff.Exponential{Jitter: backoff.None}},
					Steps:  steps(1, job.Unsafe, &ran, nil),
				})
				r.enqueue("j")
				r.run(10 * time.Minute)
				got := r.see("j", job.Waiting)
				if len(ran) != 0 || got.Attempts != 0 || got.Open || got.History[0].How != job.Interrupted || got.History[0].Err != "closed" {
					t.Errorf("%+v, ran %v; want it waiting, no attempt counted, with the reason", got, ran)
				}
				if n := len(got.History); n != 28 {
					t.Errorf("%d refusals in 10 minutes; want 28, with the backoff between them", n)
				}
				first.begin, second.admit = nil, nil
				r.run(2 * time.Minute)
				r.see("j", job.Done)
				if kinds := r.kinds(); kinds[0] != "began" || kinds[1] != "refused" || kinds[len(kinds)-1] != "ended" {
					t.Errorf("events: %q", kinds)
				}
			})
		})
	}
}

// When Stop has returned, no step begins, not even the next one of a job under way.
func TestStopSwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		stops := &halt.Tree{}
		r := newRig(t, job.Handler{
			Policy: &retry.Policy{Gates: []retry.Gate{stops.Gate("desk", "job")}},
			Steps: steps(2, job.Safe, &log, func(_ context.Context, i int, _ *job.Task) error {
				if i == 1 {
					stops.Stop(halt.Command{Scope: "desk", Who: "ops1"})
				}
				return nil
			}),
		})
		r.enqueue("j")
		r.run(time.Minute)
		if got := r.see("j", job.Waiting); len(log) != 1 || got.Step != 1 {
			t.Errorf("ran %v, %d steps saved; want step 1 only", log, got.Step)
		}
	})
}

func TestAttemptTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var causes []error
		var previous []int
		r := newRig(t, job.Handler{
			Policy: &retry.Policy{MaxAttempts: 2, AttemptTimeout: time.Second},
			Steps: []job.Step{{Effect: job.Idempotent, Do: func(ctx context.Context, _ *job.Task) error {
				<-ctx.Done()
				causes = append(causes, context.Cause(ctx))
				previous = append(previous, retry.PreviousAttempts(ctx))
				return ctx.Err()
			}}},
		})
		r.enqueue("j")
		r.run(time.Minute)
		r.see("j", job.Unknown)
		if len(causes) != 2 || !errors.Is(causes[0], retry.ErrAttemptTimeout) || !slices.Equal(previous, []int{0, 1}) {
			t.Errorf("causes %v, previous attempts %v; want the timeout's, and 0, 1", causes, previous)
		}
	})
}

// A panic rises from Run, after the others have come to their end, and leaves its trace in the history.
func TestPanic(t *testing.T) {
	for name, test := range map[string]struct {
		do    func()
		value any
		text  string
	}{
		"panic":  {func() { panic("oh") }, "oh", `job "j" panicked: oh`},
		"goexit": {runtime.Goexit, nil, `job "j" ended its goroutine`},
	} {
		synctest.Test(t, func(t *testing.T) {
			var log []string
			r := newRig(t, job.Handler{
				Policy: &retry.Policy{MaxAttempts: 2, Backoff: second, Gates: []retry.Gate{&gate{name: "a", log: &log}}},
				Steps:  []job.Step{{Effect: job.Unsafe, Do: func(context.Context, *job.Task) error { time.Sleep(time.Second); test.do(); return nil }}},
			})
			r.runner.Grace = time.Hour
			r.enqueue("j")
			quiet := make(chan struct{})
			r.runner.Handlers["other"] = job.Handler{Steps: []job.Step{{Effect: job.Safe, Do: func(ctx context.Context, _ *job.Task) error {
				<-ctx.Done()
				close(quiet)
				return ctx.Err()
			}}}}
			if err := r.runner.Enqueue(t.Context(), job.Job{ID: "o", Kind: "other"}); err != nil {
				t.Fatal(err)
			}
			var p *job.Panic
			begun := time.Now()
			func() {
				defer func() { p, _ = recover().(*job.Panic) }()
				r.runner.Workers = 2
				r.runner.Run(t.Context())
			}()
			if p == nil || p.Value != test.value || p.Job != "j" || p.Error()[:len(test.text)] != test.text {
				t.Fatalf("%s: Run panicked with %v; want %s", name, p, test.text)
			}
			<-quiet // it was told, and waited for
			if took := time.Since(begun); took != time.Second {
				t.Errorf("%s: Run took %v; want 1s, without grace", name, took)
			}
			r.see("o", job.Waiting)
			if got := r.see("j", job.Waiting); got.History[0].Err != test.text || !got.Open {
				t.Errorf("%+v; want the panic in the history, and the step open", got)
			}
			if log[len(log)-1] != "a settle panicked" {
				t.Errorf("the gate saw %q; want it settled", log)
			}
			time.Sleep(time.Minute)
			delete(r.runner.Handlers, "other")
			r.run(time.Second) // the next attempt finds the step open
			r.see("j", job.Unknown)
		})
	}
}
