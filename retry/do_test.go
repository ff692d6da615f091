package retry_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// How often each class is attempted, and why the call ends.
func TestClassesDecide(t *testing.T) {
	for _, test := range []struct {
		name   string
		err    error
		policy retry.Policy
		calls  int
		reason error
	}{
		{"transient is retried", transient, retry.Policy{}, 3, retry.ErrExhausted},
		{"throttled is retried", retry.After(errPlain, 0), retry.Policy{}, 3, retry.ErrExhausted},
		{"ambiguous is not", retry.Mark(errPlain, retry.Ambiguous), retry.Policy{}, 1, retry.ErrAmbiguous},
		{"unclassified is not", errPlain, retry.Policy{}, 1, retry.ErrAmbiguous},
		{"ambiguous is, if idempotent", errPlain, retry.Policy{Idempotent: true}, 3, retry.ErrExhausted},
		{"permanent never is", permanent, retry.Policy{Idempotent: true}, 1, retry.ErrPermanent},
		{"N8 a mark is honoured through two %w", fmt.Errorf("a: %w", fmt.Errorf("b: %w", permanent)), retry.Policy{Idempotent: true}, 1, retry.ErrPermanent},
		{"a class that does not exist is permanent", transient, retry.Policy{Idempotent: true, Classify: func(error) retry.Class { return 99 }}, 1, retry.ErrPermanent},
		{"the policy's own classification wins", permanent, retry.Policy{Classify: func(error) retry.Class { return retry.Transient }}, 3, retry.ErrExhausted},
		{"RetryIf refuses", transient, retry.Policy{RetryIf: func(err error) bool { return !errors.Is(err, errPlain) }}, 1, retry.ErrDeclined},
		{"RetryIf cannot allow", permanent, retry.Policy{RetryIf: func(error) bool { return true }}, 1, retry.ErrPermanent},
		{"MaxAttempts 1", transient, retry.Policy{MaxAttempts: 1}, 1, retry.ErrExhausted},
		{"MaxAttempts 5", transient, retry.Policy{MaxAttempts: 5}, 5, retry.ErrExhausted},
		{"MaxAttempts negative is 1", transient, retry.Policy{MaxAttempts: -7}, 1, retry.ErrExhausted},
		{"R4 Unlimited that nothing bounds is 3", transient, retry.Policy{MaxAttempts: retry.Unlimited}, 3, retry.ErrExhausted},
		{"Unlimited with a nil gate is 3", transient, retry.Policy{MaxAttempts: retry.Unlimited, Gates: []retry.Gate{nil}}, 3, retry.ErrExhausted},
		{"Unlimited with a gate", transient, retry.Policy{MaxAttempts: retry.Unlimited, Gates: []retry.Gate{&fakeGate{refuse: 11, err: refused}}}, 10, refused},
		{"Unlimited with MaxElapsed", transient, retry.Policy{MaxAttempts: retry.Unlimited, MaxElapsed: 10 * time.Second, Backoff: second}, 10, retry.ErrElapsed},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fn, calls := always(test.err)
				test.policy.Name = "venue.do_thing"
				err := retry.Run(t.Context(), &test.policy, fn)
				e := asError(t, err)
				if *calls != test.calls || !errors.Is(e.Reason, test.reason) || e.Attempts != test.calls {
					t.Errorf("%d calls, %v; want %d calls, reason %q", *calls, err, test.calls, test.reason)
				}
				if !errors.Is(err, test.err) || e.Name != "venue.do_thing" {
					t.Errorf("error %#v does not hold the last error or the name", e)
				}
			})
		})
	}
}

func TestRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fn, calls := script(transient, transient)
		start := time.Now()
		if err := retry.Run(t.Context(), &retry.Policy{Backoff: second}, fn); err != nil {
			t.Fatal(err)
		}
		if *calls != 3 || time.Since(start) != 2*time.Second {
			t.Errorf("%d calls in %v; want 3 in 2s", *calls, time.Since(start))
		}
	})
}

