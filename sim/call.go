package sim

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// epoch is when every run begins. Like all times of a run it has no monotonic reading, so differences are exact.
var epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// minPause is the engine's wait where a strategy says 0 but the other side may have seen the attempt.
const minPause = time.Millisecond

// A call is one use of retry.Do on virtual time: the same steps in the same order, with the same policy,
// strategy, gates, validator and observer, but the caller says when each thing happens. A test compares it with retry.Do.
//
// Its life is open, then succeed or fail for each attempt, and wake or halt for each wait that fail returned.
type call struct {
	policy *retry.Policy

	started time.Duration
	began   time.Duration // when the present attempt began
	took    time.Duration // the last attempt that ended
	delay   time.Duration // the last backoff
	wait    time.Duration // before the present attempt
	hint    time.Duration // the part of it that the other side asked for

	attempts int // begun
	admitted int // policy.Gates[:admitted] hold the present attempt
	err      error
	class    retry.Class
	unknown  bool
	state    retry.State

	attempt retry.Attempt // as the gates were told of it
	outcome retry.Outcome // while they are told of it
	halter  retry.Halter
	haltAt  int             // its place among the gates; -1 without one
	halted  context.Context // of the present wait

	ends ends

	few  [4]uint64 // the notes of the gates
	many []uint64  // the notes of all gates, if there are more

	reason error // why it gave up
	over   bool
	again  bool // wait is one more that a gate asked for, at the end of another
}

// ends is a context that only knows when MaxElapsed is over, in virtual time.
type ends struct {
	context.Context
	at time.Time
}

// Deadline implements context.Context.
func (e *ends) Deadline() (time.Time, bool) { return e.at, true }

// context is what gates are handed.
func (c *call) context() context.Context {
	if c.policy.MaxElapsed <= 0 {
		return context.Background()
	}
	c.ends = ends{context.Background(), at(c.started + c.policy.MaxElapsed)}
	return &c.ends
}

// at is a moment of the run as gates and observers see it.
func at(t time.Duration) time.Time { return epoch.Add(t) }

// open begins a call. It says whether the first attempt begins.
func (c *call) open(p *retry.Policy, id uint64, lane uint32, now time.Duration) bool {
	*c = call{policy: p, started: now, began: now, haltAt: -1, attempt: retry.Attempt{Call: id, Lane: lane}}
	for i, g := range p.Gates {
		if h, ok := g.(retry.Halter); ok {
			c.halter, c.haltAt = h, i
			break
		}
	}
	if n := len(p.Gates); n > len(c.few) {
		c.many = make([]uint64, n)
	}
	err := c.admit(now)
	if err == nil {
		_, err = c.awaken(now)
	}
	if err == nil {
		err = c.lastWord()
	}
	if err != nil {
		return c.finish(err, now)
	}
	c.begin(now)
	return true
}

func (c *call) begin(now time.Duration) {
	c.attempts++
	c.began = now
}

// succeed ends the call well.
func (c *call) succeed(now time.Duration) {
	c.err, c.class, c.took = nil, 0, now-c.began
	c.settle(retry.Succeeded, now)
	c.over = true
	c.report(retry.Event{Kind: retry.Finished, State: retry.Succeeded}, now)
}

// fail ends an attempt. It says whether another one was admitted, and begins after c.wait.
func (c *call) fail(err error, now time.Duration) bool {
	p := c.policy
	c.err, c.class, c.took = err, c.classify(err), now-c.began
	c.unknown = c.unknown || c.class == retry.Ambiguous
	c.settle(retry.Failed, now)
	switch {
	case p.MaxElapsed > 0 && now >= c.started+p.MaxElapsed:
		return c.finish(retry.ErrElapsed, now)
	case c.class == retry.Permanent:
		return c.finish(retry.ErrPermanent, now)
	case c.class == retry.Ambiguous && !p.Idempotent:
		return c.finish(retry.ErrAmbiguous, now)
	case p.RetryIf != nil && !p.RetryIf(err):
		return c.finish(retry.ErrDeclined, now)
	case c.attempts >= p.Attempts():
		return c.finish(retry.ErrExhausted, now)
	}
	if c.hint = retry.Hint(err); c.hint > c.maxHint() {
		return c.finish(retry.ErrHint, now)
	}
	c.choose()
	if c.late(now) {
		return c.finish(retry.ErrElapsed, now)
	}
	if err := c.validate(now); err != nil {
		return c.finish(err, now)
	}
	if err := c.admit(now); err != nil {
		return c.finish(err, now)
	}
	c.adopt(now)
	c.report(retry.Event{Kind: retry.Retrying, State: retry.Failed, Wait: c.wait}, now)
	return true
}

