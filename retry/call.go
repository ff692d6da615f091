package retry

import (
	"context"
	"time"
)

// A call is the state of one use of Do, Attempts or Go. It belongs to one goroutine at a time.
// Its life is open or resume, then begin and failed for each attempt with a wait between them, and
// succeed or finish; close does the rest when the function panics.
//
// It lives on the stack while attempts are made, and in a place of its own while it waits. Its size is what a
// waiting call costs, so what most calls do not need is in extra.
type call struct {
	*extra // nil for a plain policy
	policy *Policy
	outer  context.Context // the caller's

	err      error // of the last attempt
	since    int64 // when the call began, or when it first failed if partial; 0 if nothing asked
	attempts int32 // begun
	below    int32 // further ones made by calls nested in ours

	delay time.Duration // the last backoff, without a hint
	wait  time.Duration // before the present attempt

	class   Class // of err
	known   bool  // somebody knew err
	unknown bool  // some attempt may have acted
	state   State // of the last attempt that began
	partial bool  // since lacks the first attempt
	live    bool  // between open and finish
	running bool  // an attempt is under way
	deaf    bool  // the nudge channel was closed
	hinted  bool  // wait is what the other side asked for, and delay
	again   bool  // wait is one more that a gate asked for, at the end of another

	unscoped bool // the context has no scope
}

// set gives a call its policy and context.
func (c *call) set(ctx context.Context, p *Policy) {
	c.policy, c.outer, c.live = p, ctx, true
	if ctx == nil {
		c.outer = context.Background()
	}
	if p.plain() {
		return
	}
	c.extra = extras.Get().(*extra)
	if c.meter, _ = p.Observer.(Meter); c.meter != nil {
		c.interest = c.meter.Begin()
	}
	c.ctx, c.since = c.outer, now()
	c.began = moment(c.since)
}

// open begins a call and admits its first attempt.
func (c *call) open(ctx context.Context, p *Policy, noFunc bool) *Error {
	c.set(ctx, p)
	switch {
	case ctx == nil:
		return c.finish(ErrNilContext)
	case noFunc:
		return c.finish(ErrNilFunc)
	case ctx.Err() != nil:
		return c.finish(context.Cause(ctx))
	case c.extra == nil:
		return nil
	}
	if p.MaxElapsed > 0 {
		c.ctx, c.stop = context.WithDeadlineCause(ctx, c.began.Add(p.MaxElapsed), ErrElapsed)
	}
	if len(p.Gates) == 0 {
		return nil
	}
	err := c.admission(c.began)
	if err == nil {
		err = c.extra.leave()
	}
	if err != nil {
		return c.finish(c.refusal(err))
	}
	return nil
}

// resume begins a call of a plain policy whose first attempt was already made.
func (c *call) resume(ctx context.Context, p *Policy) {
	c.policy, c.outer, c.live = p, ctx, true
	c.running, c.attempts = true, 1
}

// bounded is the context of the call: the caller's, ended at MaxElapsed.
func (c *call) bounded() context.Context {
	if c.extra == nil {
		return c.outer
	}
	return c.ctx
}

// begin starts an admitted attempt and returns its context.
func (c *call) begin() context.Context {
	c.running = true
	c.attempts++
	ctx := c.bounded()
	if c.attempts > 1 && c.wait > 0 {
		// Lower layers learn that this is a retry. Without a wait the marker would cost more than the retry itself.
		s := descend(ctx)
		s.previous += int(c.attempts) - 1
		ctx = s
	}
	if c.extra == nil {
		return ctx
	}
	if c.attempts > 1 {
		c.began = moment(now())
	}
	if c.policy.AttemptTimeout > 0 {
		ctx, c.cancel = context.WithTimeoutCause(ctx, c.policy.AttemptTimeout, ErrAttemptTimeout)
	}
	return ctx
}

// succeed ends the call well.
func (c *call) succeed() {
	c.err, c.class, c.known = nil, 0, true
	c.settle(Succeeded)
	if c.policy.Observer != nil && !c.counted() {
		at := time.Now()
		c.took = at.Sub(c.began)
		c.report(Event{Kind: Finished, State: Succeeded}, at)
	}
	c.release()
}

