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
	var v T
	var err error
	begun := ctx != nil && fn != nil && p.plain() && ctx.Err() == nil
	if begun {
		if v, err = fn(ctx); err == nil {
			return v, nil
		}
	}
	v, err, w := start(ctx, p, fn, begun, v, err, nil)
	if w == nil {
		return v, err
	}
	for kept := w; ; {
		w.pass()
		if v, err, w = proceed(kept, fn, v); w == nil {
			*kept = waiting{}
			waitings.Put(kept)
			return v, err
		}
	}
}

// start begins a call and makes its attempts up to the first wait, which it returns if there is one:
// in w, or in a new place if w is nil. begun says that the first attempt was made already, with
// the outcome v, err.
func start[T any](ctx context.Context, p *Policy, fn func(context.Context) (T, error), begun bool, v T, err error, w *waiting) (T, error, *waiting) {
	var c call
	defer c.close(w)
	if begun {
		c.resume(ctx, p)
	} else {
		if e := c.open(ctx, p, fn == nil); e != nil {
			return v, e, nil
		}
		v, err = fn(c.begin())
	}
	return attempts(&c, fn, v, err, w)
}

// proceed makes the attempts of a call from the end of one wait to the next.
func proceed[T any](w *waiting, fn func(context.Context) (T, error), v T) (T, error, *waiting) {
	var c call
	defer c.close(w)
	c.restore(w)
	if e := c.wake(); e != nil {
		return v, e, nil
	}
	v, err := fn(c.begin())
	return attempts(&c, fn, v, err, w)
}

// attempts ends an attempt with the outcome v, err, and makes further ones up to the next wait.
func attempts[T any](c *call, fn func(context.Context) (T, error), v T, err error, w *waiting) (T, error, *waiting) {
	for {
		if err == nil {
			c.succeed()
			return v, nil, nil
		}
		if e := c.failed(err); e != nil {
			return v, e, nil
		}
		if c.wait > 0 {
			if w == nil {
				w = waitings.Get().(*waiting)
			}
			c.save(w)
			return v, nil, w
		}
		if e := c.wake(); e != nil {
			return v, e, nil
		}
		v, err = fn(c.begin())
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
