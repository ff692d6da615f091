package sim

import (
	"time"

	"github.com/relent-go/relent/retry"
)

// admit asks the gates, in order, for the next attempt.
func (c *call) admit(now time.Duration) error {
	if len(c.policy.Gates) == 0 {
		return nil
	}
	a := &c.attempt
	a.Policy, a.Number, a.At, a.Wait, a.Begins = c.policy, c.attempts+1, at(now), c.wait, time.Time{}
	a.Err, a.Class, a.Unknown = c.err, c.class, c.unknown
	if c.halter != nil {
		c.halted = c.halter.Halted(a)
	}
	for i, g := range c.policy.Gates {
		if g != nil {
			a.Note = c.note(i)
			*a.Note = 0
			if err := g.Admit(c.context(), a); err != nil {
				return err
			}
		}
		c.admitted++
	}
	return nil
}

// awaken asks the gates, all but the halter, whether an admitted attempt may begin. asked says that a gate was that may
// have waited, as none does here.
func (c *call) awaken(now time.Duration) (asked bool, _ error) {
	c.attempt.Begins = at(now)
	if c.wait > 0 {
		before := c.attempt.Wait
		for i, g := range c.policy.Gates {
			if r, ok := g.(retry.Rechecker); ok {
				c.attempt.Note = c.note(i)
				if err := r.Recheck(c.context(), &c.attempt); err != nil {
					return asked, err
				}
			}
		}
		if more := c.attempt.Wait - before; more > 0 {
			c.wait, c.hint, c.again = more, 0, true
			return false, nil
		}
	}
	for i := len(c.policy.Gates) - 1; i >= 0; i-- {
		if s, ok := c.policy.Gates[i].(retry.Starter); ok && i != c.haltAt {
			asked = true
			c.attempt.Note = c.note(i)
			if err := s.Start(c.context(), &c.attempt); err != nil {
				return asked, err
			}
		}
	}
	return asked, nil
}

// lastWord asks the halter, if there is one, whether the attempt may begin.
func (c *call) lastWord() error {
	if c.halter == nil {
		return nil
	}
	c.attempt.Note = c.note(c.haltAt)
	return c.halter.Start(c.context(), &c.attempt)
}

// settle tells the gates, in reverse order, how the attempt that they hold ended. The engine does not
// read the clock for the End of a success; here it costs nothing, and keeps gates from reading a clock that is not the run's.
func (c *call) settle(s retry.State, now time.Duration) {
	c.outcome = retry.Outcome{State: s}
	if s != retry.NotStarted {
		c.state = s
		c.outcome.Start, c.outcome.End, c.outcome.Err, c.outcome.Class = at(c.began), at(now), c.err, c.class
	}
	for c.admitted > 0 {
		c.admitted--
		if g := c.policy.Gates[c.admitted]; g != nil {
			c.attempt.Note = c.note(c.admitted)
			g.Settle(&c.attempt, &c.outcome)
		}
	}
}

// note is the word of a gate.
func (c *call) note(i int) *uint64 {
	if c.many != nil {
		return &c.many[i]
	}
	return &c.few[i]
}