func TestDoReturnsTheLastValueWithTheError(t *testing.T) {
	n := 0
	v, err := retry.Do(t.Context(), &retry.Policy{Backoff: immediate}, func(context.Context) (int, error) {
		n++
		return n, transient
	})
	if v != 3 || err == nil {
		t.Errorf("Do = %d, %v; want the third attempt's 3 and an error", v, err)
	}
}

func TestNothingRuns(t *testing.T) {
	gone, cancel := context.WithCancelCause(context.Background())
	cancel(refused)
	fn := func(context.Context) error { t.Error("the function ran"); return nil }
	for _, p := range []*retry.Policy{{}, {AttemptTimeout: time.Second}, {Observer: &recorder{}}} {
		for _, test := range []struct {
			name   string
			ctx    context.Context
			fn     func(context.Context) error
			reason error
		}{
			{"cancelled context", gone, fn, refused},
			{"nil context", nil, fn, retry.ErrNilContext},
			{"nil function", context.Background(), nil, retry.ErrNilFunc},
		} {
			err := retry.Run(test.ctx, p, test.fn)
			if e := asError(t, err); !errors.Is(err, test.reason) || e.Attempts != 0 || e.Unknown {
				t.Errorf("%s: %v; want %v and no attempt", test.name, err, test.reason)
			}
		}
	}
	if _, err := retry.Wrap[int, int](nil, nil)(t.Context(), 1); !errors.Is(err, retry.ErrNilFunc) {
		t.Errorf("Wrap(nil) yields %v; want %v", err, retry.ErrNilFunc)
	}
}

type nilSource struct{}

func (nilSource) Current() *retry.Policy { return nil }

func TestAnyNilSourceIsTheZeroPolicy(t *testing.T) {
	for name, s := range map[string]retry.Source{
		"nil":         nil,
		"nil *Policy": (*retry.Policy)(nil),
		"yields nil":  nilSource{},
	} {
		fn, calls := always(errPlain)
		if err := retry.Run(t.Context(), s, fn); *calls != 1 || !errors.Is(err, retry.ErrAmbiguous) {
			t.Errorf("%s: %d calls, %v; want 1 and %v", name, *calls, err, retry.ErrAmbiguous)
		}
	}
	if p := (*retry.Policy)(nil).Current(); p == nil || p.Attempts() != 3 {
		t.Errorf("nil policy is its own source of %v", p)
	}
}

// The four ends that must be told apart, here the first three; a stop is a gate's.
func TestTimeoutsAreToldApart(t *testing.T) {
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	t.Run("N4 an attempt's timeout is retried", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			calls := 0
			p := &retry.Policy{AttemptTimeout: 100 * time.Millisecond, Idempotent: true, Backoff: immediate}
			err := retry.Run(ctx, p, func(ctx context.Context) error {
				if calls++; calls < 3 {
					defer func() {
						if context.Cause(ctx) != retry.ErrAttemptTimeout {
							t.Errorf("cause %v; want %v", context.Cause(ctx), retry.ErrAttemptTimeout)
						}
					}()
					return hang(ctx)
				}
				return nil
			})
			if err != nil || calls != 3 {
				t.Errorf("%d calls, %v; want 3 and success", calls, err)
			}
		})
	})
	t.Run("an attempt's timeout is ambiguous", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			err := retry.Run(t.Context(), &retry.Policy{AttemptTimeout: time.Second}, hang)
			if e := asError(t, err); !errors.Is(err, retry.ErrAmbiguous) || !e.Unknown || e.Elapsed != time.Second {
				t.Errorf("%v; want %v after 1s", err, retry.ErrAmbiguous)
			}
		})
	})
	t.Run("N5 the caller's deadline is not", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			g := &fakeGate{}
			err := retry.Run(ctx, &retry.Policy{Idempotent: true, Gates: []retry.Gate{g}}, hang)
			e := asError(t, err)
			if e.Reason != context.DeadlineExceeded || e.Attempts != 1 || !e.Unknown {
				t.Errorf("%v (unknown %v); want the deadline after 1 attempt of unknown outcome", err, e.Unknown)
			}
			if len(g.out) != 1 || g.out[0].State != retry.Canceled {
				t.Errorf("gate was told %v; want canceled, which counts against nobody", g.out)
			}
		})
	})
	t.Run("nor is the caller's cancel", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		err := retry.Run(ctx, &retry.Policy{Idempotent: true}, func(ctx context.Context) error {
			cancel(refused)
			return ctx.Err()
		})
		if e := asError(t, err); e.Reason != refused || !e.Unknown || e.Class() != retry.Permanent {
			t.Errorf("%v; want the cause of the cancel, outcome unknown", err)
		}
	})
	t.Run("a cancel before the attempt was sent leaves nothing unknown", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := retry.Run(ctx, &retry.Policy{}, func(context.Context) error { cancel(); return transient })
		if e := asError(t, err); e.Reason != context.Canceled || e.Unknown {
			t.Errorf("%v; want canceled and nothing unknown", err)
		}
	})
	t.Run("MaxElapsed ends an attempt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			err := retry.Run(t.Context(), &retry.Policy{MaxElapsed: time.Second, Idempotent: true}, func(ctx context.Context) error {
				<-ctx.Done()
				return context.Cause(ctx)
			})
			if e := asError(t, err); e.Reason != retry.ErrElapsed || e.Elapsed != time.Second || !e.Unknown {
				t.Errorf("%v; want %v after 1s", err, retry.ErrElapsed)
			}
		})
	})
	t.Run("a success after the timeout is a success", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			if err := retry.Run(t.Context(), &retry.Policy{AttemptTimeout: 1, MaxElapsed: 1}, func(ctx context.Context) error { <-ctx.Done(); return nil }); err != nil {
				t.Error(err)
			}
		})
	})
}

