package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/relent-go/relent/retry"
)

// The errors that simulated attempts end with.
var (
	ErrTimeout  = retry.Mark(errors.New("timed out"), retry.Ambiguous)
	ErrRejected = retry.Mark(errors.New("queue full"), retry.Transient)
)

// An operation is what a client wants done once.
type operation struct {
	call
	req        *request // the attempt that runs, or ran last
	next, prev *operation
	parked     bool // among the calls that wait and can hear of a stop
}

// A model is a scenario that runs.
type model struct {
	s        Scenario
	now      time.Duration
	events   events
	server   server
	policies []*retry.Policy // by client
	arrivals *rand.Rand
	choice   *rand.Rand
	parked   operation // the ring of operations that wait and can hear of a stop
	tally    tally
	calls    uint64
}

// Run plays a scenario from beginning to end, and returns what became of it. The same scenario
// yields the same result, bit for bit, as long as its policies draw from no chance of their own.
//
// It runs in the caller's goroutine, in virtual time: gates are asked as by the engine, and must
// not wait or read the clock. The end of ctx ends it, with the cause.
func Run(ctx context.Context, s Scenario) (Result, error) {
	s = s.complete()
	m := &model{
		s:        s,
		server:   server{random: stream(s.Seed, service, 0)},
		arrivals: stream(s.Seed, arrivals, 0),
		choice:   stream(s.Seed, choice, 0),
	}
	m.parked.next, m.parked.prev = &m.parked, &m.parked
	m.tally.begin(&s)
	for client := range s.Clients {
		m.policies = append(m.policies, s.policy(client))
	}
	m.schedule()
	for n := 0; len(m.events.list) > 0; n++ {
		if n&1023 == 0 && ctx.Err() != nil {
			return Result{}, context.Cause(ctx)
		}
		e := m.events.pop()
		if e.at >= s.Horizon {
			break
		}
		m.tally.until(e.at, m.server.line.len())
		m.now = e.at
		m.happen(e)
	}
	m.tally.until(s.Horizon, m.server.line.len())
	return m.tally.result(), nil
}

// policy returns a client's policy, with its own source of chance.
func (s *Scenario) policy(client int) *retry.Policy {
	p := retry.Policy{MaxAttempts: 1}
	if s.Policy != nil {
		c := Client{Number: client, Of: s.Clients, Rand: stream(s.Seed, gates, client).Float64}
		if given := s.Policy(c); given != nil {
			p = *given
		}
	}
	if p.Rand == nil {
		p.Rand = stream(s.Seed, jitter, client).Float64
	}
	return &p
}

// schedule plans what is known beforehand.
func (m *model) schedule() {
	if m.s.Stall > 0 {
		m.events.push(event{at: m.s.Trigger, kind: stalls})
		m.events.push(event{at: m.s.Trigger + m.s.Stall, kind: resumes})
	}
	for i, a := range m.s.Actions {
		if a.Do != nil {
			m.events.push(event{at: max(0, a.At), kind: acts, gen: uint64(i)})
		}
	}
	m.arrival()
}

func (m *model) happen(e event) {
	switch e.kind {
	case arrives:
		m.arrive()
	case served:
		if e.gen == m.server.gen {
			m.served()
		}
	case expires:
		if r := e.req; !r.settled {
			r.settled = true
			m.trace(expires, r.op)
			m.failed(r.op, ErrTimeout)
		}
	case wakes:
		if op := e.req.op; !op.over {
			m.unpark(op)
			m.woken(op)
		}
	case stalls:
		m.trace(stalls, nil)
		m.stall()
	case resumes:
		m.trace(resumes, nil)
		m.resume()
	case acts:
		m.trace(acts, nil)
		m.s.Actions[e.gen].Do()
		m.halt()
	}
}

// arrival plans the next operation: chance says how many expected arrivals away it is.
func (m *model) arrival() {
	left, t := m.arrivals.ExpFloat64(), m.now
	from, to := m.s.Trigger, m.s.Trigger+m.s.SpikeFor
	for {
		rate, until := m.s.Arrivals, m.s.Horizon
		switch {
		case t < from:
			until = from
		case t < to:
			rate, until = rate*m.s.Spike, to
		}
		if next := t + seconds(left/rate); next < until || until >= m.s.Horizon {
			m.events.push(event{at: next, kind: arrives})
			return
		}
		left -= (until - t).Seconds() * rate
		t = until
	}
}

func (m *model) arrive() {
	m.arrival()
	client := m.choice.IntN(m.s.Clients)
	m.calls++
	op := &operation{}
	m.tally.arrive(m.now)
	began := op.open(m.policies[client], m.calls, uint32(client), m.now)
	m.trace(arrives, op)
	if began {
		m.send(op)
	} else {
		m.ended(op)
	}
}

// send puts an attempt in line.
func (m *model) send(op *operation) {
	m.tally.send(m.now)
	limit := op.limit(m.s.Timeout)
	r := &request{op: op, sent: m.now, deadline: m.now + limit}
	op.req = r
	if m.full() {
		r.settled = true
		m.trace(rejected, op)
		m.failed(op, ErrRejected)
		return
	}
	m.server.line.add(r)
	m.events.push(event{at: r.deadline, kind: expires, req: r})
	m.work()
}

func (m *model) served() {
	r := m.server.busy
	m.server.busy = nil
	m.trace(served, r.op)
	if !r.settled {
		r.settled = true
		m.tally.good(m.now)
		r.op.succeed(m.now)
		m.ended(r.op)
	}
	m.work()
}

// failed ends an attempt, and plans the next if there is one. The wait is an event even if it is nothing.
func (m *model) failed(op *operation, err error) {
	if !op.fail(err, m.now) {
		m.ended(op)
		return
	}
	m.rest(op)
}

// rest lets an operation wait.
func (m *model) rest(op *operation) {
	m.park(op)
	m.events.push(event{at: m.now + op.wait, kind: wakes, req: op.req})
}

func (m *model) woken(op *operation) {
	goes := op.wake(m.now)
	m.trace(wakes, op)
	switch {
	case !goes:
		m.ended(op)
	case op.again:
		m.rest(op)
	default:
		m.send(op)
	}
}

// ended is the end of a call.
func (m *model) ended(op *operation) { m.trace(finished, op) }

func (m *model) trace(k kind, op *operation) {
	if op == nil {
		m.tally.trace(k, m.now, 0, 0)
	} else {
		m.tally.trace(k, m.now, op.attempt.Call, op.attempts)
	}
}

// park remembers an operation that waits and can hear of a stop.
func (m *model) park(op *operation) {
	if op.halted == nil {
		return
	}
	last := m.parked.prev
	op.prev, op.next, op.parked = last, &m.parked, true
	last.next, m.parked.prev = op, op
}

func (m *model) unpark(op *operation) {
	if op.parked {
		op.prev.next, op.next.prev, op.parked = op.next, op.prev, false
	}
}

// halt ends the waits that a stop ended.
func (m *model) halt() {
	for op := m.parked.next; op != &m.parked; {
		next := op.next
		if op.stopped() {
			m.unpark(op)
			m.woken(op)
		}
		op = next
	}
}

// seconds converts without overflow.
func seconds(s float64) time.Duration {
	return time.Duration(min(s*float64(time.Second), float64(1<<61)))
}
