package idempotent

import (
	"context"
	"errors"

	"github.com/relent-go/relent/retry"
)

// A call is one use of a Guard.
type call[A, R any] struct {
	guard  *Guard[A, R]
	terms  terms
	key    string
	a      A
	fn     func(context.Context, A) (R, error)
	result Result[R]
}

func (c *call[A, R]) fail(reason, err error) error { return c.terms.fail(c.key, reason, err) }

// run calls the function. What its end means decides about the claim.
func (c *call[A, R]) run(ctx context.Context) verdict {
	g := c.guard
	v, err := c.fn(ctx, c.a)
	c.result.Value = v
	if err == nil {
		return verdict{effect: Applied, result: encode(g.codec(), v)}
	}
	if g.Duplicate != nil && g.Duplicate(err) {
		return c.duplicate(ctx, err)
	}
	class := g.classify(err)
	switch effectOf(err, class) {
	case Applied:
		return verdict{effect: Applied, result: encodeError(err, class, g.Sentinels), err: err}
	case Absent:
		return verdict{effect: Absent, err: err}
	}
	if cause := context.Cause(ctx); errors.Is(cause, ErrClaimLost) && !errors.Is(err, ErrClaimLost) {
		err = errors.Join(err, cause)
	}
	return verdict{err: c.fail(ErrUnknown, err)}
}

// duplicate settles a call whose key the other side has carried out before.
func (c *call[A, R]) duplicate(ctx context.Context, err error) verdict {
	if c.guard.Reconcile != nil {
		if v := c.find(ctx); v.effect == Applied {
			return v
		}
	}
	return verdict{effect: Applied, result: dropped, err: c.fail(ErrNoResult, err)}
}

// find asks what became of an earlier call.
func (c *call[A, R]) find(ctx context.Context) verdict {
	a := c.a
	f, err := c.guard.Reconcile(ctx, c.key, &a)
	v := c.guard.found(f, err)
	switch v.effect {
	case Applied:
		c.result.Value, c.result.Replayed = f.Value, true
	case Undetermined:
		v.err = c.fail(ErrUnknown, err)
	}
	return v
}

// findOrRun runs the function if it is shown that nothing happened.
func (c *call[A, R]) findOrRun(ctx context.Context) verdict {
	v := c.find(ctx)
	if v.effect == Absent {
		return c.run(ctx)
	}
	return v
}

// found is what a finding means for a claim. The error is that of the earlier call.
func (g *Guard[A, R]) found(f Finding[R], err error) verdict {
	switch {
	case err != nil:
		return verdict{}
	case f.Effect == Absent:
		return verdict{effect: Absent}
	case f.Effect != Applied:
		return verdict{}
	case f.Err != nil:
		return verdict{effect: Applied, result: encodeError(f.Err, g.classify(f.Err), g.Sentinels), err: f.Err}
	}
	return verdict{effect: Applied, result: encode(g.codec(), f.Value)}
}

func (g *Guard[A, R]) classify(err error) retry.Class {
	if g.Classify != nil {
		return g.Classify(err)
	}
	return retry.DefaultClassify(err)
}
