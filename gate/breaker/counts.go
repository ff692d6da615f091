package breaker

import (
	"math"

	"github.com/relent-go/relent/retry"
)

// Counts are attempts by how they ended. Cancelled attempts, those that never began and those that failed by
// the caller's own fault (Permanent) are in none of them.
type Counts struct {
	OK        uint64 `json:"ok"`             // succeeded, slow ones included
	Slow      uint64 `json:"slow,omitempty"` // succeeded, slower than Rules.SlowAfter
	Transient uint64 `json:"transient,omitempty"`
	Throttled uint64 `json:"throttled,omitempty"`
	Ambiguous uint64 `json:"ambiguous,omitempty"` // panics and attempt timeouts included
	Refused   uint64 `json:"refused,omitempty"`   // by the breaker: never attempted
}

// Failures is how many failed.
func (c Counts) Failures() uint64 { return c.Transient + c.Throttled + c.Ambiguous }

// Total is how many were attempted.
func (c Counts) Total() uint64 { return c.OK + c.Failures() }

// FailureRate is the share of failures, from 0 to 1; 0 if nothing was attempted.
func (c Counts) FailureRate() float64 { return rate(c.Failures(), c.Total()) }

// SlowRate is the share of slow successes, from 0 to 1; 0 if nothing was attempted.
func (c Counts) SlowRate() float64 { return rate(c.Slow, c.Total()) }

func rate(part, all uint64) float64 {
	if all == 0 {
		return 0
	}
	return float64(part) / float64(all)
}

// LowerBound is the lower end of the 95 % confidence interval of the failure rate (Wilson, "Probable inference",
// JASA 22, 1927): how bad the other side is at least, given so few samples. 0 if there are none.
func (c Counts) LowerBound() float64 {
	n := float64(c.Total())
	if n == 0 {
		return 0
	}
	const z = 1.959963984540054
	p := c.FailureRate()
	return max(0, (p+z*z/(2*n)-z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n)))/(1+z*z/n))
}

func (c Counts) plus(d Counts) Counts {
	return Counts{c.OK + d.OK, c.Slow + d.Slow, c.Transient + d.Transient, c.Throttled + d.Throttled,
		c.Ambiguous + d.Ambiguous, c.Refused + d.Refused}
}

// minus is c without d, never below zero.
func (c Counts) minus(d Counts) Counts {
	sub := func(a, b uint64) uint64 { return a - min(a, b) }
	return Counts{sub(c.OK, d.OK), sub(c.Slow, d.Slow), sub(c.Transient, d.Transient), sub(c.Throttled, d.Throttled),
		sub(c.Ambiguous, d.Ambiguous), sub(c.Refused, d.Refused)}
}

func (c Counts) atLeast(d Counts) Counts {
	return Counts{max(c.OK, d.OK), max(c.Slow, d.Slow), max(c.Transient, d.Transient), max(c.Throttled, d.Throttled),
		max(c.Ambiguous, d.Ambiguous), max(c.Refused, d.Refused)}
}

// A kind is what an outcome is evidence of.
type kind uint8

const (
	ok kind = iota
	slow
	transient
	throttled
	ambiguous
	refused
	kinds           // how many there are
	neutral = kinds // says nothing about the other side
)

func (k kind) failure() bool { return k == transient || k == throttled || k == ambiguous }

// judge says what an outcome is evidence of; a success may still prove slow.
func judge(o *retry.Outcome) kind {
	switch o.State {
	case retry.Succeeded:
		return ok
	case retry.Panicked:
		return ambiguous
	case retry.Failed:
		switch o.Class {
		case retry.Transient:
			return transient
		case retry.Throttled:
			return throttled
		case retry.Permanent:
			if !timedOut(o.Err) {
				return neutral
			}
		}
		return ambiguous
	}
	return neutral
}

func (c Counts) atMost(m uint64) Counts {
	return Counts{min(c.OK, m), min(c.Slow, m), min(c.Transient, m), min(c.Throttled, m), min(c.Ambiguous, m), min(c.Refused, m)}
}
