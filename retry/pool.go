package retry

import (
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

	mu       sync.Mutex
	ready    queue    // to run, first come first served
	schedule schedule // to become ready
	timer    *time.Timer
	aimed    int64 // when the timer fires, after epoch
	groups   map[groupKey]*group
	nudges   map[<-chan struct{}]*nudges
	workers  int
	calls    int
}

var defaultPool Pool

// A task is a call in a pool: parked in the schedule, in the queue, or with a worker.
type task interface {
	step() (again bool) // makes attempts up to the next wait; false if the call ended
	lost()              // an attempt ended its goroutine
}

// parked is what a pool keeps of a call, also while it waits.
type parked struct {
	call
	task   task
	link         // in the queue, or among the calls that one context ends
	ear    *ear  // nil if the call does not listen to a nudge channel
	slot   int32 // in the schedule; -1 if not there
	opened bool
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
func (p *Pool) submit(c *parked) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls >= p.most() {
		return false
	}
	p.calls++
	p.enqueue(c)
	return true
}

// enqueue hands c to a worker, now or when one is free. p.mu is held. Calls are in the queue only while
// there are as many workers as there may be.
func (p *Pool) enqueue(c *parked) {
	if p.workers < p.limit() {
		p.workers++
		go p.work(c)
		return
	}
	p.ready.push(c)
}

// work runs c, and then ready calls until there are none.
func (p *Pool) work(c *parked) {
	running := c
	defer func() { // reached early only when an attempt panics or ends its goroutine
		if running == nil {
			return
		}
		running.task.lost()
		p.mu.Lock()
		p.calls--
		p.workers--
		if c := p.ready.pop(); c != nil {
			p.enqueue(c)
		}
		p.mu.Unlock()
	}()
	for c != nil {
		running = c
		again := c.task.step()
		running = nil
		p.mu.Lock()
		if again {
			p.park(c)
		} else {
			p.calls--
		}
		if c = p.ready.pop(); c == nil {
			p.workers--
		}
		p.mu.Unlock()
	}
}

// park lets a call wait without a goroutine. p.mu is held.
func (p *Pool) park(c *parked) {
	wait := c.wait
	if c.policy.Nudge != nil {
		switch {
		case c.nudgedBefore():
			if wait = c.floor(); wait <= 0 {
				p.enqueue(c)
				return
			}
		case !c.deaf:
			p.listen(c)
		}
	}
	at := now()
	p.schedule.add(slot{int64(sum(time.Duration(at), wait)), c})
	p.aim(at)
	p.watch(c)
}

// unpark makes ready a call that has left the schedule. p.mu is held.
func (p *Pool) unpark(c *parked) {
	p.unwatch(c)
	p.unlisten(c)
	p.enqueue(c)
}

// batch is how many calls become ready before others get at the pool.
const batch = 512

// expire makes ready all calls whose time has come.
func (p *Pool) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = nil
	at := now()
	for n := 1; len(p.schedule) > 0 && p.schedule[0].until <= at; n++ {
		c := p.schedule[0].call
		p.schedule.remove(0)
		p.unpark(c)
		if n%batch == 0 {
			p.mu.Unlock()
			runtime.Gosched()
			p.mu.Lock()
			at = now()
		}
	}
	p.aim(at)
}

// aim sets the timer to the first call of the schedule, and drops it when there is none, so that
// an idle pool holds nothing. p.mu is held.
func (p *Pool) aim(at int64) {
	if len(p.schedule) == 0 {
		if p.timer != nil {
			p.timer.Stop()
			p.timer = nil
		}
		return
	}
	first := p.schedule[0].until
	switch {
	case p.timer == nil:
		p.timer = time.AfterFunc(time.Duration(first-at), p.expire)
	case first != p.aimed:
		p.timer.Reset(time.Duration(first - at))
	}
	p.aimed = first
}

// A queue is first in, first out.
type queue struct{ head, tail *parked }

func (q *queue) push(c *parked) {
	c.next = nil
	if q.head == nil {
		q.head = c
	} else {
		q.tail.next = c
	}
	q.tail = c
}

// pop returns nil if there is none.
func (q *queue) pop() *parked {
	c := q.head
	if c != nil {
		q.head, c.next = c.next, nil
	}
	return c
}
