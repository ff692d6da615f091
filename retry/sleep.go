package retry

import (
	"sync"
	"time"
)

// places are where calls are kept while they wait: not on the stacks of their goroutines, which then
// stay at 2 kB. None is referred to once its Do has returned.
var places = sync.Pool{New: func() any { return new(call) }}

// save moves the call to w, or to a place of its own if w is nil, and leaves an ended one behind.
func (c *call) save(w *call) *call {
	if w == nil {
		w = places.Get().(*call)
	}
	*w = *c
	c.live = false
	return w
}

// forget gives the place of a call back.
func (c *call) forget() {
	*c = call{}
	places.Put(c)
}

// pass lets the wait pass.
func (c *call) pass() {
	if c.policy.Nudge == nil && c.extra == nil {
		c.sleep()
	} else {
		c.listen()
	}
}

// sleep returns after the wait, or when the context ends. It is apart from listen for its smaller
// stack frame.
func (c *call) sleep() {
	timer := time.NewTimer(c.wait)
	select {
	case <-timer.C:
	case <-c.bounded().Done():
		timer.Stop()
	}
}

// listen returns after the wait, or when the context ends, when a stop comes, or a nudge.
func (c *call) listen() {
	wait, nudge := c.wait, c.policy.Nudge
	if c.nudgedBefore() {
		if wait = c.floor(); wait <= 0 {
			return
		}
		nudge = nil
	}
	if c.deaf {
		nudge = nil
	}
	until := time.Now().Add(c.floor())
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case <-c.bounded().Done():
			return
		case <-c.stopped():
			return
		case _, open := <-nudge:
			c.deaf = !open
			if nudge = nil; c.floor() <= 0 {
				return
			}
			timer.Reset(time.Until(until)) // never sooner than the other side asked
		}
	}
}

// nudgedBefore takes a nudge that came before the wait. A channel that is closed by then nudges
// this call no more: it would make every wait of every call end at once.
func (c *call) nudgedBefore() bool {
	if c.deaf || c.policy.Nudge == nil {
		return false
	}
	select {
	case _, open := <-c.policy.Nudge:
		c.deaf = !open
		return open
	default:
		return false
	}
}
