package retry

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// minPause is the wait where a strategy says 0 but the other side may have seen the attempt.
const minPause = time.Millisecond

// A call is the state of one use of Do, Attempts or Go. It belongs to one goroutine at a time.
// Its life is open or resume, then begin and failed for each attempt with a wait between them, and
// succeed or finish; close does the rest when the function panics.
type call struct {
	policy *Policy
	outer  context.Context // the caller's
	ctx    context.Context // outer, ended at MaxElapsed
	stop   context.CancelFunc
	cancel context.CancelFunc // of the running attempt's context

	id       uint64
	started  time.Time // of the call; zero if nothing asked
	began    time.Time // of the attempt
	timed    bool      // the policy has parts that want times
	partial  bool      // started is the first failure
	live     bool      // between open and finish
	running  bool      // an attempt is under way
	admitted int       // gates[:admitted] hold the present attempt
	admit    Attempt   // as they were told of it

	attempts int   // begun
	below    int   // further ones made by calls nested in ours
	state    State // of the last attempt that began
	unknown  bool
	err      error // of the last attempt
	class    Class
	known    bool
	took     time.Duration

	delay time.Duration // the last backoff, without a hint
	wait  time.Duration // before the next attempt
	floor time.Duration // the part of wait that a nudge cannot shorten
	nudge <-chan struct{}
}

// set gives a call its policy and context.
func (c *call) set(ctx context.Context, p *Policy) {
	c.policy, c.nudge, c.live = p, p.Nudge, true
	if c.outer = ctx; ctx == nil {
		c.outer = context.Background()
	}
	c.ctx = c.outer
	if c.timed = !p.plain(); c.timed {
		c.started = time.Now()
		if len(p.Gates) > 0 || p.Observer != nil {
			c.id = rand.Uint64()
		}
	}
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
	}
	if p.MaxElapsed > 0 {
		c.ctx, c.stop = context.WithDeadlineCause(ctx, c.started.Add(p.MaxElapsed), ErrElapsed)
	}
	if err := c.admission(c.started); err != nil {
		return c.finish(c.refusal(err))
	}
	return nil
}

// resume begins a call of a plain policy whose first attempt was already made.
func (c *call) resume(ctx context.Context, p *Policy) {
	c.set(ctx, p)
	c.running, c.attempts = true, 1
}

