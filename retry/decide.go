package retry

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/relent-go/relent/backoff"
)

// minPause is the wait where a strategy says 0 but the other side may have seen the attempt.
const minPause = time.Millisecond

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
	var at time.Time // only read if somebody wants to know
	if c.extra != nil {
		at = time.Now()
		if !c.untimed() {
			c.took = at.Sub(c.began)
		}
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
	if c.extra == nil {
		at = time.Now()
	}
	return c.plan(at, scope)
}

// plan checks that the wait fits, and gets leave for the attempt after it.
func (c *call) plan(at time.Time, s *scope) *Error {
	if c.since == 0 {
		c.since, c.partial = since(at), true
	}
	if reason := c.late(at, s); reason != nil {
		return c.finish(reason)
	}
	if c.extra == nil && c.policy.Validate == nil {
		return nil
	}
	return c.permit(at)
}

// permit asks the validator and the gates for the next attempt, and tells the observer of it. It is apart
// from plan for the sake of the stack: few calls need it.
func (c *call) permit(at time.Time) *Error {
	if err := c.valid(at); err != nil {
		return c.finish(err)
	}
	if c.extra == nil {
		return nil
	}
	if len(c.policy.Gates) > 0 {
		if err := c.admission(at); err != nil {
			return c.finish(c.refusal(err))
		}
		if c.attempt.Wait != c.wait {
			c.adopt(at)
		}
	}
	if c.policy.Observer != nil {
		c.report(Event{Kind: Retrying, State: Failed, Wait: c.wait}, at)
	}
	return nil
}

// adopt takes over the wait that a gate chose, if it fits.
func (c *call) adopt(at time.Time) {
	wait, delay := c.wait, c.delay
	floor := c.floor()
	if c.wait = max(floor, c.attempt.Wait); c.wait == 0 && c.class != Transient {
		c.wait = minPause
	}
	if c.delay = c.wait - floor; c.late(at, c.scope()) != nil {
		c.wait, c.delay = wait, delay
	}
	c.attempt.Wait = c.wait
}

// prolong has the call wait for more, from a moment on, or says why that does not fit.
func (c *call) prolong(more time.Duration, at time.Time) error {
	c.wait, c.again, c.hinted = more, true, false
	return c.late(at, c.scope())
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
func (c *call) late(at time.Time, s *scope) error {
	need := sum(c.wait, c.policy.expected())
	if deadline, ok := c.outer.Deadline(); ok && deadline.Sub(at) <= need {
		return ErrDeadline
	}
	if most := c.policy.MaxElapsed; most > 0 && moment(c.since).Add(most).Sub(at) <= need {
		return ErrElapsed
	}
	if s != nil && !s.until.IsZero() && s.until.Sub(at) < c.wait {
		return ErrLimited
	}
	return nil
}

// valid asks the caller whether another attempt still makes sense.
func (c *call) valid(at time.Time) error {
	if c.policy.Validate == nil {
		return nil
	}
	a := Attempt{Policy: c.policy, Number: int(c.attempts) + 1, At: at, Wait: c.wait, Err: c.err, Class: c.class, Unknown: c.unknown}
	if c.extra != nil {
		a.Call = c.attempt.Call
	}
	if err := c.policy.Validate(c.bounded(), a); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}
