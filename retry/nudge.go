package retry

import (
	"container/heap"
	"container/list"
	"time"
)

// nudges are the parked calls that listen to one nudge channel. One goroutine receives for all of
// them, and lives only while there are any.
type nudges struct {
	channel <-chan struct{}
	calls   list.List // of *parked, in the order of their parking
	quit    chan struct{}
}

// listen adds a call to those that its nudge channel wakes. p.mu is held.
func (p *Pool) listen(c *parked) {
	n := p.nudges[c.nudge]
	if n == nil {
		n = &nudges{channel: c.nudge, quit: make(chan struct{})}
		if p.nudges == nil {
			p.nudges = make(map[<-chan struct{}]*nudges)
		}
		p.nudges[c.nudge] = n
		go p.receive(n)
	}
	c.heard, c.ear = n, n.calls.PushBack(c)
}

// forget removes a call from the listeners, if it is one. p.mu is held.
func (p *Pool) forget(c *parked) {
	n := c.heard
	if n == nil {
		return
	}
	n.calls.Remove(c.ear)
	c.heard, c.ear = nil, nil
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
			p.aim()
			p.mu.Unlock()
			if !open {
				return
			}
		}
	}
}

// hasten ends the wait of a call, but for what the other side asked. p.mu is held.
func (p *Pool) hasten(c *parked, open bool) {
	p.forget(c)
	if !open {
		c.nudge = nil
	}
	c.until = c.until.Add(c.floor - c.wait)
	if c.floor > 0 && c.until.After(time.Now()) {
		heap.Fix(&p.waiting, c.index)
		return
	}
	heap.Remove(&p.waiting, c.index)
	p.unpark(c)
}