// R6 and N6: a wait that does not fit is not begun.
func TestWaitsThatDoNotFit(t *testing.T) {
	forever := backoff.Func(func(int, time.Duration, float64) time.Duration { return math.MaxInt64 })
	for _, test := range []struct {
		name   string
		left   time.Duration // of the caller's deadline; 0 for none
		policy retry.Policy
		err    error
		reason error
	}{
		{"N6 delay 2 s, 1 s left", time.Second, retry.Policy{Backoff: backoff.Constant{Wait: 2 * time.Second, Jitter: backoff.None}}, transient, retry.ErrDeadline},
		{"delay equal to what is left", time.Second, retry.Policy{Backoff: second, Expected: -1}, transient, retry.ErrDeadline},
		{"less than 50 ms would be left", 1049 * time.Millisecond, retry.Policy{Backoff: second}, transient, retry.ErrDeadline},
		{"less than the expected time would be left", 3 * time.Second, retry.Policy{Backoff: second, Expected: 2 * time.Second}, transient, retry.ErrDeadline},
		{"less than a short attempt's timeout would be left", 1010 * time.Millisecond, retry.Policy{Backoff: second, AttemptTimeout: 10 * time.Millisecond}, transient, retry.ErrDeadline},
		{"MaxElapsed", 0, retry.Policy{Backoff: second, MaxElapsed: time.Second}, transient, retry.ErrElapsed},
		{"D28 the longest delay there is", 0, retry.Policy{Backoff: forever, MaxElapsed: time.Second}, transient, retry.ErrElapsed},
		{"D28 the longest hint there is", 0, retry.Policy{MaxHint: math.MaxInt64, MaxElapsed: time.Second}, retry.After(errPlain, math.MaxInt64), retry.ErrElapsed},
		{"H13 hint 30 s, deadline 10 s", 10 * time.Second, retry.Policy{}, retry.After(errPlain, 30*time.Second), retry.ErrDeadline},
		{"a hint of a century", 0, retry.Policy{}, retry.After(errPlain, 100*365*24*time.Hour), retry.ErrHint},
		{"a hint just above the limit", 0, retry.Policy{}, retry.After(errPlain, 5*time.Minute+1), retry.ErrHint},
		{"a hint where none is accepted", 0, retry.Policy{MaxHint: -1}, retry.After(errPlain, 1), retry.ErrHint},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if test.left > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.left)
					defer cancel()
				}
				fn, calls := always(test.err)
				start := time.Now()
				err := retry.Run(ctx, &test.policy, fn)
				if *calls != 1 || !errors.Is(err, test.reason) || !errors.Is(err, test.err) || time.Since(start) != 0 {
					t.Errorf("%d calls, %v after %v; want 1 and %v at once", *calls, err, time.Since(start), test.reason)
				}
				if retry.Hint(err) != retry.Hint(test.err) {
					t.Errorf("the error carries the hint %v; want %v", retry.Hint(err), retry.Hint(test.err))
				}
			})
		})
	}
	t.Run("one that just fits is begun", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 1051*time.Millisecond)
			defer cancel()
			fn, calls := script(transient)
			if err := retry.Run(ctx, &retry.Policy{Backoff: second}, fn); err != nil || *calls != 2 {
				t.Errorf("%d calls, %v; want 2 and success", *calls, err)
			}
		})
	})
}

