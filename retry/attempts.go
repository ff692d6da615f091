package retry

import (
	"context"
	"iter"
	"time"
)

// Attempts returns a loop whose body is the attempt:
//
//	for ctx := range retry.Attempts(ctx, p, &err) {
//		book, err = fetch(ctx) // = and not :=
//	}
//
// The body sets *err. The loop ends when *err is nil after the body, and otherwise when the policy
// says so; *err is then the [*Error] of the call. Before each body *err is set to
// [ErrUnreported], so a body that forgets to set it, or sets a variable that shadows it, ends the
// call. A body that leaves the loop (break, return) ends the call with the *err that it set.
//
// With a nil err nothing can be reported, so the body runs once.
func Attempts(ctx context.Context, s Source, err *error) iter.Seq[context.Context] {
	return func(yield func(context.Context) bool) {
		result := err
		if result == nil {
			result = new(error)
		}
		var c call
		defer c.close(nil)
		if e := c.open(ctx, current(s), false); e != nil {
			*result = e
			return
		}
		for {
			*result = ErrUnreported
			more := yield(c.begin())
			switch {
			case *result == nil:
				c.succeed()
				return
			case !more:
				c.leave(result)
				return
			}
			e := c.failed(*result)
			if e == nil {
				e = c.pause()
			}
			if e != nil {
				*result = e
				return
			}
		}
	}
}

// leave ends a call whose loop body broke off with an error.
func (c *call) leave(result *error) {
	err := *result
	var j judgement
	c.policy.judge(err, &j)
	c.err, c.class, c.known, c.unknown = err, j.class, j.known, c.unknown || j.unknown()
	if c.extra != nil {
		c.took = time.Since(c.began)
	}
	if c.outer.Err() != nil {
		c.settle(Canceled)
	} else {
		c.settle(Failed)
	}
	if err == ErrUnreported {
		*result = c.finish(ErrUnreported)
		return
	}
	c.finish(ErrLeft)
}

// pause waits before the next attempt, and returns the error that ends the call during the wait.
func (c *call) pause() *Error {
	for {
		if c.wait > 0 {
			w := c.save(nil)
			w.pass()
			*c = *w
			w.forget()
		}
		if e := c.wake(); e != nil || !c.again {
			return e
		}
	}
}