// begin starts an admitted attempt and returns its context.
func (c *call) begin() context.Context {
	c.running = true
	c.attempts++
	ctx := c.ctx
	if c.timed {
		c.began = c.started
		if c.attempts > 1 {
			c.began = time.Now()
		}
	}
	if c.attempts > 1 && c.wait > 0 {
		// Lower layers learn that this is a retry. Without a wait the marker would cost more than the retry itself.
		s := descend(ctx)
		s.previous += c.attempts - 1
		ctx = s
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
	if c.policy.Observer != nil {
		now := time.Now()
		c.took = now.Sub(c.began)
		c.report(Event{Kind: Finished, State: Succeeded}, now)
	}
	c.release()
}

// failed ends an attempt. It returns the error that ends the call, or nil when c.wait must pass
// before the next attempt, which is then admitted.
func (c *call) failed(err error) *Error {
	p := c.policy
	ended := c.outer.Err() != nil
	timedOut := !ended && c.ctx.Err() != nil
	c.judge(err)
	if c.timed {
		c.took = time.Since(c.began)
	}
	switch {
	case ended:
		// The caller gave up while the attempt ran, so its error speaks of the caller.
		c.unknown = c.unknown || c.class == Permanent && canceled(err)
		c.settle(Canceled)
		return c.finish(context.Cause(c.outer))
	default:
		c.settle(Failed)
	}
	if timedOut {
		return c.finish(ErrElapsed)
	}
	switch {
	case err == ErrUnreported:
		c.unknown = true
		return c.finish(ErrUnreported)
	case c.class == Permanent:
		return c.finish(ErrPermanent)
	case c.class == Ambiguous && !p.Idempotent:
		return c.finish(ErrAmbiguous)
	case p.RetryIf != nil && !p.RetryIf(err):
		return c.finish(ErrDeclined)
	}
	scope := scopeOf(c.outer)
	if reason := c.spent(err, scope); reason != nil {
		return c.finish(reason)
	}
	hint := Hint(err)
	if hint > p.maxHint() {
		return c.finish(ErrHint)
	}
	c.choose(hint)
	now := c.now()
	if reason := c.late(now, scope); reason != nil {
		return c.finish(reason)
	}
	if err := c.valid(now); err != nil {
		return c.finish(err)
	}
	if err := c.admission(now); err != nil {
		return c.finish(c.refusal(err))
	}
	if p.Observer != nil {
		c.report(Event{Kind: Retrying, State: Failed, Wait: c.wait}, now)
	}
	return nil
}

// judge classifies an attempt's error and remembers what it says of the whole call.
func (c *call) judge(err error) {
	c.err, c.known = err, true
	if c.policy.Classify != nil {
		c.class = c.policy.Classify(err)
	} else if m, ok := err.(*marked); ok {
		c.class = m.class
	} else {
		c.class, c.known = classify(err)
	}
	if c.class > Permanent {
		c.class = Permanent // no such class: the one that retries least
	}
	if c.class == Ambiguous {
		c.unknown = true
	}
	if inner := nested(err); inner != nil {
		c.unknown = c.unknown || inner.Unknown
		c.below += max(0, inner.tries-1)
	}
}

// nested returns the error of a call nested in this one, the outermost if there are several.
// Unlike errors.AsType, it bears nil pointers with methods.
func nested(err error) (inner *Error) {
	walk(err, func(err error) bool {
		e, ok := err.(*Error)
		if ok && e != nil {
			inner = e
		}
		return inner == nil
	})
	return inner
}

// canceled is errors.Is(err, context.Canceled), but bears nil pointers with methods.
func canceled(err error) bool {
	return !walk(err, func(err error) bool { return err != context.Canceled })
}

// spent says why the number of attempts, or the scope of the call, allows no further one.
func (c *call) spent(err error, s *scope) error {
	done := c.attempts + c.below
	switch {
	case done >= c.policy.Attempts():
		return ErrExhausted
	case s == nil:
		return nil
	case s.previous > 0 && !c.policy.Nested:
		return ErrNested
	case s.maxAttempts > 0 && done >= s.maxAttempts, s.noRepeat && c.class == Ambiguous:
		return ErrLimited
	}
	return nil
}

// choose sets the wait before the next attempt. The hint comes on top of the backoff, whose jitter
// then keeps callers that were told the same moment from coming back together.
func (c *call) choose(hint time.Duration) {
	random := c.policy.Rand
	if random == nil {
		random = rand.Float64
	}
	c.delay = max(0, c.policy.strategy().Delay(c.attempts, c.delay, random()))
	c.wait, c.floor = c.delay, 0
	if c.wait == 0 && c.class != Transient {
		c.wait = minPause
	}
	if hint > 0 {
		c.wait, c.floor = sum(hint, c.delay), hint
	}
}

// now reads the clock where a wait, or a part of the policy, makes it worth while.
func (c *call) now() time.Time {
	if !c.timed && c.wait == 0 {
		return time.Time{}
	}
	now := time.Now()
	if c.started.IsZero() {
		c.started, c.partial = now, true
	}
	return now
}

// late says why the wait, and an attempt after it, do not fit into the time that is left.
func (c *call) late(now time.Time, s *scope) error {
	if now.IsZero() {
		return nil // no wait: the context was just found alive
	}
	need := sum(c.wait, c.policy.expected())
	if deadline, ok := c.outer.Deadline(); ok && deadline.Sub(now) <= need {
		return ErrDeadline
	}
	if most := c.policy.MaxElapsed; most > 0 && c.started.Add(most).Sub(now) <= need {
		return ErrElapsed
	}
	if s != nil && !s.until.IsZero() && s.until.Sub(now) < c.wait {
		return ErrLimited
	}
	return nil
}

// valid asks the caller whether another attempt still makes sense.
func (c *call) valid(now time.Time) error {
	if c.policy.Validate == nil {
		return nil
	}
	if err := c.policy.Validate(c.ctx, c.next(now)); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

func (c *call) next(now time.Time) Attempt {
	return Attempt{
		Policy:  c.policy,
		Call:    c.id,
		Number:  c.attempts + 1,
		At:      now,
		Wait:    c.wait,
		Err:     c.err,
		Class:   c.class,
		Unknown: c.unknown,
	}
}

// admission asks the gates for the next attempt.
func (c *call) admission(now time.Time) error {
	if len(c.policy.Gates) == 0 {
		return nil
	}
	c.admit = c.next(now)
	for _, g := range c.policy.Gates {
		if g != nil {
			if err := g.Admit(c.ctx, c.admit); err != nil {
				return err
			}
		}
		c.admitted++
	}
	return nil
}

// refusal says why a gate refused: because of the time, if that is what ended the gate's wait.
func (c *call) refusal(err error) error {
	if c.outer.Err() == nil && c.ctx.Err() != nil {
		return ErrElapsed
	}
	return err
}

// settle tells the gates, in reverse order, how the attempt they admitted ended.
func (c *call) settle(s State) {
	c.running = false
	if s != NotStarted {
		c.state = s
	}
	if c.cancel != nil {
		c.cancel()
		c.cancel = nil
	}
	if c.admitted == 0 {
		return
	}
	o := Outcome{State: s}
	if s != NotStarted {
		o.Start, o.Err, o.Class = c.began, c.err, c.class
		if c.took > 0 && s != Succeeded {
			o.End = c.began.Add(c.took)
		}
	}
	for c.admitted > 0 {
		c.admitted-- // first, so that a gate that panics is not settled twice
		if g := c.policy.Gates[c.admitted]; g != nil {
			g.Settle(c.admit, o)
		}
	}
}

// pause waits before the next attempt, and returns the error that ends the call during the wait.
func (c *call) pause() *Error {
	if c.wait > 0 {
		c.sleep()
	}
	return c.wake()
}

// sleep returns after c.wait, or when the context ends, or when a nudge comes.
func (c *call) sleep() {
	before := c.nudgedBefore()
	wait, nudge := c.wait, c.nudge
	if before {
		if wait = c.floor; wait <= 0 {
			return
		}
		nudge = nil
	}
	until := time.Now().Add(c.floor)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case <-c.ctx.Done():
			return
		case _, open := <-nudge:
			if !open {
				c.nudge = nil
			}
			if nudge = nil; c.floor <= 0 {
				return
			}
			timer.Reset(time.Until(until)) // never sooner than the other side asked
		}
	}
}

