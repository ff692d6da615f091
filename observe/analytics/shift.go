package analytics

import (
	"fmt"
	"math"
	"time"
)

const (
	shiftAlarm = 30
	quickAlarm = 25 // of independent calls, the mean to a false alarm is above e^25
	stormAlarm = 20
)

func logRatio(a, b float64) float64 { return math.Log(a / b) }

// errorShift adds the outcomes of n calls, and looks at once: an outage does not wait for the end of a second.
func (e *Engine) errorShift(s *subject, ok bool, n uint32, at int64) {
	if s.trained < trainedAt {
		return
	}
	if ok {
		s.shift.add(float64(n)*s.down, at, 2*shiftAlarm)
		s.quick.add(float64(n)*s.qDown, at, 2*quickAlarm)
		return
	}
	s.shift.add(float64(n)*s.up, at, 2*shiftAlarm)
	s.quick.add(float64(n)*s.qUp, at, 2*quickAlarm)
	if s.shift.s < shiftAlarm {
		if s.quick.s < quickAlarm {
			return
		}
		if c := s.last(e.second, 2); c.rate() < max(2*s.q0, outageRate/3) { // a few in a row among many calls
			return
		}
	}
	c := s.last(e.second, 10)
	if x := c.rate(); x >= 3*s.p0 && c.fails >= 5 {
		e.shifted(s, &c, at)
	}
}

func (e *Engine) shifted(s *subject, c *counts, at int64) {
	severity := Ticket
	if c.rate() >= 0.2 {
		severity = Page
	}
	e.raise(alarm{kind: ErrorShift, subject: policy(s), severity: severity, started: max(s.shift.zero, s.quick.zero), at: at,
		evidence: func() Evidence {
			value, threshold := s.shift.s, float64(shiftAlarm)
			if s.quick.s/quickAlarm > value/threshold {
				value, threshold = s.quick.s, quickAlarm
			}
			return Evidence{Statistic: "bernoulli_cusum", Value: value, Threshold: threshold, Effect: c.rate() / s.p0, N: uint64(c.calls),
				Window: 10 * time.Second, Baseline: s.base, Samples: s.samples(e.second), Fingerprints: s.prints.top()}
		},
		action: Action{Kind: LookAtErrors},
		text: func() string {
			return fmt.Sprintf("%s fails %s of its first tries; %s is usual.", s.name, percent(c.rate()), percent(s.base))
		}})
}

// keepShift lets a shift last while the rate of half a minute is twice the baseline: of ten seconds it is by chance, now and then.
func (e *Engine) keepShift(s *subject, at int64) {
	if !e.isOpen(ErrorShift, policy(s)) {
		return
	}
	if c := s.last(e.second, 30); c.fails >= 5 && c.rate() >= 2*s.p0 {
		c = s.last(e.second, 10)
		e.shifted(s, &c, at)
	}
}

// retryStorm looks at the retries of a second that ended.
func (e *Engine) retryStorm(s *subject, at int64) {
	if s.trained < trainedAt {
		return
	}
	rho0 := max(s.loadBase, 0.02)
	rho1 := max(5*rho0, 0.5)
	calls, retries := float64(s.now.calls), s.now.retries()
	s.storm.add((retries*math.Log(rho1/rho0)-(rho1-rho0)*calls)/s.loadPhi, at, 2*stormAlarm)
	c := s.last(e.second, 10)
	lasts := e.isOpen(RetryStorm, policy(s)) && c.load() > 1.25
	if !lasts && !(s.storm.s >= stormAlarm && c.load() > 1.5 && c.retries() >= 50) {
		return
	}
	severity := Ticket
	if c.load() >= 2 || c.rate() >= 3*s.p0 {
		severity = Page
	}
	e.raise(alarm{kind: RetryStorm, subject: policy(s), severity: severity, started: s.storm.zero, at: at,
		evidence: func() Evidence {
			return Evidence{Statistic: "poisson_cusum", Value: s.storm.s, Threshold: stormAlarm, Effect: c.load(), N: uint64(c.retries()),
				Window: 10 * time.Second, Baseline: s.loadBase, Samples: s.samples(e.second), Fingerprints: s.prints.top()}
		},
		action: Action{Kind: LowerAttempts, Count: 2},
		text: func() string {
			return fmt.Sprintf("%s makes %.3g attempts per call, %.3g retries a second.", s.name, c.load(), c.retries()/10)
		}})
}
