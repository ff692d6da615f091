package retry

import "context"

// A group is the parked calls that one context ends: their own, or that of a stop. They share the watch on it.
type group struct {
	groupKey
	stop func() bool // ends the watch
	head *parked
}

type groupKey struct {
	done <-chan struct{} // of the context
	halt bool            // the context is that of a stop, and the links are those of extra
}

// A link is a call's place in a group, or in a queue.
type link struct {
	group      *group // nil if nothing can end the call, or if it is not in the schedule
	next, prev *parked
}

// in is the link of c that g uses.
func (c *parked) in(g *group) *link {
	if g.halt {
		return &c.extra.link
	}
	return &c.link
}

// watch has c woken when its context ends, or when a stop comes. p.mu is held.
func (p *Pool) watch(c *parked) {
	p.join(c, c.bounded(), false)
	if c.extra != nil && c.halted != nil {
		p.join(c, c.halted, true)
	}
}

// unwatch is the end of watch. p.mu is held.
func (p *Pool) unwatch(c *parked) {
	p.part(c, &c.link)
	if c.extra != nil {
		p.part(c, &c.extra.link)
	}
}

// join adds c to the calls that ctx ends. p.mu is held.
func (p *Pool) join(c *parked, ctx context.Context, halt bool) {
	key := groupKey{ctx.Done(), halt}
	if key.done == nil {
		return
	}
	g := p.groups[key]
	if g == nil {
		if p.groups == nil {
			p.groups = make(map[groupKey]*group)
		}
		g = &group{groupKey: key}
		p.groups[key] = g
		g.stop = context.AfterFunc(ctx, func() { p.end(g) })
	}
	*c.in(g) = link{group: g, next: g.head}
	if g.head != nil {
		g.head.in(g).prev = c
	}
	g.head = c
}

// part takes c out of the group of one of its links, if there is one. p.mu is held.
func (p *Pool) part(c *parked, l *link) {
	g := l.group
	if g == nil {
		return
	}
	if l.prev == nil {
		g.head = l.next
	} else {
		l.prev.in(g).next = l.next
	}
	if l.next != nil {
		l.next.in(g).prev = l.prev
	}
	*l = link{}
	if g.head == nil && p.groups[g.groupKey] == g {
		delete(p.groups, g.groupKey)
		g.stop()
	}
}

// end makes ready all calls of a context that has ended.
func (p *Pool) end(g *group) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := g.head; c != nil; c = g.head {
		p.schedule.remove(int(c.slot))
		p.unpark(c)
	}
	p.aim(now())
}
