package retry

import "time"

// admission asks the gates for the next attempt.
func (c *call) admission(at time.Time) error {
	gates := c.policy.Gates
	x := c.extra
	if x.halter != nil {
		x.halted = x.halter.Halted() // before any gate is asked: a stop after this is a stop during the wait
	}
	a := &x.attempt
	a.Policy, a.Number, a.At, a.Wait = c.policy, int(c.attempts)+1, at, c.wait
	a.Err, a.Class, a.Unknown = c.err, c.class, c.unknown
	for i, g := range gates {
		if g != nil {
			if c.attempts == 0 {
				x.meet(g)
			}
			a.Note = x.note(i, len(gates))
			*a.Note = 0
			if err := g.Admit(x.ctx, a); err != nil {
				return err
			}
		}
		x.admitted++
	}
	return nil
}

// meet finds out what else a gate can do, once for each call.
func (x *extra) meet(g Gate) {
	s, ok := g.(Starter)
	if !ok {
		return
	}
	x.starters = true
	if x.halter == nil {
		x.halter, _ = s.(Halter)
	}
}

// departure asks those gates that have a word when an attempt begins, the first gate last.
func (c *call) departure() error {
	x := c.extra
	if !x.starters {
		return nil
	}
	gates := c.policy.Gates
	for i := len(gates) - 1; i >= 0; i-- {
		if s, ok := gates[i].(Starter); ok {
			x.attempt.Note = x.note(i, len(gates))
			if err := s.Start(x.ctx, &x.attempt); err != nil {
				return err
			}
		}
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
	if c.extra != nil {
		c.hand(s)
	}
}

// hand is settle for what only some policies have: it hands the attempt back to the gates.
func (c *call) hand(s State) {
	x := c.extra
	if x.cancel != nil {
		x.cancel()
		x.cancel = nil
	}
	if x.admitted == 0 {
		return
	}
	o := &x.outcome
	o.State = s
	if s != NotStarted {
		o.Start, o.Err, o.Class = x.began, c.err, c.class
		if s != Succeeded && x.took > 0 {
			o.End = x.began.Add(x.took)
		}
	}
	gates := c.policy.Gates
	for x.admitted > 0 {
		x.admitted-- // first, so that a gate that panics is not settled twice
		if g := gates[x.admitted]; g != nil {
			x.attempt.Note = x.note(x.admitted, len(gates))
			g.Settle(&x.attempt, o)
		}
	}
	*o = Outcome{}
}

// stopped returns the channel whose closing ends the present wait for the sake of a stop; nil for never.
func (c *call) stopped() <-chan struct{} {
	if c.extra == nil || c.halted == nil {
		return nil
	}
	return c.halted.Done()
}
