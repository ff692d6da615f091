package retry

import (
	"container/heap"
	"container/list"
	"context"
	"runtime"
	"sync"
	"time"
)

// A Pool runs the attempts of asynchronous calls, made by [Go], on a bounded number of
// goroutines. A call that waits between two attempts holds no goroutine and no timer of its own. The
// goroutines end as soon as there is nothing to run, so a Pool needs no shutting down.
//
// The zero value is ready. A Pool must not be copied after first use; its fields must not change.
// In a testing/synctest bubble, use a pool made inside the bubble (see [WithPool]), unless no other test runs
// asynchronous calls at the same time.
type Pool struct {
	Workers  int // attempts that run at one time; not positive means 64 per processor
	MaxCalls int // calls accepted and not ended; not positive means 1<<21. A further one fails with ErrSaturated

	mu      sync.Mutex
	ready   queue[task] // to run, first come first served
	waiting schedule    // to become ready
	timer   *time.Timer // for the first of waiting; nil if there is none
	timerAt time.Time   // when it fires
	nudges  map[<-chan struct{}]*nudges
	workers int
	calls   int
}

var defaultPool Pool

// A task is a call in a pool: parked in the schedule, in the queue, or with a worker.
type task interface {
	step() (again bool) // makes one attempt; false if the call ended
	lost()              // the attempt ended its goroutine
	asCall() *parked
}

// parked is what the pool knows of a call that waits.
type parked struct {
	call
	task  task
	until time.Time
	index int           // in the schedule; -1 if not there
	watch func() bool   // stops watching the context
	ear   *list.Element // in heard
	heard *nudges       // whom a nudge wakes; nil if the call does not listen
}

func (p *Pool) limit() int {
	if p.Workers > 0 {
		return p.Workers
	}
	return 64 * runtime.GOMAXPROCS(0)
}

func (p *Pool) most() int {
	if p.MaxCalls > 0 {
		return p.MaxCalls
	}
	return 1 << 21
}

// submit accepts a new call, or says that there are too many.
func (p *Pool) submit(t task) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls >= p.most() {
		return false
	}
	p.calls++
	p.enqueue(t)
	return true
}

// enqueue hands t to a worker, now or when one is free. p.mu is held.
func (p *Pool) enqueue(t task) {
	p.ready.push(t)
	if p.workers < p.limit() {
		p.workers++
		go p.work()
	}
}

// work runs ready calls until there are none.
func (p *Pool) work() {
	var running task
	defer func() { // reached early only when an attempt panics or ends its goroutine
		if running == nil {
			return
		}
		running.lost()
		p.mu.Lock()
		p.calls--
		p.workers--
		if p.ready.len() > 0 {
			p.workers++
			go p.work()
		}
		p.mu.Unlock()
	}()
	for {
		p.mu.Lock()
		t, ok := p.ready.pop()
		if !ok {
			p.workers--
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		running = t
		again := t.step()
		running = nil
		if again {
			p.park(t)
			continue
		}
		p.mu.Lock()
		p.calls--
		p.mu.Unlock()
	}
}

// park lets a call wait without a goroutine.
func (p *Pool) park(t task) {
	c := t.asCall()
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.wait <= 0 {
		p.enqueue(t)
		return
	}
	wait := c.wait
	if c.nudgedBefore() {
		if wait = c.floor; wait <= 0 {
			p.enqueue(t)
			return
		}
	} else if c.nudge != nil {
		p.listen(c)
	}
	c.until = time.Now().Add(wait)
	heap.Push(&p.waiting, c)
	p.aim()
	if c.ctx.Done() != nil {
		c.watch = context.AfterFunc(c.ctx, func() { p.wake(c) })
	}
}

// wake makes a parked call ready at once. It does nothing for a call that is not parked.
func (p *Pool) wake(c *parked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.index >= 0 {
		heap.Remove(&p.waiting, c.index)
		p.unpark(c)
		p.aim()
	}
}

// unpark makes ready a call that has left the schedule. p.mu is held.
func (p *Pool) unpark(c *parked) {
	if c.watch != nil {
		c.watch()
		c.watch = nil
	}
	p.forget(c)
	p.enqueue(c.task)
}

// expire makes ready all calls whose time has come.
func (p *Pool) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = nil
	now := time.Now()
	for len(p.waiting) > 0 && !p.waiting[0].until.After(now) {
		p.unpark(heap.Pop(&p.waiting).(*parked))
	}
	p.aim()
}

// aim sets the timer to the first call of the schedule, and drops it when there is none, so that
// an idle pool holds nothing. p.mu is held.
func (p *Pool) aim() {
	if len(p.waiting) == 0 {
		if p.timer != nil {
			p.timer.Stop()
			p.timer = nil
		}
		return
	}
	first := p.waiting[0].until
	switch {
	case p.timer == nil:
		p.timer = time.AfterFunc(time.Until(first), p.expire)
	case !first.Equal(p.timerAt):
		p.timer.Reset(time.Until(first))
	}
	p.timerAt = first
}

// A schedule is a heap of parked calls, the next to wake first.
type schedule []*parked

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].until.Before(s[j].until) }
func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

// Push implements heap.Interface.
func (s *schedule) Push(x any) {
	c := x.(*parked)
	c.index = len(*s)
	*s = append(*s, c)
}

// Pop implements heap.Interface.
func (s *schedule) Pop() any {
	last := len(*s) - 1
	c := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	c.index = -1
	return c
}

// A queue is first in, first out, and gives memory back as it drains.
type queue[T any] struct {
	head, tail []T // head is reversed
}

func (q *queue[T]) len() int { return len(q.head) + len(q.tail) }

func (q *queue[T]) push(v T) { q.tail = append(q.tail, v) }

func (q *queue[T]) pop() (v T, ok bool) {
	if len(q.head) == 0 {
		if len(q.tail) == 0 {
			return v, false
		}
		q.head, q.tail = q.tail, q.head[:0]
		for i, j := 0, len(q.head)-1; i < j; i, j = i+1, j-1 {
			q.head[i], q.head[j] = q.head[j], q.head[i]
		}
	}
	last := len(q.head) - 1
	v = q.head[last]
	clear(q.head[last:])
	q.head = q.head[:last]
	return v, true
}