// wake asks again, after a wait, what may have changed during it. c.again then says that there is another wait.
func (c *call) wake() *Error {
	if c.extra == nil && c.wait == 0 && (c.policy.RetryIf == nil || c.outer.Err() == nil) {
		return nil // nobody waited or was asked since the context was found alive
	}
	if c.wait > 0 && c.extra != nil && c.meter != nil && !c.again {
		c.meter.Wake()
	}
	c.again = false
	if reason := c.ended(); reason != nil {
		return c.finish(reason)
	}
	waited := c.wait > 0
	if len(c.policy.Gates) > 0 {
		late, err := c.awaken()
		if err != nil {
			return c.finish(err)
		}
		if c.again {
			return nil
		}
		waited = waited || late
	}
	if waited && c.policy.Validate != nil {
		if err := c.valid(time.Now()); err != nil {
			return c.finish(err)
		}
	}
	if len(c.policy.Gates) > 0 {
		if err := c.lastWord(); err != nil {
			return c.finish(c.refusal(err))
		}
	}
	return nil
}

// ended says what ended the call while it waited.
func (c *call) ended() error {
	switch {
	case c.outer.Err() != nil:
		return context.Cause(c.outer)
	case c.extra == nil:
		return nil
	case c.ctx.Err() != nil:
		return ErrElapsed
	case c.halted != nil && c.halted.Err() != nil:
		return context.Cause(c.halted)
	}
	return nil
}

// finish ends the call: it gives back what the gates hold, reports, and builds the error.
func (c *call) finish(reason error) *Error {
	c.settle(NotStarted)
	e := &Error{
		Name:     c.policy.Name,
		Attempts: int(c.attempts),
		Reason:   reason,
		Last:     c.err,
		Unknown:  c.unknown,
		class:    c.class,
		partial:  c.partial,
		tries:    int(c.attempts) + int(c.below),
	}
	if c.policy.Nested {
		e.tries = 1
	}
	if c.attempts == 0 {
		e.class, _ = classify(reason)
	}
	if c.since != 0 {
		at := time.Now()
		if !c.untimed() {
			e.Elapsed = time.Duration(since(at) - c.since)
		}
		if c.policy.Observer != nil {
			c.report(Event{Kind: Finished, State: c.state, Reason: reason}, at)
		}
	}
	c.release()
	return e
}

// report tells the observer, which there is.
func (c *call) report(e Event, at time.Time) {
	e.Policy, e.Call, e.At, e.Attempts = c.policy, c.attempt.Call, at, int(c.attempts)
	e.Err, e.Class, e.Unclassified, e.Unknown, e.Took = c.err, c.class, !c.known, c.unknown, c.took
	if e.Partial = c.partial; !c.untimed() {
		e.Elapsed = time.Duration(since(at) - c.since)
	}
	if e.Told = e.Kind == Finished && c.attempts > 0 && c.told == c.attempts; e.Kind == Retrying {
		c.told = c.attempts
	}
	c.live = c.live && e.Kind != Finished // before the call, so that an observer that panics is not told twice
	c.policy.Observer.Observe(c.outer, e)
}

// untimed says that nothing is known of how long the call took, because its only attempt was not timed.
func (c *call) untimed() bool { return c.extra != nil && c.extra.untimed && c.attempts == 1 }

// release ends the context of the call, and gives back what it does not need any more.
func (c *call) release() {
	c.live = false
	if x := c.extra; x != nil {
		c.extra = nil
		x.release()
	}
}

// close settles and reports a call whose function, gate or observer panicked or ended its
// goroutine, and leaves the error in w unless that is nil. For a call that has ended it does nothing.
func (c *call) close(w *call) {
	if !c.live {
		return
	}
	if c.running {
		c.unknown = true
		c.settle(Panicked)
	}
	if e := c.finish(ErrPanicked); w != nil {
		w.err = e
	}
}
