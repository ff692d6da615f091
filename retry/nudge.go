package retry

import "container/list"

// nudges are the parked calls that listen to one nudge channel. One goroutine receives for all of
// them, and lives only while there are any.
type nudges struct {
	channel <-chan struct{}
	calls   list.List // of *parked, in the order of their parking
	quit    chan struct{}
}

// An ear is a call's place among those that listen.
type ear struct {
	to    *nudges
	place *list.Element
}

// listen adds a call to those that its nudge channel wakes. p.mu is held.
func (p *Pool) listen(c *parked) {
	n := p.nudges[c.policy.Nudge]
	if n == nil {
		n = &nudges{channel: c.policy.Nudge, quit: make(chan struct{})}
		if p.nudges == nil {
			p.nudges = make(map[<-chan struct{}]*nudges)
		}
		p.nudges[c.policy.Nudge] = n
		go p.receive(n)
	}
	c.ear = &ear{n, n.calls.PushBack(c)}
}

// unlisten removes a call from the listeners, if it is one. p.mu is held.
func (p *Pool) unlisten(c *parked) {
	if c.ear == nil {
		return
	}
	n := c.ear.to
	n.calls.Remove(c.ear.place)
	c.ear = nil
	if n.calls.Len() == 0 {
		delete(p.nudges, n.channel)
		close(n.quit)
	}
}

// receive wakes one call for each value, and all present ones when the channel is closed.
func (p *Pool) receive(n *nudges) {
	for {
		select {
		case <-n.quit:
			return
		case _, open := <-n.channel:
			p.mu.Lock()
			for n.calls.Len() > 0 {
				p.hasten(n.calls.Front().Value.(*parked), open)
				if open {
					break
				}
			}
			p.aim(now())
			p.mu.Unlock()
			if !open {
				return
			}
		}
	}
}

// hasten ends the wait of a call, but for what the other side asked. p.mu is held.
func (p *Pool) hasten(c *parked, open bool) {
	p.unlisten(c)
	c.deaf = !open
	e := p.schedule[c.slot]
	e.until -= int64(c.wait - c.floor())
	if c.floor() > 0 && e.until > now() {
		p.schedule.place(int(c.slot), e)
		return
	}
	p.schedule.remove(int(c.slot))
	p.unpark(c)
}
