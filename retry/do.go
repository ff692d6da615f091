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
	var w *call
	if ctx != nil && fn != nil && p.plain() && ctx.Err() == nil {
		if v, err = fn(ctx); err == nil {
			return v, nil
		}
		v, err, w = again(ctx, p, fn, v, err)
	} else {
		v, err, w = start(ctx, p, fn, nil)
	}
	if w == nil {
		return v, err
	}
	for kept := w; ; {
		w.pass()
		if v, err, w = proceed(kept, fn, v); w == nil {
			kept.forget()
			return v, err
		}
	}
}

// again goes on with a call of a plain policy whose first attempt failed with v, err. Like start, it
// returns at the first wait. Most failures end the call right here, so they come before the state of a call.
func again[T any](ctx context.Context, p *Policy, fn func(context.Context) (T, error), v T, err error) (T, error, *call) {
	j := p.judge(err)
	if reason := j.final(p); reason != nil && err != ErrUnreported && ctx.Err() == nil {
		return v, j.end(p, err, reason), nil
	}
	var c call
	defer c.close(nil)
	c.resume(ctx, p)
	if e := c.decide(err, &j); e != nil {
		return v, e, nil
	}
	return attempts(&c, fn, v, false, nil)
}

// start begins a call and makes its attempts up to the first wait, which it returns if there is one:
// in w, or in a new place if w is nil.
func start[T any](ctx context.Context, p *Policy, fn func(context.Context) (T, error), w *call) (v T, err error, _ *call) {
	var c call
	defer c.close(w)
	if e := c.open(ctx, p, fn == nil); e != nil {
		return v, e, nil
	}
	if v, err = fn(c.begin()); err == nil {
		c.succeed()
		return v, nil, nil
	}
	if e := c.failed(err); e != nil {
		return v, e, nil
	}
	return attempts(&c, fn, v, false, w)
}

// proceed makes the attempts of a call from the end of one wait to the next.
func proceed[T any](w *call, fn func(context.Context) (T, error), v T) (T, error, *call) {
	c := *w
	defer c.close(w)
	return attempts(&c, fn, v, true, w)
}

// attempts makes attempts up to the next wait, which it returns. The first was admitted; passed says that
// the wait before it is over.
func attempts[T any](c *call, fn func(context.Context) (T, error), v T, passed bool, w *call) (_ T, err error, _ *call) {
	for ; ; passed = false {
		if c.wait > 0 && !passed {
			return v, nil, c.save(w)
		}
		if e := c.wake(); e != nil {
			return v, e, nil
		}
		if v, err = fn(c.begin()); err == nil {
			c.succeed()
			return v, nil, nil
		}
		if e := c.failed(err); e != nil {
			return v, e, nil
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
