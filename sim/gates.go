package sim

import (
	"context"
	"time"

	"github.com/relent-go/relent/retry"
)

// admit asks the gates, in order, for the next attempt.
func (c *call) admit(now time.Duration) error {
	if len(c.policy.Gates) == 0 {
		return nil
	}
	if c.halter != nil {
		c.halted = c.halter.Halted()
	}
	a := &c.attempt
	a.Policy, a.Number, a.At, a.Wait = c.policy, c.attempts+1, at(now), c.wait
	a.Err, a.Class, a.Unknown = c.err, c.class, c.unknown
	for i, g := range c.policy.Gates {
		if g != nil {
			a.Note = c.note(i)
			*a.Note = 0
			if err := g.Admit(context.Background(), a); err != nil {
				return err
			}
		}
		c.admitted++
	}
	return nil
}

// depart asks those gates that have a word when an attempt begins, the first gate last.
func (c *call) depart() error {
	for i := len(c.policy.Gates) - 1; i >= 0; i-- {
		if s, ok := c.policy.Gates[i].(retry.Starter); ok {
			c.attempt.Note = c.note(i)
			if err := s.Start(context.Background(), &c.attempt); err != nil {
				return err
			}
		}
	}
	return nil
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
