package retry

import (
	"context"
	"time"
)

// groups are the parked calls by the context that ends them: calls that share a context share the
// watch on it.
type groups map[<-chan struct{}]*group

// A group is the parked calls of one context, linked by parked.next and prev.
type group struct {
	done <-chan struct{}
	stop func() bool // ends the watch
	head *parked
}

// watch has c woken when its context ends. p.mu is held.
func (p *Pool) watch(c *parked) {
	ctx := c.bounded()
	done := ctx.Done()
	if done == nil {
		return
	}
	g := p.contexts[done]
	if g == nil {
		if p.contexts == nil {
			p.contexts = make(groups)
		}
		g = &group{done: done}
		p.contexts[done] = g
		g.stop = context.AfterFunc(ctx, func() { p.cancel(g) })
	}
	c.group, c.next, c.prev = g, g.head, nil
	if g.head != nil {
		g.head.prev = c
	}
	g.head = c
}

// unwatch is the end of watch. p.mu is held.
func (p *Pool) unwatch(c *parked) {
	g := c.group
	if g == nil {
		return
	}
	if c.prev == nil {
		g.head = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.group, c.next, c.prev = nil, nil, nil
	if g.head == nil && p.contexts[g.done] == g {
		delete(p.contexts, g.done)
		g.stop()
	}
}

// cancel makes ready all calls of a context that has ended.
func (p *Pool) cancel(g *group) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := g.head; c != nil; c = g.head {
		p.schedule.remove(int(c.slot))
		p.unpark(c)
	}
	p.aim(int64(time.Since(epoch)))
}