func TestWaits(t *testing.T) {
	half := func() float64 { return 0.5 }
	for _, test := range []struct {
		name   string
		err    error
		policy retry.Policy
		want   time.Duration
	}{
		{"the default backoff with its jitter", transient, retry.Policy{Rand: half}, 50 * time.Millisecond},
		{"a hint comes on top of the backoff", retry.After(errPlain, 2*time.Second), retry.Policy{Rand: half}, 2050 * time.Millisecond},
		{"H2 a hint of 0 leaves the backoff", retry.After(errPlain, 0), retry.Policy{Rand: half}, 50 * time.Millisecond},
		{"D29 a negative hint counts as 0", retry.After(errPlain, -time.Hour), retry.Policy{Rand: half}, 50 * time.Millisecond},
		{"a hint at the limit is obeyed", retry.After(errPlain, 5*time.Minute), retry.Policy{Backoff: immediate}, 5 * time.Minute},
		{"a hint on an error of another class is a floor, too", retry.MarkAfter(errPlain, retry.Transient, time.Second), retry.Policy{Backoff: immediate}, time.Second},
		{"R5 no delay after a transient error", transient, retry.Policy{Backoff: immediate}, 0},
		{"R5 1 ms after an ambiguous error", errPlain, retry.Policy{Backoff: immediate, Idempotent: true}, time.Millisecond},
		{"R5 1 ms after a throttled error", retry.After(errPlain, 0), retry.Policy{Backoff: immediate}, time.Millisecond},
		{"a negative delay counts as 0", transient, retry.Policy{Backoff: negative{}}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fn, _ := script(test.err)
				start := time.Now()
				if err := retry.Run(t.Context(), &test.policy, fn); err != nil {
					t.Fatal(err)
				}
				if got := time.Since(start); got != test.want {
					t.Errorf("waited %v; want %v", got, test.want)
				}
			})
		})
	}
}

type negative struct{}

func (negative) Delay(int, time.Duration, float64) time.Duration { return math.MinInt64 }

func TestStrategyIsToldItsOwnLastDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lasts []time.Duration
		p := &retry.Policy{MaxAttempts: 4, Backoff: backoff.Func(func(n int, last time.Duration, _ float64) time.Duration {
			lasts = append(lasts, last)
			return time.Duration(n) * time.Second
		})}
		fn, _ := always(retry.After(errPlain, time.Minute)) // the hint is not part of it
		retry.Run(t.Context(), p, fn)
		if fmt.Sprint(lasts) != "[0s 1s 2s]" {
			t.Errorf("last delays %v; want 0s, 1s, 2s", lasts)
		}
	})
}

func TestCancelEndsAWaitAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		g := &fakeGate{}
		p := &retry.Policy{Backoff: second, Gates: []retry.Gate{g}}
		fn, calls := always(transient)
		time.AfterFunc(300*time.Millisecond, func() { cancel(refused) })
		start := time.Now()
		err := retry.Run(ctx, p, fn)
		if *calls != 1 || !errors.Is(err, refused) || !errors.Is(err, errPlain) || time.Since(start) != 300*time.Millisecond {
			t.Errorf("%d calls, %v after %v; want 1, the cause and the last error, after 300ms", *calls, err, time.Since(start))
		}
		if len(g.out) != 2 || g.out[1].State != retry.NotStarted {
			t.Errorf("the gate got back %+v; want the second attempt not started", g.out)
		}
	})
}

func TestMaxElapsedEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A gate that waits makes the plan, which fitted, late.
		g := &fakeGate{admit: func(_ context.Context, a *retry.Attempt) {
			if a.Number == 2 {
				time.Sleep(300 * time.Millisecond)
			}
		}}
		fn, calls := always(transient)
		err := retry.Run(t.Context(), &retry.Policy{MaxElapsed: 1200 * time.Millisecond, Backoff: second, Gates: []retry.Gate{g}}, fn)
		if *calls != 1 || !errors.Is(err, retry.ErrElapsed) {
			t.Errorf("%d calls, %v; want 1 and %v", *calls, err, retry.ErrElapsed)
		}
	})
}

// X37: a call that goes on for long holds no more than its last error.
func TestManyFailuresKeepOneError(t *testing.T) {
	const n = 1_000_000
	var before, after runtime.MemStats
	g := &stopAt{n: n + 1}
	last := transient
	i := 0
	p := &retry.Policy{MaxAttempts: retry.Unlimited, Backoff: immediate, Gates: []retry.Gate{g}}
	runtime.GC()
	runtime.ReadMemStats(&before)
	err := retry.Run(t.Context(), p, func(context.Context) error {
		if i++; i == n {
			last = retry.Mark(errors.New("the last"), retry.Transient)
		}
		return last
	})
	runtime.GC()
	runtime.ReadMemStats(&after)
	if e := asError(t, err); e.Attempts != n || e.Last != last || !errors.Is(err, refused) {
		t.Errorf("%v; want %d attempts and the last error", err, n)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("%d bytes held after %d failures; want less than 1 MiB", grown, n)
	}
}

type stopAt struct{ n int }

func (s *stopAt) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Number >= s.n {
		return refused
	}
	return nil
}
func (s *stopAt) Settle(*retry.Attempt, *retry.Outcome) {}

func TestErrorTexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(err error) func(context.Context) error {
			return func(context.Context) error { time.Sleep(1234567 * time.Microsecond); return err }
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for _, test := range []struct {
			ctx    context.Context
			policy retry.Policy
			fn     func(context.Context) error
			want   string
		}{
			{nil, retry.Policy{Name: "binance.place_order", AttemptTimeout: time.Minute, Backoff: immediate}, slow(retry.Mark(errors.New("http 503"), retry.Transient)),
				"binance.place_order: gave up after 3 attempts in 3.704s: attempts exhausted: http 503"},
			{nil, retry.Policy{Name: "binance.place_order"}, slow(errors.New("EOF")),
				"binance.place_order: gave up after 1 attempt: outcome unknown, and not repeated because the policy does not say Idempotent: true: EOF"},
			{nil, retry.Policy{Backoff: second}, slow(transient),
				"retry: gave up after 3 attempts, 4.469s after the first failed: attempts exhausted: plain"},
			{nil, retry.Policy{Name: "a.b", Idempotent: true, Backoff: immediate, MaxAttempts: 2}, slow(errPlain),
				"a.b: gave up after 2 attempts, 1.236s after the first failed: attempts exhausted: outcome unknown: plain"},
			{gone, retry.Policy{Name: "a.b"}, slow(nil), "a.b: not attempted: context canceled"},
		} {
			ctx := test.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			if got := retry.Run(ctx, &test.policy, test.fn).Error(); got != test.want {
				t.Errorf("error text\n%s; want\n%s", got, test.want)
			}
		}
	})
}

type sliceError []string

func (e sliceError) Error() string { return strings.Join(e, " ") }

