package retry

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/relent-go/relent/backoff"
)

// minPause is the wait where a strategy says 0 but the other side may have seen the attempt.
const minPause = time.Millisecond

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
	since    int64 // nanoseconds after epoch when the call began, or when it first failed if partial; 0 if nothing asked
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

	unscoped bool // the context has no scope
}

// extra is the state of a call whose policy has gates, an observer or a timeout.
type extra struct {
	ctx    context.Context // the caller's, ended at MaxElapsed
	stop   context.CancelFunc
	cancel context.CancelFunc // of the running attempt's context

	id       uint64
	started  time.Time
	asked    time.Duration // when the present attempt was admitted, after started
	began    time.Duration // when it began
	took     time.Duration // how long the last attempt that ended ran
	admitted int           // gates[:admitted] hold the present attempt

	// What the gates were told of the attempts before the present one.
	before        error
	beforeClass   Class
	beforeUnknown bool
}

// extras are used again, so that gates and observers cost no allocation. None is referred to once its call
// has ended.
var extras = sync.Pool{New: func() any { return new(extra) }}

// epoch is what call.since counts from. It only makes moments small.
var epoch = time.Now().Add(-time.Second)

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
	c.ctx, c.started = c.outer, time.Now()
	c.since = int64(c.started.Sub(epoch))
	if len(p.Gates) > 0 || p.Observer != nil {
		c.id = rand.Uint64()
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
	case c.extra == nil:
		return nil
	}
	if p.MaxElapsed > 0 {
		c.ctx, c.stop = context.WithDeadlineCause(ctx, c.started.Add(p.MaxElapsed), ErrElapsed)
	}
	if err := c.admission(); err != nil {
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
		c.began = time.Since(c.started)
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
		c.took = now.Sub(c.started) - c.began
		c.report(Event{Kind: Finished, State: Succeeded}, now)
	}
	c.release()
}

// failed ends an attempt. It returns the error that ends the call, or nil when c.wait must pass
// before the next attempt, which is then admitted.
func (c *call) failed(err error) *Error {
	var j judgement
	c.policy.judge(err, &j)
	return c.decide(err, &j)
}

// decide is failed for an error that was judged already.
func (c *call) decide(err error, j *judgement) *Error {
	c.err, c.class, c.known = err, j.class, j.known
	c.unknown = c.unknown || j.unknown()
	if j.inner != nil {
		c.below += j.below()
	}
	if c.extra != nil {
		c.took = time.Since(c.started) - c.began
	}
	if c.outer.Err() != nil {
		// The caller gave up while the attempt ran, so its error speaks of the caller.
		c.unknown = c.unknown || c.class == Permanent && j.canceled
		c.settle(Canceled)
		return c.finish(context.Cause(c.outer))
	}
	elapsed := c.extra != nil && c.ctx.Err() != nil
	c.settle(Failed)
	p := c.policy
	switch {
	case elapsed:
		return c.finish(ErrElapsed)
	case err == ErrUnreported:
		c.unknown = true
		return c.finish(ErrUnreported)
	}
	if reason := j.final(p); reason != nil {
		return c.finish(reason)
	}
	if p.RetryIf != nil && !p.RetryIf(err) {
		return c.finish(ErrDeclined)
	}
	scope := c.scope()
	if reason := c.spent(scope); reason != nil {
		return c.finish(reason)
	}
	if j.hint > p.maxHint() {
		return c.finish(ErrHint)
	}
	c.choose(j.hint)
	if c.wait == 0 && c.extra == nil && p.Validate == nil {
		return nil // nobody to ask or tell, and the context was just found alive
	}
	return c.plan(scope)
}

// plan checks that the wait fits, and gets leave for the attempt after it.
func (c *call) plan(s *scope) *Error {
	now := time.Now()
	if c.since == 0 {
		c.since, c.partial = int64(now.Sub(epoch)), true
	}
	if reason := c.late(now, s); reason != nil {
		return c.finish(reason)
	}
	if c.extra == nil && c.policy.Validate == nil {
		return nil
	}
	return c.permit(now)
}

// permit asks the validator and the gates for the next attempt, and tells the observer of it. It is apart
// from plan for the sake of the stack: few calls need it.
func (c *call) permit(now time.Time) *Error {
	if err := c.valid(now); err != nil {
		return c.finish(err)
	}
	if c.extra == nil {
		return nil
	}
	c.asked = now.Sub(c.started)
	if err := c.admission(); err != nil {
		return c.finish(c.refusal(err))
	}
	if c.policy.Observer != nil {
		c.report(Event{Kind: Retrying, State: Failed, Wait: c.wait}, now)
	}
	return nil
}

