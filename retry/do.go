package retry

import "context"

// Do calls fn until it succeeds or the policy says to stop, and returns the last attempt's value.
// The error is nil or an [*Error]; the value of a last attempt that failed is returned with it.
//
// Do runs fn in the caller's goroutine and blocks during the waits; the end of ctx ends a wait.
// A context that is already done, a nil ctx and a nil fn run nothing. fn should obey the context it
// is given, which carries the timeouts of the policy: an attempt that does not is waited for.
//
// Do is safe for concurrent use. A call whose first attempt succeeds allocates nothing.
func Do[T any](ctx context.Context, s Source, fn func(context.Context) (T, error)) (T, error) {
	p := current(s)
	if ctx == nil || fn == nil || !p.plain() || ctx.Err() != nil {
		var zero T
		return do(ctx, p, fn, false, zero, nil)
	}
	v, err := fn(ctx)
	if err == nil {
		return v, nil
	}
	return do(ctx, p, fn, true, v, err)
}

// do makes the attempts of a call. begun says that the first one was made already, with the
// outcome v, err.
func do[T any](ctx context.Context, p *Policy, fn func(context.Context) (T, error), begun bool, v T, err error) (T, error) {
	var c call
	defer c.close()
	if begun {
		c.resume(ctx, p)
	} else if e := c.open(ctx, p, fn == nil); e != nil {
		return v, e
	}
	for {
		if !begun {
			v, err = fn(c.begin())
		}
		begun = false
		if err == nil {
			c.succeed()
			return v, nil
		}
		if e := c.failed(err); e != nil {
			return v, e
		}
		if e := c.pause(); e != nil {
			return v, e
		}
	}
}

// Run is [Do] for a function without a value.
func Run(ctx context.Context, s Source, fn func(context.Context) error) error {
	if fn == nil {
		_, err := Do[struct{}](ctx, s, nil)
		return err
	}
	_, err := Do(ctx, s, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
	return err
}

// Wrap returns fn with retries: a function of the same shape that calls it through [Do]. The
// policy is taken from s anew for each call. The argument is passed to every attempt, so fn must
// leave it as it found it.
func Wrap[A, R any](s Source, fn func(context.Context, A) (R, error)) func(context.Context, A) (R, error) {
	if fn == nil {
		return func(ctx context.Context, _ A) (R, error) { return Do[R](ctx, s, nil) }
	}
	return func(ctx context.Context, a A) (R, error) {
		return Do(ctx, s, func(ctx context.Context) (R, error) { return fn(ctx, a) })
	}
}