func TestErrorValues(t *testing.T) {
	var none *retry.Error
	if none.Error() != "<nil>" || none.Unwrap() != nil || none.Class() != retry.Permanent {
		t.Errorf("nil *Error: %q, %v, %v", none, none.Unwrap(), none.Class())
	}
	if retry.DefaultClassify(none) != retry.Ambiguous {
		t.Error("a nil *Error in an error is not an ordinary error")
	}
	// Errors that cannot be compared must not panic.
	odd := &retry.Error{Reason: sliceError{"a"}, Last: sliceError{"b"}}
	if got := odd.Error(); got != "retry: not attempted: a: b" {
		t.Errorf("text %q", got)
	}
	if got := (&retry.Error{Reason: context.Canceled, Last: context.Canceled}).Error(); got != "retry: not attempted: context canceled" {
		t.Errorf("text %q; want the cause once", got)
	}
	if got := (&retry.Error{Last: errPlain}).Error(); got != "retry: not attempted: plain" {
		t.Errorf("text %q", got)
	}
}

// The class of a failed call is what its caller must believe of the whole, not of the last attempt.
func TestClassOfACall(t *testing.T) {
	for _, test := range []struct {
		name    string
		errs    []error
		class   retry.Class
		unknown bool
	}{
		{"all transient", []error{transient, transient, transient}, retry.Transient, false},
		{"unknown, then refused: the first may have acted", []error{errPlain, transient, transient}, retry.Ambiguous, true},
		{"unknown, then permanent: no use, but find out", []error{errPlain, permanent}, retry.Permanent, true},
		{"throttled last", []error{transient, transient, retry.After(errPlain, 0)}, retry.Throttled, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			fn, _ := script(test.errs...)
			err := retry.Run(t.Context(), &retry.Policy{Idempotent: true, Backoff: immediate}, fn)
			if e := asError(t, err); e.Class() != test.class || retry.DefaultClassify(err) != test.class || e.Unknown != test.unknown {
				t.Errorf("class %v, unknown %v; want %v, %v", e.Class(), e.Unknown, test.class, test.unknown)
			}
		})
	}
	refusedCall := &retry.Error{Reason: refused}
	if got := refusedCall.Class(); got != retry.Ambiguous {
		t.Errorf("class %v", got)
	}
}

func TestWrap(t *testing.T) {
	n := 0
	double := retry.Wrap(&retry.Policy{Backoff: immediate}, func(_ context.Context, x int) (int, error) {
		if n++; n < 3 {
			return 0, transient
		}
		return 2 * x, nil
	})
	if v, err := double(t.Context(), 21); v != 42 || err != nil || n != 3 {
		t.Errorf("wrapped function = %d, %v after %d attempts; want 42 after 3", v, err, n)
	}
}

func TestAllocations(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	plain := &retry.Policy{Name: "a.b"}
	gated := &retry.Policy{Gates: []retry.Gate{open{}, nil}, Observer: retry.Observers{nil, silent{}}}
	crowded := &retry.Policy{Gates: []retry.Gate{open{}, open{}, open{}, open{}, open{}, open{}, open{}}}
	retries := &retry.Policy{Backoff: immediate}
	n := 0
	for _, test := range []struct {
		name string
		fn   func()
	}{
		{"Do", func() { retry.Do(ctx, plain, fetch) }},
		{"Run", func() { retry.Run(ctx, plain, nothing) }},
		{"Attempts", func() {
			var err error
			for ctx := range retry.Attempts(ctx, plain, &err) {
				err = nothing(ctx)
			}
		}},
		{"Do with gates and an observer", func() { retry.Do(ctx, gated, fetch) }},
		{"Do with many gates", func() { retry.Do(ctx, crowded, fetch) }},
		{"two retries without a wait", func() {
			retry.Run(ctx, retries, func(context.Context) error {
				if n++; n%3 != 0 {
					return errBusy
				}
				return nil
			})
		}},
	} {
		if got := testing.AllocsPerRun(1000, test.fn); got != 0 {
			t.Errorf("%s allocates %v times; want 0", test.name, got)
		}
	}
}

// An asynchronous call may allocate itself, its goroutine's closure and the channel that is waited on.
func TestGoAllocations(t *testing.T) {
	p := &retry.Policy{}
	got := testing.AllocsPerRun(1000, func() { retry.Go(context.Background(), p, fetch).Wait(context.Background()) })
	if got > 3 {
		t.Errorf("Go and Wait allocate %v times; want 3 at most", got)
	}
}

