package retry

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
