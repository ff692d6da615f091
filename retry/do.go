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
	if ctx != nil && fn != nil && p.plain() && ctx.Err() == nil {
		v, err := fn(ctx)
		if err == nil {
			return v, nil
		}
		return rest(later(ctx, p, fn, v, err))
	}
	return rest(begin(ctx, p, fn))
}

// begin makes a call up to its first wait.
func begin[T any](ctx context.Context, p *Policy, fn func(context.Context) (T, error)) (T, error, *call, func(context.Context) (T, error)) {
	if ctx != nil && fn != nil && p.AttemptTimeout <= 0 && p.MaxElapsed <= 0 && ctx.Err() == nil {
		m, ok := p.Observer.(Meter)
		switch {
		case len(p.Gates) == 0 && ok:
			return metered(ctx, p, m, fn)
		case len(p.Gates) > 0 && (ok || p.Observer == nil):
			return guarded(ctx, p, m, fn)
		}
	}
	v, err, w := start(ctx, p, fn, nil)
	return v, err, w, fn
}

// later goes on with a call of a plain policy whose first attempt failed with v, err, up to the first wait.
// Most failures end the call right here, so they come before the state of a call.
func later[T any](ctx context.Context, p *Policy, fn func(context.Context) (T, error), v T, err error) (T, error, *call, func(context.Context) (T, error)) {
	var j judgement
	p.judge(err, &j)
	if reason := j.final(p); reason != nil && err != ErrUnreported && ctx.Err() == nil {
		return v, j.end(p, err, reason), nil, nil
	}
	v, err, w := again(ctx, p, fn, v, err, &j)
	return v, err, w, fn
}

// rest ends a call that ended, or waits as w: it then makes the attempts that are left. Its frames are what
// a waiting goroutine holds.
func rest[T any](v T, err error, w *call, fn func(context.Context) (T, error)) (T, error) {
	if w == nil {
		return v, err
	}
	for next := w; next != nil; {
		if w.policy.Nudge == nil && w.extra == nil {
			w.sleep()
		} else {
			w.listen()
		}
		v, err, next = proceed(w, fn)
	}
	w.forget()
	return v, err
}

// again makes the attempts of a plain call after the first, up to the first wait, which it returns if
// there is one.
func again[T any](ctx context.Context, p *Policy, fn func(context.Context) (T, error), v T, err error, j *judgement) (T, error, *call) {
	var c call
	defer c.close(nil)
	c.resume(ctx, p)
	if e := c.decide(err, j); e != nil {
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
func proceed[T any](w *call, fn func(context.Context) (T, error)) (v T, _ error, _ *call) {
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
		if c.again {
			return v, nil, c.save(w)
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
