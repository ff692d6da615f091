package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
)

func TestAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fn, calls := script(transient, transient)
		var err error
		start := time.Now()
		for ctx := range retry.Attempts(t.Context(), &retry.Policy{Backoff: second}, &err) {
			err = fn(ctx)
		}
		if err != nil || *calls != 3 || time.Since(start) != 2*time.Second {
			t.Errorf("%d calls, %v in %v; want 3, success, 2s", *calls, err, time.Since(start))
		}
	})
}

func TestAttemptsEnd(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name    string
		ctx     context.Context
		policy  retry.Policy
		body    func(n int, err *error) (leave bool)
		bodies  int
		reason  error // nil for success
		unknown bool
	}{
		{"exhausted", nil, retry.Policy{}, func(_ int, err *error) bool { *err = transient; return false }, 3, retry.ErrExhausted, false},
		{"ambiguous", nil, retry.Policy{}, func(_ int, err *error) bool { *err = errPlain; return false }, 1, retry.ErrAmbiguous, true},
		{"cancelled before", gone, retry.Policy{}, nil, 0, context.Canceled, false},
		{"nil context", context.Context(nil), retry.Policy{Observer: &recorder{}}, nil, 0, retry.ErrNilContext, false},
		{"a forgotten error ends the call", nil, retry.Policy{Idempotent: true}, func(int, *error) bool { return false }, 1, retry.ErrUnreported, true},
		{"a shadowed error ends the call", nil, retry.Policy{Idempotent: true}, func(_ int, err *error) bool { e := *err; e = nil; _ = e; return false }, 1, retry.ErrUnreported, true},
		{"leaving with success", nil, retry.Policy{}, func(_ int, err *error) bool { *err = nil; return true }, 1, nil, false},
		{"leaving without a word", nil, retry.Policy{}, func(int, *error) bool { return true }, 1, retry.ErrUnreported, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx := test.ctx
			if ctx == nil && test.reason != retry.ErrNilContext {
				ctx = t.Context()
			}
			test.policy.Backoff = immediate
			err := refused // a stale value
			n := 0
			for range retry.Attempts(ctx, &test.policy, &err) {
				n++
				if test.body(n, &err) {
					break
				}
			}
			if n != test.bodies {
				t.Errorf("%d bodies; want %d", n, test.bodies)
			}
			if test.reason == nil {
				if err != nil {
					t.Errorf("%v; want success", err)
				}
				return
			}
			if e := asError(t, err); e.Reason != test.reason || e.Unknown != test.unknown {
				t.Errorf("%v (unknown %v); want %v (unknown %v)", err, e.Unknown, test.reason, test.unknown)
			}
		})
	}
}

// Leaving the loop keeps the caller's own error, and settles what was admitted.
func TestLeavingTheLoop(t *testing.T) {
	leave := func(ctx context.Context, p *retry.Policy) (err error) {
		for range retry.Attempts(ctx, p, &err) {
			return refused
		}
		return nil
	}
	for _, test := range []struct {
		name  string
		state retry.State
		with  context.Context
	}{
		{"return", retry.Failed, t.Context()},
		{"return because of a cancel", retry.Canceled, canceledLater(t)},
	} {
		g, r := &fakeGate{}, &recorder{}
		ctx := test.with
		if test.state == retry.Canceled {
			g.admit = func(context.Context, *retry.Attempt) { ctx.(*later).cancel() }
		}
		err := leave(ctx, &retry.Policy{Gates: []retry.Gate{g}, Observer: r})
		if err != refused {
			t.Errorf("%s: %v; want the body's own error", test.name, err)
		}
		if len(g.out) != 1 || g.out[0].State != test.state || r.finished() != 1 || !errors.Is(r.events[0].Reason, retry.ErrLeft) {
			t.Errorf("%s: settled %+v, events %+v", test.name, g.out, r.events)
		}
	}
}

type later struct {
	context.Context
	cancel context.CancelFunc
}

func canceledLater(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	return &later{ctx, cancel}
}

func TestAttemptsPanics(t *testing.T) {
	g := &fakeGate{}
	defer func() {
		if recover() != "boom" || len(g.out) != 1 || g.out[0].State != retry.Panicked {
			t.Errorf("settled %+v", g.out)
		}
	}()
	var err error
	for range retry.Attempts(t.Context(), &retry.Policy{Gates: []retry.Gate{g}}, &err) {
		panic("boom")
	}
}

func TestAttemptsWithoutAnErrorRunsOnce(t *testing.T) {
	n := 0
	for range retry.Attempts(t.Context(), &retry.Policy{Idempotent: true, Backoff: immediate}, nil) {
		n++
	}
	if n != 1 {
		t.Errorf("%d bodies; want 1", n)
	}
}

func TestAttemptsCancelledInAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		var err error
		for range retry.Attempts(ctx, &retry.Policy{Backoff: second}, &err) {
			err = transient
		}
		if !errors.Is(err, context.Canceled) || !errors.Is(err, errPlain) {
			t.Errorf("%v; want the cancel and the last error", err)
		}
	})
}

func TestAttemptsNudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nudge := make(chan struct{})
		time.AfterFunc(100*time.Millisecond, func() { close(nudge) })
		fn, _ := script(transient)
		start := time.Now()
		var err error
		for ctx := range retry.Attempts(t.Context(), &retry.Policy{Backoff: second, Nudge: nudge}, &err) {
			err = fn(ctx)
		}
		if err != nil || time.Since(start) != 100*time.Millisecond {
			t.Errorf("%v after %v; want success at the nudge", err, time.Since(start))
		}
	})
}
