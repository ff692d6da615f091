package retry_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
)

func gates(log *[]string, refuseB int) []retry.Gate {
	return []retry.Gate{
		&fakeGate{name: "a", log: log},
		nil,
		&fakeGate{name: "b", log: log, refuse: refuseB, err: refused},
		&fakeGate{name: "c", log: log},
	}
}

func TestGatesAreAskedInOrderAndSettledInReverse(t *testing.T) {
	for _, test := range []struct {
		name   string
		refuse int
		errs   []error
		want   []string
	}{
		{"success", 0, nil,
			[]string{"a admits 1", "b admits 1", "c admits 1", "c settles 1 succeeded", "b settles 1 succeeded", "a settles 1 succeeded"}},
		{"first attempt refused", 1, nil,
			[]string{"a admits 1", "b refuses 1", "a settles 1 not started"}},
		{"retry refused", 2, []error{transient},
			[]string{"a admits 1", "b admits 1", "c admits 1", "c settles 1 failed", "b settles 1 failed", "a settles 1 failed",
				"a admits 2", "b refuses 2", "a settles 2 not started"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log []string
				fn, calls := script(test.errs...)
				start := time.Now()
				err := retry.Run(t.Context(), &retry.Policy{Gates: gates(&log, test.refuse), Backoff: second}, fn)
				if !slices.Equal(log, test.want) {
					t.Errorf("log %q; want %q", log, test.want)
				}
				if test.refuse > 0 && (!errors.Is(err, refused) || *calls != test.refuse-1) {
					t.Errorf("%v after %d calls; want the refusal", err, *calls)
				}
				if test.refuse == 2 && !errors.Is(err, errPlain) {
					t.Errorf("%v; want the last cause, too", err)
				}
				if time.Since(start) != 0 {
					t.Errorf("a refusal was slept for: %v", time.Since(start))
				}
			})
		})
	}
}

func TestGatesAreToldWhatHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &fakeGate{}
		p := &retry.Policy{Name: "a.b", Gates: []retry.Gate{g}, Backoff: second, Idempotent: true}
		start := time.Now()
		n := 0
		retry.Run(t.Context(), p, func(context.Context) error {
			time.Sleep(100 * time.Millisecond)
			if n++; n == 1 {
				return errPlain
			}
			return nil
		})
		if len(g.in) != 2 || len(g.out) != 2 {
			t.Fatalf("admitted %d, settled %d; want 2 each", len(g.in), len(g.out))
		}
		first, next := g.in[0], g.in[1]
		if first.Number != 1 || first.Policy != p || !first.At.Equal(start) || first.Err != nil || first.Wait != 0 {
			t.Errorf("first attempt %+v", first)
		}
		if next.Number != 2 || next.Call != first.Call || next.Err != errPlain || next.Class != retry.Ambiguous || !next.Unknown ||
			next.Wait != time.Second || next.At.Sub(start) != 100*time.Millisecond {
			t.Errorf("second attempt %+v", next)
		}
		failed, succeeded := g.out[0], g.out[1]
		if failed.Err != errPlain || failed.Elapsed() != 100*time.Millisecond || failed.End.IsZero() {
			t.Errorf("failure %+v", failed)
		}
		if succeeded.Err != nil || !succeeded.End.IsZero() || succeeded.Start.Sub(start) != 1100*time.Millisecond {
			t.Errorf("success %+v", succeeded)
		}
		if (retry.Outcome{}).Elapsed() != 0 || (retry.Outcome{Start: start.Add(-time.Second)}).Elapsed() == 0 {
			t.Error("Elapsed of an attempt that never began, or has no end yet")
		}
	})
}