// nudgedBefore takes a nudge that came before the wait. A channel that is closed by then nudges
// this call no more: it would make every wait of every call end at once.
func (c *call) nudgedBefore() bool {
	select {
	case _, open := <-c.nudge:
		if !open {
			c.nudge = nil
		}
		return open
	default:
		return false
	}
}

// wake asks again, after a wait, what may have changed during it.
func (c *call) wake() *Error {
	if c.outer.Err() != nil {
		return c.finish(context.Cause(c.outer))
	}
	if c.ctx.Err() != nil {
		return c.finish(ErrElapsed)
	}
	if c.wait > 0 && c.policy.Validate != nil {
		if err := c.valid(time.Now()); err != nil {
			return c.finish(err)
		}
	}
	return nil
}

// finish ends the call: it gives back what the gates hold, reports, and builds the error.
func (c *call) finish(reason error) *Error {
	c.settle(NotStarted)
	e := &Error{
		Name:     c.policy.Name,
		Attempts: c.attempts,
		Reason:   reason,
		Last:     c.err,
		Unknown:  c.unknown,
		class:    c.class,
		partial:  c.partial,
		tries:    c.attempts + c.below,
	}
	if c.policy.Nested {
		e.tries = 1
	}
	if c.attempts == 0 {
		e.class, _ = classify(reason)
	}
	if !c.started.IsZero() {
		now := time.Now()
		e.Elapsed = now.Sub(c.started)
		c.report(Event{Kind: Finished, State: c.state, Reason: reason}, now)
	}
	c.release()
	return e
}

func (c *call) report(e Event, now time.Time) {
	if c.policy.Observer == nil {
		return
	}
	e.Policy, e.Call, e.At, e.Attempts = c.policy, c.id, now, c.attempts
	e.Err, e.Class, e.Unclassified, e.Unknown, e.Took = c.err, c.class, !c.known, c.unknown, c.took
	e.Elapsed = now.Sub(c.started)
	c.live = c.live && e.Kind != Finished // before the call, so that an observer that panics is not told twice
	c.policy.Observer.Observe(c.outer, e)
}

// release ends the contexts of the call.
func (c *call) release() {
	c.live = false
	if c.stop != nil {
		c.stop()
		c.stop = nil
	}
}

// close settles and reports a call whose function, gate or observer panicked or ended its
// goroutine. For a call that has ended it does nothing, and returns nil.
func (c *call) close() *Error {
	if !c.live {
		return nil
	}
	if c.running {
		c.unknown = true
		c.settle(Panicked)
	}
	return c.finish(ErrPanicked)
}