// late says that the wait, and an attempt after it, do not fit into the time that is left.
func (c *call) late(now time.Duration) bool {
	most := c.policy.MaxElapsed
	return most > 0 && c.started+most-now <= c.wait+c.expected()
}

// adopt takes over the wait that a gate chose, if it fits.
func (c *call) adopt(now time.Duration) {
	if len(c.policy.Gates) == 0 || c.attempt.Wait == c.wait {
		return
	}
	wait := c.wait
	c.wait = c.pause(max(c.hint, c.attempt.Wait))
	if c.late(now) {
		c.wait = wait
	} else {
		c.delay = c.wait - c.hint
	}
	c.attempt.Wait = c.wait
}

// wake ends a wait. It says whether the call goes on: with another wait if c.again says so, and else with the attempt.
func (c *call) wake(now time.Duration) bool {
	c.again = false
	if c.stopped() {
		return c.finish(context.Cause(c.halted), now)
	}
	asked, err := c.awaken(now)
	if err != nil {
		return c.finish(err, now)
	}
	if c.again {
		if c.late(now) {
			return c.finish(retry.ErrElapsed, now)
		}
		return true
	}
	if c.wait > 0 || asked {
		if err := c.validate(now); err != nil {
			return c.finish(err, now)
		}
	}
	if err := c.lastWord(); err != nil {
		return c.finish(err, now)
	}
	c.begin(now)
	return true
}

// stopped says that the present wait was ended by a stop.
func (c *call) stopped() bool { return c.halted != nil && c.halted.Err() != nil }

func (c *call) classify(err error) retry.Class {
	if c.policy.Classify != nil {
		return min(c.policy.Classify(err), retry.Permanent)
	}
	return retry.DefaultClassify(err)
}

// choose sets the wait before the next attempt.
func (c *call) choose() {
	var strategy backoff.Strategy = backoff.Exponential{}
	if c.policy.Backoff != nil {
		strategy = c.policy.Backoff
	}
	if s, ok := strategy.(backoff.Constant); ok && s.Wait <= 0 {
		c.delay = 0 // as the engine: nothing to draw
	} else {
		c.delay = max(0, strategy.Delay(c.attempts, c.delay, c.policy.Rand()))
	}
	c.delay = min(c.delay, math.MaxInt64/4) // so that no sum overflows
	c.wait = c.pause(c.hint + c.delay)
}

// pause is wait, or the least that there must be after an attempt that may have acted.
func (c *call) pause(wait time.Duration) time.Duration {
	if wait == 0 && c.class != retry.Transient {
		return minPause
	}
	return wait
}

func (c *call) maxHint() time.Duration {
	if c.policy.MaxHint == 0 {
		return retry.DefaultMaxHint
	}
	return max(0, c.policy.MaxHint)
}

// expected is the least time that an attempt is given before MaxElapsed.
func (c *call) expected() time.Duration {
	p := c.policy
	switch {
	case p.Expected != 0:
		return max(0, p.Expected)
	case p.AttemptTimeout > 0:
		return min(p.AttemptTimeout, retry.DefaultExpected)
	}
	return retry.DefaultExpected
}

// limit is how long the present attempt may take, of at most timeout.
func (c *call) limit(timeout time.Duration) time.Duration {
	if t := c.policy.AttemptTimeout; t > 0 {
		timeout = min(timeout, t)
	}
	if t := c.policy.MaxElapsed; t > 0 {
		timeout = min(timeout, c.started+t-c.began)
	}
	return timeout
}

func (c *call) validate(now time.Duration) error {
	if c.policy.Validate == nil {
		return nil
	}
	a := retry.Attempt{
		Policy: c.policy, Call: c.attempt.Call, Number: c.attempts + 1, At: at(now), Wait: c.wait,
		Err: c.err, Class: c.class, Unknown: c.unknown,
	}
	if err := c.policy.Validate(context.Background(), a); err != nil {
		return fmt.Errorf("%w: %w", retry.ErrInvalid, err)
	}
	return nil
}

// finish ends the call without success, and returns false.
func (c *call) finish(reason error, now time.Duration) bool {
	c.settle(retry.NotStarted, now)
	c.over, c.reason = true, reason
	c.report(retry.Event{Kind: retry.Finished, State: c.state, Reason: reason}, now)
	return false
}

func (c *call) report(e retry.Event, now time.Duration) {
	if c.policy.Observer == nil {
		return
	}
	e.Policy, e.Call, e.At, e.Attempts = c.policy, c.attempt.Call, at(now), c.attempts
	e.Err, e.Class, e.Unknown, e.Took, e.Elapsed = c.err, c.class, c.unknown, c.took, now-c.started
	c.policy.Observer.Observe(context.Background(), e)
}
