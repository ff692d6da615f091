package sim

import (
	"math/rand/v2"
	"time"
)

// A request is one attempt as the server sees it. Nobody tells the server when a client has given it up.
type request struct {
	op       *operation
	sent     time.Duration
	deadline time.Duration
	settled  bool // the client has heard, or does not listen any more
}

// A server serves one request at a time. The one that it works on is not in line.
type server struct {
	line    line
	busy    *request
	ends    time.Duration // when it will be done with busy
	gen     uint64        // of the event that says so; earlier ones do not count
	stalled bool
	left    time.Duration // of the work on busy, while stalled
	random  *rand.Rand
}

// full says that a further request is to be rejected.
func (m *model) full() bool { return m.s.Queue > 0 && m.server.line.len() >= m.s.Queue }

// work begins the next request, if the server is free.
func (m *model) work() {
	v := &m.server
	for v.busy == nil && !v.stalled && v.line.len() > 0 {
		var r *request
		if m.s.LIFOAbove > 0 && v.line.len() > m.s.LIFOAbove {
			r = v.line.newest()
		} else {
			r = v.line.oldest()
		}
		if m.s.DropExpired && r.deadline-m.now <= m.s.Margin {
			m.trace(dropped, r.op)
			continue // silently: the client waits for its timeout
		}
		v.busy = r
		v.ends = m.now + seconds(v.random.ExpFloat64()/m.s.Service)
		v.gen++
		m.events.push(event{at: v.ends, kind: served, gen: v.gen})
	}
}

// stall stops the work; the request at hand is not lost.
func (m *model) stall() {
	v := &m.server
	v.stalled, v.left = true, v.ends-m.now
	v.gen++
}

func (m *model) resume() {
	v := &m.server
	v.stalled = false
	if v.busy != nil {
		v.ends = m.now + v.left
		m.events.push(event{at: v.ends, kind: served, gen: v.gen})
	}
	m.work()
}

// A line is a queue of requests with two ends.
type line struct {
	ring []*request // its length is a power of two
	head int        // the oldest
	n    int
}

func (l *line) len() int { return l.n }

func (l *line) add(r *request) {
	if l.n == len(l.ring) {
		ring := make([]*request, max(64, 2*l.n))
		for i := range l.n {
			ring[i] = l.ring[(l.head+i)&(len(l.ring)-1)]
		}
		l.ring, l.head = ring, 0
	}
	l.ring[(l.head+l.n)&(len(l.ring)-1)] = r
	l.n++
}

func (l *line) oldest() *request {
	r := l.ring[l.head]
	l.ring[l.head] = nil
	l.head = (l.head + 1) & (len(l.ring) - 1)
	l.n--
	return r
}

func (l *line) newest() *request {
	l.n--
	i := (l.head + l.n) & (len(l.ring) - 1)
	r := l.ring[i]
	l.ring[i] = nil
	return r
}