// R18: one policy for a hundred goroutines. The race detector is the judge.
func TestPolicyIsShared(t *testing.T) {
	p := &retry.Policy{Name: "a.b", Idempotent: true, Backoff: backoff.Exponential{Base: 1, Max: 1000}, Observer: retry.Observers{silent{}}}
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			for range 20 {
				fn, calls := script(errPlain, transient)
				if err := retry.Run(t.Context(), p, fn); err != nil || *calls != 3 {
					t.Errorf("%d calls, %v; want 3 and success", *calls, err)
				}
			}
		})
	}
	wg.Wait()
}

type silent struct{}

func (silent) Observe(context.Context, retry.Event) {}

// The contexts that the engine makes end with what they are for, so no timer is left behind.
func TestContextsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, p := range map[string]*retry.Policy{
			"attempt": {AttemptTimeout: time.Hour, Backoff: immediate},
			"call":    {MaxElapsed: time.Hour, Backoff: immediate},
		} {
			var seen []context.Context
			fn, _ := script(transient)
			retry.Run(t.Context(), p, func(ctx context.Context) error {
				for _, earlier := range seen {
					if name == "attempt" && earlier.Err() == nil {
						t.Error("the context of an attempt outlives it")
					}
				}
				seen = append(seen, ctx)
				return fn(ctx)
			})
			for _, ctx := range seen {
				if ctx.Err() == nil {
					t.Errorf("the context of an %s outlives the call", name)
				}
			}
		}
	})
}

// X36: a permanent error ends the call at once, however it is wrapped, also on the last allowed try.
func TestPermanentIsReportedAsPermanent(t *testing.T) {
	wrapped := fmt.Errorf("place order: %w", errors.Join(errors.New("beside it"), permanent))
	for _, before := range []int{0, 2} {
		errs := append([]error{transient, transient}[:before:before], wrapped)
		fn, calls := script(errs...)
		err := retry.Run(t.Context(), &retry.Policy{Idempotent: true, Backoff: immediate}, fn)
		if e := asError(t, err); *calls != before+1 || e.Reason != retry.ErrPermanent || e.Class() != retry.Permanent {
			t.Errorf("%d calls, %v, %v; want %d and permanent", *calls, err, e.Class(), before+1)
		}
	}
}

// G14: one server, seen by seven calls of up to four attempts.
func TestAServersLife(t *testing.T) {
	const ok, again, fatal = 0, 1, 2
	server := []int{ok, again, ok, again, again, ok, fatal, again, fatal, again, again, fatal, again, again, again, again}
	request := -1
	fn := func(context.Context) error {
		request++
		return []error{nil, transient, permanent}[server[request]]
	}
	for _, want := range []struct {
		at     int
		reason error
	}{{0, nil}, {2, nil}, {5, nil}, {6, retry.ErrPermanent}, {8, retry.ErrPermanent}, {11, retry.ErrPermanent}, {15, retry.ErrExhausted}} {
		err := retry.Run(t.Context(), &retry.Policy{MaxAttempts: 4, Backoff: immediate}, fn)
		if request != want.at || want.reason == nil && err != nil || want.reason != nil && !errors.Is(err, want.reason) {
			t.Errorf("call ended at request %d with %v; want %d and %v", request, err, want.at, want.reason)
		}
	}
}

func TestCancelBetweenAttemptsWithoutAWait(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	fn, calls := always(transient)
	p := &retry.Policy{Backoff: immediate, RetryIf: func(error) bool { cancel(refused); return true }}
	if err := retry.Run(ctx, p, fn); *calls != 1 || asError(t, err).Reason != refused {
		t.Errorf("%d calls, %v; want 1 and the cause of the cancel", *calls, err)
	}
}

// What a policy's own function does to the context is seen, even by a retry without a wait.
func TestPredicateThatCancels(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	fn, calls := always(retry.Mark(errPlain, retry.Transient))
	p := &retry.Policy{Backoff: backoff.Constant{Jitter: backoff.None}, RetryIf: func(error) bool { cancel(); return true }}
	if err := retry.Run(ctx, p, fn); *calls != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d calls, %v; want 1 and the cancellation", *calls, err)
	}
}
