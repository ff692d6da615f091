package idempotent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/relent-go/relent/retry"
)

// A Guard lets a function have at most one effect per key. [Guard.Wrap] is what most callers want;
// [Guard.Call] also says whether the result is a replay; [Do] is for a single function that needs no settings.
//
// Store and Key are needed; without them nothing is run. The other fields may be zero. A Guard in use
// is not modified; it is safe for concurrent use as far as its functions are.
type Guard[A, R any] struct {
	Name  string         // of the operation, such as binance.place_order: keys of different names never meet
	Store Store          // remembers the keys
	Key   func(A) string // the key of the operation: equal on all its attempts, in all processes, after any restart

	// Fingerprint stands for what the argument asks for; see [Fingerprinted]. Nil means the SHA-256 of
	// the argument as JSON.
	Fingerprint func(A) Fingerprint

	Lease    time.Duration // how long a claim holds, renewed while the function runs; not positive means 30 s; at least 10 ms
	Retain   time.Duration // how long an outcome is replayed; not positive means 24 h
	Patience time.Duration // how long a call goes on telling the store what happened, even if its context has ended; not positive means 5 s

	Codec     Codec[R]                // of stored results; nil means JSON
	Sentinels []error                 // what errors.Is shall find in a stored error; told apart by their texts
	Classify  func(error) retry.Class // what the function's error says about its effect; nil means retry.DefaultClassify

	// Duplicate says that an error means: the other side has carried out this key before. It settles an
	// attempt that went unanswered. The result is what Reconcile finds; without one the error is [ErrNoResult]. Nil
	// means that no error does.
	Duplicate func(error) bool

	// Reconcile finds out what became of an earlier call with key whose outcome is open, by asking the side that
	// has the effect. It runs under a claim of its own, so it is asked by one caller at a time. a is the
	// argument of the present call, and nil when [Guard.Reap] asks. An error means that it is still not known.
	// Nil means that nobody can tell: such a key stays unknown until somebody completes its claim.
	Reconcile func(ctx context.Context, key string, a *A) (Finding[R], error)
}

// A Result is what a guarded call returns.
type Result[R any] struct {
	Value    R
	Replayed bool   // the function was not run: the outcome is that of an earlier call
	Fence    uint64 // of the claim that the outcome belongs to
}

// Check returns all mistakes in g, joined, each beginning with its field's name, or nil. A guard with mistakes
// still works, or runs nothing.
func (g *Guard[A, R]) Check() error {
	var errs []error
	mistake := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if strings.Contains(g.Name, "\x00") {
		mistake("Name: %q has a zero byte, so its keys may meet those of another guard", g.Name)
	}
	if len(g.Name) >= MaxKey-1 {
		mistake("Name: %d bytes leave no room for a key within %d", len(g.Name), MaxKey)
	}
	if g.Store == nil {
		mistake("Store: without one nothing is run")
	}
	if g.Key == nil {
		mistake("Key: without one nothing is run")
	}
	if g.Lease < 0 {
		mistake("Lease: %v is negative and means %v", g.Lease, DefaultLease)
	} else if g.Lease > 0 && g.Lease < MinLease {
		mistake("Lease: %v counts as %v", g.Lease, MinLease)
	}
	if g.Retain < 0 {
		mistake("Retain: %v is negative and means %v", g.Retain, DefaultRetain)
	}
	if g.Patience < 0 {
		mistake("Patience: %v is negative and means %v", g.Patience, DefaultPatience)
	}
	for i, s := range g.Sentinels {
		if s == nil {
			mistake("Sentinels[%d]: nil is skipped", i)
		}
	}
	return errors.Join(errs...)
}

// Wrap returns fn guarded by g, a function of the same shape.
func (g *Guard[A, R]) Wrap(fn func(context.Context, A) (R, error)) func(context.Context, A) (R, error) {
	return func(ctx context.Context, a A) (R, error) {
		r, err := g.Call(ctx, a, fn)
		return r.Value, err
	}
}

// Call runs fn once for the key of a, and returns its outcome to this and all later calls with
// the key. What the function's error means decides what becomes of the key:
//
//   - nil: the value is stored, and replayed from then on;
//   - Permanent: the error is stored, and replayed as a [*StoredError];
//   - Transient, Throttled: nothing happened, so the key is free again;
//   - Ambiguous, a cancelled context, a panic: the key is unknown. It is not run again before Reconcile
//     has shown that nothing happened. The error is an [*Error] with the reason [ErrUnknown].
//
// If fn did not run, the error is the stored one, or an [*Error] whose Reason says why. With [ErrInDoubt] and [ErrClaimLost] fn did run, and its value is returned with the error. Panics rise unchanged.
//
// fn runs in the caller's goroutine. Its context carries [Key] and [Fence], and ends when the claim
// is lost. Call may outlast ctx by Patience while the store does not answer.
func (g *Guard[A, R]) Call(ctx context.Context, a A, fn func(context.Context, A) (R, error)) (Result[R], error) {
	c := call[A, R]{guard: g, terms: g.terms(), a: a, fn: fn}
	if g.Key != nil {
		c.key = g.Key(a)
	}
	if fn == nil {
		return c.result, c.fail(ErrUnavailable, retry.Mark(retry.ErrNilFunc, retry.Permanent))
	}
	print, err := g.print(a)
	if err != nil {
		return c.result, c.fail(ErrFingerprint, err)
	}
	find := c.findOrRun
	if g.Reconcile == nil {
		find = nil
	}
	end, err := c.terms.do(ctx, c.key, print, c.run, find)
	c.result.Fence = end.fence
	if !end.replay {
		return c.result, err
	}
	var broken error
	c.result.Replayed = true
	if c.result.Value, err, broken = decode(g.codec(), end.result, g.Sentinels); broken != nil {
		err = c.fail(ErrNoResult, broken)
	}
	return c.result, err
}

func (g *Guard[A, R]) terms() terms {
	return newTerms(g.Name, g.Store, g.Lease, g.Retain, g.Patience)
}

func (g *Guard[A, R]) print(a A) (Fingerprint, error) {
	if g.Fingerprint != nil {
		return g.Fingerprint(a), nil
	}
	b, err := json.Marshal(a)
	return Fingerprinted(string(b)), err
}

func (g *Guard[A, R]) codec() Codec[R] {
	if g.Codec == nil {
		return JSON[R]{}
	}
	return g.Codec
}

// Do runs fn once for a key, and returns its outcome to this and all later calls with the key, as a [Guard]
// without settings does. There is no fingerprint: the key alone stands for what fn does.
func Do[R any](ctx context.Context, s Store, key string, fn func(context.Context) (R, error)) (R, error) {
	g := Guard[struct{}, R]{Store: s, Key: func(struct{}) string { return key }}
	if fn == nil {
		return g.Wrap(nil)(ctx, struct{}{})
	}
	return g.Wrap(func(ctx context.Context, _ struct{}) (R, error) { return fn(ctx) })(ctx, struct{}{})
}