// scope looks into the context. That there is nothing is worth remembering.
func (c *call) scope() *scope {
	if c.unscoped {
		return nil
	}
	s := scopeOf(c.outer)
	c.unscoped = s == nil
	return s
}

// spent says why the number of attempts, or the scope of the call, allows no further one.
func (c *call) spent(s *scope) error {
	done := int(c.attempts) + int(c.below)
	switch {
	case done >= c.policy.Attempts(), done >= mostAttempts/2:
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
	strategy := c.policy.strategy()
	if s, ok := strategy.(backoff.Constant); ok && s.Wait <= 0 {
		c.delay = 0 // nothing to draw: of a retry without a wait, the draw would be a quarter of the cost
	} else {
		random := c.policy.Rand
		if random == nil {
			random = rand.Float64
		}
		c.delay = max(0, strategy.Delay(int(c.attempts), c.delay, random()))
	}
	c.wait, c.hinted = c.delay, hint > 0
	if c.hinted {
		c.wait = sum(hint, c.delay)
	} else if c.wait == 0 && c.class != Transient {
		c.wait = minPause
	}
}

// floor is the part of the wait that a nudge cannot shorten.
func (c *call) floor() time.Duration {
	if !c.hinted {
		return 0
	}
	return c.wait - c.delay
}

// late says why the wait, and an attempt after it, do not fit into the time that is left.
func (c *call) late(now time.Time, s *scope) error {
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
	a := Attempt{Policy: c.policy, Number: int(c.attempts) + 1, At: now, Wait: c.wait, Err: c.err, Class: c.class, Unknown: c.unknown}
	if c.extra != nil {
		a.Call = c.id
	}
	if err := c.policy.Validate(c.bounded(), a); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// admission asks the gates for the next attempt.
func (c *call) admission() error {
	if len(c.policy.Gates) == 0 {
		return nil
	}
	c.before, c.beforeClass, c.beforeUnknown = c.err, c.class, c.unknown
	a := c.attempt(c.attempts + 1)
	for _, g := range c.policy.Gates {
		if g != nil {
			if err := g.Admit(c.ctx, a); err != nil {
				return err
			}
		}
		c.admitted++
	}
	return nil
}

// attempt is what the gates are told of the attempt they hold.
func (c *call) attempt(number int32) Attempt {
	return Attempt{
		Policy:  c.policy,
		Call:    c.id,
		Number:  int(number),
		At:      c.started.Add(c.asked),
		Wait:    c.wait,
		Err:     c.before,
		Class:   c.beforeClass,
		Unknown: c.beforeUnknown,
	}
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
	if c.extra != nil {
		c.hand(s)
	}
}

// hand is settle for what only some policies have: it hands the attempt back to the gates.
func (c *call) hand(s State) {
	if c.cancel != nil {
		c.cancel()
		c.cancel = nil
	}
	if c.admitted == 0 {
		return
	}
	a, o := c.attempt(c.attempts), Outcome{State: s}
	if s == NotStarted {
		a.Number++
	} else {
		o.Start, o.Err, o.Class = c.started.Add(c.began), c.err, c.class
		if s != Succeeded && c.took > 0 {
			o.End = o.Start.Add(c.took)
		}
	}
	for c.admitted > 0 {
		c.admitted-- // first, so that a gate that panics is not settled twice
		if g := c.policy.Gates[c.admitted]; g != nil {
			g.Settle(a, o)
		}
	}
}

// wake asks again, after a wait, what may have changed during it.
func (c *call) wake() *Error {
	if c.outer.Err() != nil {
		return c.finish(context.Cause(c.outer))
	}
	if c.extra != nil && c.ctx.Err() != nil {
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
		now := time.Now()
		e.Elapsed = now.Sub(epoch) - time.Duration(c.since)
		if c.policy.Observer != nil {
			c.report(Event{Kind: Finished, State: c.state, Reason: reason}, now)
		}
	}
	c.release()
	return e
}

// report tells the observer, which there is.
func (c *call) report(e Event, now time.Time) {
	e.Policy, e.Call, e.At, e.Attempts = c.policy, c.id, now, int(c.attempts)
	e.Err, e.Class, e.Unclassified, e.Unknown, e.Took = c.err, c.class, !c.known, c.unknown, c.took
	e.Elapsed = now.Sub(c.started)
	c.live = c.live && e.Kind != Finished // before the call, so that an observer that panics is not told twice
	c.policy.Observer.Observe(c.outer, e)
}

// release ends the context of the call, and gives back what it does not need any more.
func (c *call) release() {
	c.live = false
	if x := c.extra; x != nil {
		if x.stop != nil {
			x.stop()
		}
		c.extra = nil
		*x = extra{}
		extras.Put(x)
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
