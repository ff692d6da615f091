package inference

import (
	"fmt"
	"sync/atomic"
	"time"
)

// A condition is the state of one model. All but seen is guarded by the ladder's lock.
type condition struct {
	seen atomic.Uint32 // state, for those who look without the lock

	last     bool // the rule does not leave the last model out
	state    State
	era      uint64    // counts the states, so that a call that began in an earlier one says nothing about this one
	since    time.Time // of state
	returned bool      // it was Normal again after having been left out
	why      string
	err      error // the last failure

	failures int // failed calls in a row

	probing  bool
	good     int       // probes in a row
	first    time.Time // of those
	next     time.Time // probe
	interval time.Duration
	span     time.Duration

	step   int       // of the ramp
	stepAt time.Time // when it began
	proof  bool      // a call or probe went well in this step
}

// percent of the keys for which the model is asked.
func (c *condition) percent() int {
	switch c.state {
	case Normal:
		return 100
	case Ramp:
		return ramp[c.step]
	}
	return 0
}

// admit says why a model may not be asked for a query, or nil. It begins a probe if one is due.
func (l *Ladder[In, Out]) admit(q *query[In, Out], i int) error {
	c := l.models[i]
	if State(c.seen.Load()) == Normal {
		return nil
	}
	defer l.tell()
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.state == Ramp {
		l.climb(i, q.now)
	}
	switch {
	case c.state == Normal:
		return nil
	case c.state == Held:
		return fmt.Errorf("%w: %s", ErrHeld, c.why)
	case c.state == Ramp && l.chosen(q.key) < c.percent():
		return nil
	}
	l.probe(q, i)
	return fmt.Errorf("%w: %s", ErrDegraded, c.why)
}

// chosen places a key from 0 to 99, by FNV-1a, so that each process places it alike; a query without a key anywhere.
func (l *Ladder[In, Out]) chosen(key string) int {
	if key == "" {
		return int(l.random() * 100)
	}
	h := uint64(14695981039346656037)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	return int((h ^ h>>32) % 100)
}

// era returns the era in which a call begins.
func (l *Ladder[In, Out]) era(i int) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.models[i].era
}

// settle learns how a call went that began in an era.
func (l *Ladder[In, Out]) settle(i int, era uint64, f fate, err error) {
	defer l.tell()
	l.mu.Lock()
	defer l.mu.Unlock()
	c, now := l.models[i], time.Now()
	if f == bad || f == broken {
		c.err = err
	}
	if c.era != era {
		return
	}
	switch f {
	case good:
		c.failures, c.proof = 0, true
		if c.state == Ramp {
			l.climb(i, now)
		}
	case bad, broken:
		c.failures++
		switch {
		case c.last || c.state == Held:
		case c.state == Ramp:
			l.degrade(i, now, "a failed call in the ramp")
		case f == broken:
			l.degrade(i, now, "its breaker is open")
		case c.failures >= l.rules.Failures:
			l.degrade(i, now, fmt.Sprintf("%d failed calls in a row", c.failures))
		}
	}
}

// turn brings a model into a state, and queues the change.
func (l *Ladder[In, Out]) turn(i int, now time.Time, to State, why string) {
	c := l.models[i]
	ch := Change{At: now, Ladder: l.Name, Model: l.Models[i].Name, From: c.state, To: to, Cause: why, Failures: c.failures, Probes: c.good, Span: c.span, Err: c.err}
	if to != c.state {
		c.era++
		c.since = now
	}
	c.state, c.why = to, why
	c.seen.Store(uint32(to))
	ch.Percent = c.percent()
	if l.OnChange != nil {
		l.teller.add(ch)
	}
}

// degrade leaves a model out. It must prove itself for longer if it just came back.
func (l *Ladder[In, Out]) degrade(i int, now time.Time, why string) {
	c := l.models[i]
	switch up := now.Sub(c.since); {
	case c.state == Ramp, c.returned && up < relapse:
		c.span = min(2*c.span, l.rules.MaxSpan)
	case up >= forget:
		c.span = l.rules.Span
	}
	c.interval = l.rules.ProbeAfter
	c.next = now.Add(l.jitter(c.interval))
	c.good = 0
	l.turn(i, now, Degraded, why)
	c.failures = 0
}

// jitter spreads a wait by ±25 %.
func (l *Ladder[In, Out]) jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.75 + l.random()/2))
}

// climb takes a model up the ramp, a step at a time, each after its time and not without proof.
func (l *Ladder[In, Out]) climb(i int, now time.Time) {
	c := l.models[i]
	if !c.proof || now.Sub(c.stepAt) < l.rules.Step {
		return
	}
	c.stepAt, c.proof = now, false
	if c.step++; c.step < len(ramp) {
		l.turn(i, now, Ramp, "the last step went well")
		return
	}
	c.returned, c.good, c.next = true, 0, time.Time{}
	l.turn(i, now, Normal, "the ramp went well")
}
