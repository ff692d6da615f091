package retry

import "context"

// guarded makes the first attempt of a call whose policy has gates, perhaps a meter, and nothing else to look after.
// Most such calls succeed at once, and then need no state but what the gates are told.
func guarded[T any](ctx context.Context, p *Policy, m Meter, fn func(context.Context) (T, error)) (v T, err error, _ *call, _ func(context.Context) (T, error)) {
	x := enter(ctx, p, m)
	running := false
	defer func() {
		if x != nil {
			x.abandon(running)
		}
	}()
	if err = x.admission(); err == nil {
		if err = x.leave(); err == nil {
			running = true
			v, err = fn(ctx)
		}
	}
	if err == nil && (m == nil || x.interest != Tell) {
		x.settle(Succeeded, nil, 0)
		ended := x
		x = nil // before the meter is told, so that one that panics is not told twice
		if m != nil {
			ended.count(since(ended.attempt.At))
		}
		ended.release()
		return v, nil, nil, nil
	}
	ended := x
	x = nil
	if err == nil {
		ended.applaud()
		return v, nil, nil, nil
	}
	return mend(ended, running, fn, v, err)
}

// enter begins a call with its first attempt about to be admitted.
func enter(ctx context.Context, p *Policy, m Meter) *extra {
	x := extras.Get().(*extra)
	if x.meter = m; m != nil {
		x.interest = m.Begin()
	}
	x.ctx, x.began = ctx, moment(now())
	a := &x.attempt
	a.Policy, a.Number, a.At = p, 1, x.began
	return x
}

// revive makes c the call that x belongs to, in its first attempt or before it.
func (c *call) revive(x *extra, running bool) {
	c.extra, c.policy, c.outer, c.since, c.live, c.running = x, x.attempt.Policy, x.ctx, since(x.began), true, running
	c.partial = x.untimed
	if running {
		c.attempts = 1
	}
}

// abandon ends a call whose function or gate panicked or ended its goroutine.
func (x *extra) abandon(running bool) {
	var c call
	c.revive(x, running)
	c.close(nil)
}

// mend goes on with a call whose first attempt failed with err, or was refused with it.
func mend[T any](x *extra, running bool, fn func(context.Context) (T, error), v T, err error) (T, error, *call, func(context.Context) (T, error)) {
	var c call
	defer c.close(nil)
	c.revive(x, running)
	if !c.running {
		return v, c.finish(c.refusal(err)), nil, nil
	}
	if e := c.failed(err); e != nil {
		return v, e, nil, nil
	}
	v, err, w := attempts(&c, fn, v, false, nil)
	return v, err, w, fn
}
