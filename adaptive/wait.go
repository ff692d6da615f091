package adaptive

import (
	"math"
	"time"

	"github.com/relent-go/relent/retry"
)

const (
	parks      = .8   // belief from which callers wait for each other
	leastProbe = .1   // seconds between two probes
	mostProbe  = 15.  // likewise
	leastWake  = 5.   // retries per second after an outage, however few calls there are
	wakeShare  = .3   // of what a caller has left, for its turn after an outage
	look       = .25  // seconds after which one that waits looks again, if there are few
	looks      = 4000 // per second, of all that wait
	shortStay  = .4   // seconds left with which parking is still worth it
)

// wait is the delay of an advice with jitter: not before a hint, not longer than there is time for, and while the operation may be down not
// shorter than half of what is configured. u is uniform in [0, 1).
func (m *model) wait(q *ask, s *said, u float64) float64 {
	d := s.delay
	switch {
	case q.hint > 0:
		d = max(d, q.hint) + u*.2*q.hint
	case q.group == throttle:
		d *= 1 + .3*u
	default:
		d *= .8 + .4*u
	}
	if s.down > outageEnds {
		d = max(d, s.configured.Seconds()/2)
	}
	return min(d, max(q.hint, q.left-q.expected))
}

// A waiter is a retry whose wait is over.
type waiter struct {
	group  group
	kind   Kind
	retry  int
	lifted bool    // what it waited for is what the other side named
	left   float64 // seconds to the end of its call
	note   uint64
	lever  float64 // uniform in [0, 1): whether the gate lets it pass
	spread float64 // likewise, where in a span its turn is
}

// ready says, when a wait is over, how much longer the retry must wait, if at all, or why its call ends. It notes the forecast of
// one that begins.
func (m *model) ready(w *waiter, a *retry.Attempt, t *Terms, control bool) (again time.Duration, stop *Stopped) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(m.since(a.Begins))
	if w.note&waiting != 0 && Mode(m.mode.Load()) == Active && m.leads(control, true, t) == Model {
		more, end := m.hold(w, t)
		if end {
			m.left(w)
			return 0, &Stopped{m.name, 1 - m.belief[w.group].down - t.cost(), m.belief[w.group].down}
		}
		if more > 0 {
			return duration(more), nil
		}
		m.started = m.at
	}
	m.left(w)
	w.note = m.predict(w.kind, w.group, w.retry, w.lifted, t) | w.note&(against|amid)
	return 0, nil
}

// hold returns how much longer a retry waits, in seconds, or says that its call ends.
func (m *model) hold(w *waiter, t *Terms) (more float64, end bool) {
	spare := w.left - m.expected() - .05
	if t.uses(Pressure) && w.lever >= m.pressure.open {
		return 0, true
	}
	b := &m.belief[w.group]
	switch {
	case !t.uses(Parking):
		return 0, false
	case b.in && b.down >= parks:
		w.note &^= planned
		return m.park(b, w, t, spare)
	case w.note&planned == 0 && m.at < m.wake[w.group]:
		w.note |= planned
		return w.spread * min(m.wake[w.group]-m.at, wakeShare*max(0, spare)), false
	}
	return 0, false
}

// park lets a retry probe if nothing was heard for long enough, and else has it wait.
func (m *model) park(b *belief, w *waiter, t *Terms, spare float64) (more float64, end bool) {
	quiet := m.at - max(m.started, m.heard)
	n := float64(max(1, m.waiters[w.group]))
	d := m.probes(w.group, n, t)
	if quiet >= d {
		return 0, false
	}
	more = max(.02, min((d-quiet)*(1+.5*w.spread), max(look, n/looks)*(1+w.spread)))
	switch {
	case more < spare:
		return more, false
	case w.left > shortStay:
		if more = spare - .2 - .1*w.spread; more > .02 {
			return more, false
		}
		return 0, false
	}
	return 0, 1-b.down <= t.cost()
}

// probes is how long, in seconds, n waiters let pass without news before one of them probes.
func (m *model) probes(g group, n float64, t *Terms) float64 {
	e := max(.05, m.belief[g].elapsed(m.at))
	h := (m.hazard[g].at(1.5*e)-m.hazard[g].at(e))/(.5*e) + 1e-6
	return min(mostProbe, max(leastProbe, math.Sqrt(2*t.cost()/(h*m.delayCost*n))))
}

// left takes a retry out of those that wait. m.mu is held.
func (m *model) left(w *waiter) {
	if w.note&waiting != 0 {
		w.note &^= waiting
		m.waiters[w.group]--
	}
}

// gone is left for one that never began.
func (m *model) gone(g group) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiters[g]--
}

// release plans the turns of those that wait at the end of an outage.
func (m *model) release(g group) {
	span := float64(m.waiters[g]) / max(leastWake, 3*m.rate())
	if g == throttle {
		span = max(1, span)
	}
	m.wake[g] = m.at + span
}
