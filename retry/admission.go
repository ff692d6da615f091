package retry

// admission asks the gates for the next attempt.
func (c *call) admission() error {
	gates := c.policy.Gates
	x := c.extra
	x.before, x.beforeClass, x.beforeUnknown = c.err, c.class, c.unknown
	if x.halter != nil {
		x.halted = x.halter.Halted() // before any gate is asked: a stop after this is a stop during the wait
	}
	a := c.attempt(c.attempts + 1)
	for i, g := range gates {
		if g != nil {
			if c.attempts == 0 {
				x.meet(g, &a)
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
func (x *extra) meet(g Gate, a *Attempt) {
	s, ok := g.(Starter)
	if !ok {
		return
	}
	x.starters = true
	if x.halter == nil {
		if h, ok := s.(Halter); ok {
			x.halter, a.halter = h, h
		}
	}
}

// departure asks those gates that have a word when an attempt begins, the first gate last.
func (c *call) departure() error {
	if !c.starters {
		return nil
	}
	gates := c.policy.Gates
	a := c.attempt(c.attempts + 1)
	for i := len(gates) - 1; i >= 0; i-- {
		if s, ok := gates[i].(Starter); ok {
			a.Note = c.note(i, len(gates))
			if err := s.Start(c.ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// attempt is what the gates are told of the attempt they hold.
func (c *call) attempt(number int32) Attempt {
	x := c.extra
	return Attempt{
		Policy:  c.policy,
		Call:    x.id,
		Number:  int(number),
		At:      moment(x.asked),
		Wait:    c.wait,
		Err:     x.before,
		Class:   x.beforeClass,
		Unknown: x.beforeUnknown,
		Lane:    x.lane,
		halter:  x.halter,
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
	x := c.extra
	if x.cancel != nil {
		x.cancel()
		x.cancel = nil
	}
	if x.admitted == 0 {
		return
	}
	a, o := c.attempt(c.attempts), Outcome{State: s}
	if s == NotStarted {
		a.Number++
	} else {
		o.Start, o.Err, o.Class = moment(x.began), c.err, c.class
		if s != Succeeded && x.took > 0 {
			o.End = o.Start.Add(x.took)
		}
	}
	gates := c.policy.Gates
	for x.admitted > 0 {
		x.admitted-- // first, so that a gate that panics is not settled twice
		if g := gates[x.admitted]; g != nil {
			a.Note = x.note(x.admitted, len(gates))
			g.Settle(a, o)
		}
	}
}

// stopped returns the channel whose closing ends the present wait for the sake of a stop; nil for never.
func (c *call) stopped() <-chan struct{} {
	if c.extra == nil || c.halted == nil {
		return nil
	}
	return c.halted.Done()
}