// Every admitted attempt is settled exactly once, and every call reported exactly once, however it ends.
func TestSettledOnceHoweverACallEnds(t *testing.T) {
	boom := "boom"
	ends := map[string]func(context.Context) error{
		"success": func(context.Context) error { return nil },
		"failure": func(context.Context) error { return transient },
		"panic":   func(context.Context) error { panic(boom) },
		"Goexit":  func(context.Context) error { runtime.Goexit(); return nil },
	}
	for name, end := range ends {
		for i := range 6 {
			last, gatesOnly := 1+i/2, i%2 == 0
			t.Run(fmt.Sprintf("%s of attempt %d/gates only %v", name, last, gatesOnly), func(t *testing.T) {
				g, h, r := &fakeGate{}, &fakeGate{}, &recorder{}
				p := &retry.Policy{Gates: []retry.Gate{g, h}, Backoff: immediate}
				if !gatesOnly {
					p.Observer, p.AttemptTimeout, p.MaxElapsed = r, time.Minute, time.Hour
				}
				n := 0
				done := make(chan any)
				go func() {
					defer func() { done <- recover() }()
					retry.Run(t.Context(), p, func(ctx context.Context) error {
						if n++; n < last {
							return transient
						}
						return end(ctx)
					})
				}()
				if got := <-done; name == "panic" && got != boom {
					t.Errorf("recovered %v; want the function's own panic", got)
				}
				for _, g := range []*fakeGate{g, h} {
					if len(g.in) != len(g.out) {
						t.Errorf("%d admitted, %d settled", len(g.in), len(g.out))
					}
				}
				ended := name == "panic" || name == "Goexit"
				if got := g.out[len(g.out)-1].State; (got == retry.Panicked) != ended {
					t.Errorf("the gates were told %v", got)
				}
				if gatesOnly {
					return
				}
				if r.finished() != 1 {
					t.Errorf("%d terminal events; want 1", r.finished())
				}
				if ended {
					e := r.events[len(r.events)-1]
					if e.State != retry.Panicked || e.Reason != retry.ErrPanicked || !e.Unknown {
						t.Errorf("told %+v; want panicked, outcome unknown", e)
					}
				}
			})
		}
	}
}

// A panic in one of the caller's other functions is settled, reported and raised, too.
func TestPanicsOfParts(t *testing.T) {
	boom := func() { panic("boom") }
	for name, change := range map[string]func(*retry.Policy){
		"Classify": func(p *retry.Policy) { p.Classify = func(error) retry.Class { boom(); return 0 } },
		"RetryIf":  func(p *retry.Policy) { p.RetryIf = func(error) bool { boom(); return true } },
		"Validate": func(p *retry.Policy) { p.Validate = func(context.Context, retry.Attempt) error { boom(); return nil } },
		"Rand":     func(p *retry.Policy) { p.Backoff = nil; p.Rand = func() float64 { boom(); return 0 } },
		"Admit":    func(p *retry.Policy) { p.Gates = append(p.Gates, &panicky{admit: true}) },
		"Settle":   func(p *retry.Policy) { p.Gates = append(p.Gates, &panicky{}) },
		"Observe": func(p *retry.Policy) {
			p.Observer = retry.Observers{p.Observer, observerFunc(func(retry.Event) { boom() })}
		},
		"Settle of a success": func(p *retry.Policy) { p.Gates, p.Classify = append(p.Gates, &panicky{}), nil },
	} {
		t.Run(name, func(t *testing.T) {
			g, r := &fakeGate{}, &recorder{}
			p := &retry.Policy{Gates: []retry.Gate{g}, Observer: r, Backoff: immediate}
			change(p)
			fn, _ := always(transient)
			if strings.HasSuffix(name, "success") {
				fn, r = nothing, nil
				p.Observer = nil
			}
			func() {
				defer func() {
					if recover() != "boom" {
						t.Error("the panic did not rise")
					}
				}()
				retry.Run(t.Context(), p, fn)
			}()
			if len(g.in) != len(g.out) {
				t.Errorf("%d admitted, %d settled", len(g.in), len(g.out))
			}
			if last := g.out[len(g.out)-1].State; strings.HasPrefix(name, "Settle") && last != retry.Panicked {
				t.Errorf("told %v, though the attempt ran; want panicked", last)
			}
			if r != nil && r.finished() != 1 {
				t.Errorf("%d terminal events; want 1", r.finished())
			}
			if name == "RetryIf" {
				if e := r.events[len(r.events)-1]; e.State != retry.Failed || e.Unknown {
					t.Errorf("event %+v; want failed and not unknown, since no attempt was running", e)
				}
			}
		})
	}
}

type panicky struct{ admit bool }

func (p *panicky) Admit(context.Context, *retry.Attempt) error {
	if p.admit {
		panic("boom")
	}
	return nil
}

func (p *panicky) Settle(*retry.Attempt, *retry.Outcome) {
	if !p.admit {
		panic("boom")
	}
}

type observerFunc func(retry.Event)

func (f observerFunc) Observe(_ context.Context, e retry.Event) { f(e) }

