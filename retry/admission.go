package retry

import "time"

// admission asks the gates for the attempt that x describes.
func (x *extra) admission() error {
	gates := x.attempt.Policy.Gates
	if x.halter != nil {
		x.halted = x.halter.Halted(&x.attempt) // before any gate is asked: a stop after this is a stop during the wait
	}
	x.few = [len(x.few)]uint64{}
	clear(x.many)
	for i, g := range gates {
		if g != nil {
			if x.attempt.Number == 1 {
				x.meet(i, g)
			}
			if err := g.Admit(x.ctx, x.forGate(i, len(gates))); err != nil {
				return err
			}
		}
		x.admitted++
	}
	return nil
}

// meet finds out what else a gate can do, once for each call.
func (x *extra) meet(i int, g Gate) {
	s, ok := g.(Starter)
	if !ok {
		return
	}
	if x.halter == nil {
		if x.halter, _ = s.(Halter); x.halter != nil {
			x.haltAt = i
			return
		}
	}
	x.starters = true
}

// lastWord asks the halter, if there is one, whether the attempt may begin.
func (x *extra) lastWord() error {
	if x.halter == nil {
		return nil
	}
	return x.halter.Start(x.ctx, x.forGate(x.haltAt, len(x.attempt.Policy.Gates)))
}

// departure asks the other gates that have a word when an attempt begins. They may wait, so each is told the time.
func (x *extra) departure() error {
	gates := x.attempt.Policy.Gates
	for i := len(gates) - 1; i >= 0; i-- {
		s, ok := gates[i].(Starter)
		if !ok || x.halter != nil && i == x.haltAt {
			continue
		}
		if err := s.Start(x.ctx, x.forGate(i, len(gates))); err != nil {
			return err
		}
		x.attempt.Begins = moment(now())
	}
	x.began = x.attempt.Begins
	return nil
}

// recheck asks the gates, after a wait, whether what they admitted still holds.
func (x *extra) recheck() error {
	gates := x.attempt.Policy.Gates
	for i, g := range gates {
		if r, ok := g.(Rechecker); ok {
			if err := r.Recheck(x.ctx, x.forGate(i, len(gates))); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle tells the gates, in reverse order, how the attempt they admitted ended.
func (x *extra) settle(s State, err error, class Class) {
	if x.admitted == 0 {
		return
	}
	o := &x.outcome
	o.State, o.Err, o.Class, o.Start, o.End = s, err, class, x.began, time.Time{}
	switch {
	case s == NotStarted:
		o.Err, o.Class, o.Start = nil, 0, time.Time{}
	case s != Succeeded && x.took > 0:
		o.End = x.began.Add(x.took)
	}
	gates := x.attempt.Policy.Gates
	for x.admitted > 0 {
		x.admitted-- // first, so that a gate that panics is not settled twice
		if g := gates[x.admitted]; g != nil {
			g.Settle(x.forGate(x.admitted, len(gates)), o)
		}
	}
}

// admission asks the gates for the next attempt of the call.
func (c *call) admission(at time.Time) error {
	a := &c.attempt
	a.Policy, a.Number, a.At, a.Wait = c.policy, int(c.attempts)+1, at, c.wait
	a.Err, a.Class, a.Unknown, a.Begins = c.err, c.class, c.unknown, time.Time{}
	return c.extra.admission()
}

// leave asks whether an admitted first attempt may begin.
func (x *extra) leave() error {
	x.attempt.Begins = x.began
	if x.starters {
		if err := x.departure(); err != nil {
			return err
		}
	}
	return x.lastWord()
}

// awaken asks the gates, all but the halter, whether an admitted retry may begin. Those that are Starters may wait:
// late says that they may have done so.
func (c *call) awaken() (late bool, _ error) {
	x := c.extra
	if x.attempt.Begins = x.attempt.At; c.wait > 0 {
		x.attempt.Begins = moment(now())
		before := x.attempt.Wait
		if err := x.recheck(); err != nil {
			return false, c.refusal(err)
		}
		if more := x.attempt.Wait - before; more > 0 {
			return false, c.prolong(more, x.attempt.Begins)
		}
	}
	if !x.starters {
		return false, nil
	}
	if err := x.departure(); err != nil {
		return true, c.refusal(err)
	}
	if s := c.scope(); s != nil && !s.until.IsZero() && x.attempt.Begins.After(s.until) {
		return true, ErrLimited
	}
	return true, c.ended()
}

// refusal says why a gate refused: because of the time, if that is what ended the gate's wait.
func (c *call) refusal(err error) error {
	if c.outer.Err() == nil && c.ctx.Err() != nil {
		return ErrElapsed
	}
	return err
}

// settle ends an attempt, or gives back one that did not begin.
func (c *call) settle(s State) {
	if s != NotStarted {
		c.state = s
	}
	if x := c.extra; x != nil {
		if x.cancel != nil {
			x.cancel()
			x.cancel = nil
		}
		x.settle(s, c.err, c.class)
	}
	c.running = false // last: if a gate panics, those that are left learn that the attempt ran
}

// stopped returns the channel whose closing ends the present wait for the sake of a stop; nil for never.
func (c *call) stopped() <-chan struct{} {
	if c.extra == nil || c.halted == nil {
		return nil
	}
	return c.halted.Done()
}
