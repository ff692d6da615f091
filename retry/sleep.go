package retry

import (
	"context"
	"sync"
	"time"
)

// waiting is what is kept of a call while it waits: little, and not on the stack of its goroutine, which
// then stays at 2 kB.
type waiting struct {
	core
	extra *extra // nil for a plain policy
}

// waitings and extras are used again. Nothing refers to one once its wait has ended.
var (
	waitings = sync.Pool{New: func() any { return new(waiting) }}
	extras   = sync.Pool{New: func() any { return new(extra) }}
)

// save moves the call into w, and leaves an ended one behind.
func (c *call) save(w *waiting) {
	w.core = c.core
	if c.timed {
		w.extra = extras.Get().(*extra)
		*w.extra = c.extra
	}
	c.live = false
}

// restore moves the call back from w.
func (c *call) restore(w *waiting) {
	c.core = w.core
	if w.extra != nil {
		c.extra = *w.extra
		*w.extra = extra{}
		extras.Put(w.extra)
		w.extra = nil
	}
}

// bounded is the context of the call: the caller's, ended at MaxElapsed.
func (w *waiting) bounded() context.Context {
	if w.extra == nil {
		return w.outer
	}
	return w.extra.ctx
}

// pass lets the wait pass.
func (w *waiting) pass() {
	if w.policy.Nudge == nil {
		w.sleep()
	} else {
		w.sleepNudged()
	}
}

// sleep returns after the wait, or when the context ends. It is apart from sleepNudged for its smaller
// stack frame.
func (w *waiting) sleep() {
	timer := time.NewTimer(w.wait)
	select {
	case <-timer.C:
	case <-w.bounded().Done():
		timer.Stop()
	}
}

// sleepNudged returns after the wait, or when the context ends, or when a nudge comes.
func (w *waiting) sleepNudged() {
	wait, nudge := w.wait, w.policy.Nudge
	if w.nudgedBefore() {
		if wait = w.floor; wait <= 0 {
			return
		}
		nudge = nil
	}
	if w.deaf {
		nudge = nil
	}
	until := time.Now().Add(w.floor)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case <-w.bounded().Done():
			return
		case _, open := <-nudge:
			w.deaf = !open
			if nudge = nil; w.floor <= 0 {
				return
			}
			timer.Reset(time.Until(until)) // never sooner than the other side asked
		}
	}
}

// nudgedBefore takes a nudge that came before the wait. A channel that is closed by then nudges
// this call no more: it would make every wait of every call end at once.
func (w *waiting) nudgedBefore() bool {
	if w.deaf {
		return false
	}
	select {
	case _, open := <-w.policy.Nudge:
		w.deaf = !open
		return open
	default:
		return false
	}
}
