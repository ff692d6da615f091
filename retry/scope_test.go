package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
)

// nest wraps fn into layers of calls, each with a policy of its own.
func nest(layers int, policy retry.Policy, fn func(context.Context) error) func(context.Context) error {
	for range layers {
		inner, p := fn, policy
		fn = func(ctx context.Context) error { return retry.Run(ctx, &p, inner) }
	}
	return fn
}

// R9, N1, N2: attempts of nested calls do not multiply.
func TestNestedCalls(t *testing.T) {
	for _, test := range []struct {
		name   string
		layers int
		policy retry.Policy
		err    error
		calls  int
	}{
		{"N1 three layers of three attempts", 3, retry.Policy{}, transient, 3},
		{"N1 idempotent", 3, retry.Policy{Idempotent: true}, errPlain, 3},
		{"N1 without waits", 3, retry.Policy{Backoff: immediate}, transient, 3},
		{"N2 the same with detection off", 3, retry.Policy{Nested: true, Backoff: immediate}, transient, 27},
		{"one layer", 1, retry.Policy{}, transient, 3},
		{"five layers", 5, retry.Policy{}, transient, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fn, calls := always(test.err)
				err := nest(test.layers, test.policy, fn)(t.Context())
				if *calls != test.calls || !errors.Is(err, retry.ErrExhausted) {
					t.Errorf("%d calls, %v; want %d", *calls, err, test.calls)
				}
			})
		})
	}
}

// A layer between that loses the inner error still does not let attempts multiply: the outer
// call's retries are marked in the context. 3×3 makes 5 attempts, not 9.
func TestNestedCallsWithTheErrorLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fn, calls := always(transient)
		var reasons []error
		err := retry.Run(t.Context(), &retry.Policy{Idempotent: true}, func(ctx context.Context) error {
			inner := asError(t, retry.Run(ctx, &retry.Policy{}, fn))
			reasons = append(reasons, inner.Reason)
			return errors.New("somebody else's error")
		})
		if *calls != 5 || !errors.Is(err, retry.ErrExhausted) {
			t.Errorf("%d calls, %v; want 5", *calls, err)
		}
		if len(reasons) != 3 || reasons[0] != retry.ErrExhausted || reasons[1] != retry.ErrNested || reasons[2] != retry.ErrNested {
			t.Errorf("inner calls ended with %v", reasons)
		}
	})
}

func TestNestedAttemptsCountForTheOuterCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fn, calls := always(transient)
		err := retry.Run(t.Context(), &retry.Policy{MaxAttempts: 5}, func(ctx context.Context) error {
			return retry.Run(ctx, &retry.Policy{MaxAttempts: 3}, fn)
		})
		if e := asError(t, err); *calls != 5 || e.Attempts != 3 {
			t.Errorf("%d calls, %d attempts of the outer call; want 5 and 3", *calls, e.Attempts)
		}
	})
}

func TestNestedCallsAreFoundBesideOtherErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fn, calls := always(transient)
		retry.Run(t.Context(), &retry.Policy{}, func(ctx context.Context) error {
			return errors.Join(refused, errors.Join(retry.Run(ctx, &retry.Policy{}, fn), errPlain))
		})
		if *calls != 3 {
			t.Errorf("%d calls; want 3", *calls)
		}
	})
}

func TestUnknownRisesThroughLayers(t *testing.T) {
	err := retry.Run(t.Context(), &retry.Policy{Classify: func(error) retry.Class { return retry.Permanent }}, func(ctx context.Context) error {
		return retry.Run(ctx, &retry.Policy{}, func(context.Context) error { return errPlain })
	})
	if e := asError(t, err); !e.Unknown || e.Reason != retry.ErrPermanent {
		t.Errorf("%v (unknown %v); want the outer call to know that the inner outcome is unknown", err, e.Unknown)
	}
}

func TestPreviousAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []int
		fn := func(ctx context.Context) error {
			seen = append(seen, retry.PreviousAttempts(ctx))
			return transient
		}
		retry.Run(t.Context(), &retry.Policy{}, fn)
		if len(seen) != 3 || seen[0] != 0 || seen[1] != 1 || seen[2] != 2 {
			t.Errorf("previous attempts %v; want 0, 1, 2", seen)
		}
	})
	ctx := retry.WithPreviousAttempts(retry.WithPreviousAttempts(t.Context(), 2), 1)
	if n := retry.PreviousAttempts(retry.WithPreviousAttempts(ctx, -5)); n != 3 {
		t.Errorf("%d previous attempts; want 3", n)
	}
	fn, calls := always(transient)
	if err := retry.Run(ctx, &retry.Policy{}, fn); *calls != 1 || !errors.Is(err, retry.ErrNested) {
		t.Errorf("%d calls, %v; want 1 and %v", *calls, err, retry.ErrNested)
	}
	if n := retry.PreviousAttempts(nil); n != 0 {
		t.Errorf("%d previous attempts without a context", n)
	}
}

func TestLimitsTighten(t *testing.T) {
	idempotent := retry.Policy{Idempotent: true, MaxAttempts: 4, Backoff: second}
	for _, test := range []struct {
		name   string
		limits []retry.Limit
		err    error
		calls  int
		reason error
	}{
		{"no limit", []retry.Limit{{}}, transient, 4, retry.ErrExhausted},
		{"attempts", []retry.Limit{{MaxAttempts: 2}}, transient, 2, retry.ErrLimited},
		{"attempts never loosen", []retry.Limit{{MaxAttempts: 9}}, transient, 4, retry.ErrExhausted},
		{"an inner limit does not loosen an outer one", []retry.Limit{{MaxAttempts: 2}, {MaxAttempts: 3}}, transient, 2, retry.ErrLimited},
		{"an inner limit tightens", []retry.Limit{{MaxAttempts: 3}, {MaxAttempts: 2}}, transient, 2, retry.ErrLimited},
		{"negative is one", []retry.Limit{{MaxAttempts: -1}}, transient, 1, retry.ErrLimited},
		{"elapsed", []retry.Limit{{MaxElapsed: 1500 * time.Millisecond}}, transient, 2, retry.ErrLimited},
		{"the shorter elapsed counts", []retry.Limit{{MaxElapsed: 1500 * time.Millisecond}, {MaxElapsed: time.Hour}}, transient, 2, retry.ErrLimited},
		{"negative elapsed is none", []retry.Limit{{MaxElapsed: -1}}, transient, 4, retry.ErrExhausted},
		{"no repeats of what may have acted", []retry.Limit{{NoRepeat: true}, {}}, errPlain, 1, retry.ErrLimited},
		{"what did not act is repeated", []retry.Limit{{NoRepeat: true}}, transient, 4, retry.ErrExhausted},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				for _, l := range test.limits {
					ctx = retry.WithLimit(ctx, l)
				}
				fn, calls := always(test.err)
				err := retry.Run(ctx, &idempotent, fn)
				if *calls != test.calls || !errors.Is(err, test.reason) {
					t.Errorf("%d calls, %v; want %d and %v", *calls, err, test.calls, test.reason)
				}
			})
		})
	}
}

func TestScopedPolicy(t *testing.T) {
	p := &retry.Policy{MaxAttempts: 2, Backoff: immediate}
	ctx := retry.WithPolicy(t.Context(), p)
	if got := retry.FromContext(retry.WithLimit(ctx, retry.Limit{})).Current(); got != p {
		t.Errorf("FromContext = %v; want the policy of the scope", got)
	}
	fn, calls := always(transient)
	retry.Run(ctx, retry.FromContext(ctx), fn)
	if *calls != 2 {
		t.Errorf("%d calls; want 2", *calls)
	}
	for name, ctx := range map[string]context.Context{
		"no scope": t.Context(), "nil context": nil, "nil policy": retry.WithPolicy(ctx, nil), "nil context with a policy of nil": retry.WithPolicy(nil, nil),
	} {
		if p := retry.FromContext(ctx).Current(); p == nil || p.Attempts() != 3 || p.Idempotent {
			t.Errorf("%s: %v; want the zero policy", name, p)
		}
	}
}

func TestScopeKeepsTheContextsValues(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
	scoped := retry.WithLimit(ctx, retry.Limit{MaxAttempts: 1})
	cancel()
	if scoped.Value(key{}) != "v" || scoped.Err() == nil {
		t.Error("the scope hides its context")
	}
}