// R3: state is validated before the wait, so that nothing sleeps in vain, and again after it.
func TestValidate(t *testing.T) {
	obsolete := errors.New("price moved")
	for _, test := range []struct {
		name  string
		from  time.Duration // since when the state is not valid any more
		at    time.Duration // when the call notices
		calls int
	}{
		{"before the wait", 0, 0, 1},
		{"during the first wait", 500 * time.Millisecond, time.Second, 1},
		{"during the second wait", 1500 * time.Millisecond, 2 * time.Second, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				g := &fakeGate{}
				var asked []retry.Attempt
				p := &retry.Policy{Backoff: second, Gates: []retry.Gate{g}, Validate: func(_ context.Context, a retry.Attempt) error {
					asked = append(asked, a)
					if time.Since(start) >= test.from {
						return obsolete
					}
					return nil
				}}
				fn, calls := always(transient)
				err := retry.Run(t.Context(), p, fn)
				if *calls != test.calls || !errors.Is(err, obsolete) || !errors.Is(err, retry.ErrInvalid) || time.Since(start) != test.at {
					t.Errorf("%d calls, %v after %v; want %d and %v at %v", *calls, err, time.Since(start), test.calls, obsolete, test.at)
				}
				if len(g.in) != len(g.out) {
					t.Errorf("%d admitted, %d settled", len(g.in), len(g.out))
				}
				if a := asked[0]; a.Number != 2 || a.Err != transient || a.Wait != time.Second {
					t.Errorf("asked about %+v", a)
				}
			})
		})
	}
	t.Run("still valid", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			p := &retry.Policy{Validate: func(context.Context, retry.Attempt) error { asked++; return nil }}
			fn, calls := script(transient)
			if err := retry.Run(t.Context(), p, fn); err != nil || *calls != 2 || asked != 2 {
				t.Errorf("%d calls, asked %d times, %v; want 2, before and after the wait, and success", *calls, asked, err)
			}
		})
	})
	t.Run("not before the first attempt", func(t *testing.T) {
		p := &retry.Policy{Validate: func(context.Context, retry.Attempt) error { return obsolete }}
		if err := retry.Run(t.Context(), p, nothing); err != nil {
			t.Error(err)
		}
	})
}

func TestGateWaitIsBoundByTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &retry.Policy{MaxElapsed: time.Second, Gates: []retry.Gate{waiting{}}}
		err := retry.Run(t.Context(), p, nothing)
		if e := asError(t, err); e.Reason != retry.ErrElapsed || e.Attempts != 0 {
			t.Errorf("%v; want %v before any attempt", err, retry.ErrElapsed)
		}
	})
}

// waiting is a gate that waits for ever.
type waiting struct{}

func (waiting) Admit(ctx context.Context, _ *retry.Attempt) error { <-ctx.Done(); return ctx.Err() }
func (waiting) Settle(*retry.Attempt, *retry.Outcome)             {}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		p := &retry.Policy{Name: "a.b", Observer: r, Backoff: second, Idempotent: true}
		n := 0
		start := time.Now()
		retry.Run(t.Context(), p, func(context.Context) error {
			time.Sleep(10 * time.Millisecond)
			if n++; n == 1 {
				return errPlain
			}
			return nil
		})
		if len(r.events) != 2 {
			t.Fatalf("events %+v; want 2", r.events)
		}
		a, b := r.events[0], r.events[1]
		if b.Call != a.Call || a.Call == 0 {
			t.Errorf("call ids %d and %d", a.Call, b.Call)
		}
		a.Call, b.Call = 0, 0
		want := retry.Event{Kind: retry.Retrying, Policy: p, At: start.Add(10 * time.Millisecond), Attempts: 1, State: retry.Failed, Err: errPlain,
			Unclassified: true, Unknown: true, Took: 10 * time.Millisecond, Wait: time.Second, Elapsed: 10 * time.Millisecond}
		if a != want {
			t.Errorf("event %+v; want %+v", a, want)
		}
		want = retry.Event{Kind: retry.Finished, Policy: p, At: start.Add(1020 * time.Millisecond), Attempts: 2, State: retry.Succeeded,
			Unknown: true, Took: 10 * time.Millisecond, Elapsed: 1020 * time.Millisecond}
		if b != want || !b.Succeeded() || a.Succeeded() {
			t.Errorf("event %+v; want %+v", b, want)
		}
	})
}

func TestNames(t *testing.T) {
	for _, test := range []struct {
		got  interface{ String() string }
		want string
	}{
		{retry.Ambiguous, "ambiguous"}, {retry.Transient, "transient"}, {retry.Throttled, "throttled"}, {retry.Permanent, "permanent"}, {retry.Class(9), "class(9)"},
		{retry.Sheddable, "sheddable"}, {retry.Normal, "normal"}, {retry.Critical, "critical"},
		{retry.NotStarted, "not started"}, {retry.Succeeded, "succeeded"}, {retry.Failed, "failed"}, {retry.Canceled, "canceled"}, {retry.Panicked, "panicked"},
		{retry.Retrying, "retrying"}, {retry.Finished, "finished"},
	} {
		if test.got.String() != test.want {
			t.Errorf("%#v prints %q; want %q", test.got, test.got, test.want)
		}
	}
}
