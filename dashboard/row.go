package dashboard

import (
	"math"
	"time"

	"github.com/relent-go/relent/control"
)

// A Number is a float64 whose JSON is null when it is not a finite number: a ratio of nothing.
type Number float64

// A Row is one policy as the table shows it, before and after retries side by side. Rates are of the
// last ten seconds, the rest of the last minute.
type Row struct {
	Name          string            `json:"name"`
	Component     string            `json:"component,omitempty"`
	Policy        string            `json:"policy"`
	Version       uint64            `json:"version"`
	Base          map[string]string `json:"base,omitempty"`
	Override      map[string]string `json:"override,omitempty"`
	Calls         Number            `json:"calls"`         // a second
	Retries       Number            `json:"retries"`       // a second
	Success       Number            `json:"success"`       // share of the calls
	FirstTry      Number            `json:"first_try"`     // share of the calls
	Amplification Number            `json:"amplification"` // attempts of a call
	CallP50       Number            `json:"call_p50"`      // seconds
	CallP99       Number            `json:"call_p99"`
	AttemptP50    Number            `json:"attempt_p50"`
	AttemptP99    Number            `json:"attempt_p99"`
	InFlight      int64             `json:"in_flight"`
	Waiting       int64             `json:"waiting"`
	Outcomes      map[string]uint64 `json:"outcomes"`   // calls, those that are not zero
	Suppressed    map[string]uint64 `json:"suppressed"` // retries not made, those that are not zero

	fields []byte // Base and Override as in the JSON; nil: they are to be encoded
}

// A LearningRow is what is learned about one policy.
type LearningRow struct {
	Name string `json:"name"`
	*control.LearningView
}

// Totals are the same figures over all policies.
type Totals struct {
	Calls         Number            `json:"calls"`
	Retries       Number            `json:"retries"`
	Success       Number            `json:"success"`
	FirstTry      Number            `json:"first_try"`
	Amplification Number            `json:"amplification"`
	CallP50       Number            `json:"call_p50"`
	CallP99       Number            `json:"call_p99"`
	InFlight      int64             `json:"in_flight"`
	Waiting       int64             `json:"waiting"`
	Unknown       int64             `json:"unknown"` // orders of unknown outcome
	Open          int               `json:"open"`    // circuits that let nothing through
	Suppressed    map[string]uint64 `json:"suppressed"`
}

// A BudgetRow is one budget, and how it moves.
type BudgetRow struct {
	control.BudgetView
	DeniedRate Number `json:"denied_rate"` // a second
	Empty      Number `json:"empty"`       // seconds until it is empty if it goes on like this; null if it does not sink
}

// A count is what counters said at one time, or a difference of two such.
type count struct {
	at       time.Time
	outcomes [len(outcomes)]uint64
	reasons  [len(reasons)]uint64
	attempts uint64
	call     []uint64 // of the histogram
	attempt  []uint64
}

func countOf(p *control.PolicyView, at time.Time) count {
	c := count{at: at, attempts: p.Attempts, call: p.Call.Counts, attempt: p.Attempt.Counts}
	for i, o := range outcomes {
		c.outcomes[i] = p.Outcomes[o]
	}
	for i, r := range reasons {
		c.reasons[i] = p.Suppressed[r]
	}
	return c
}

// since returns c less b. A counter that fell, because a process left the fleet, tells nothing.
func (c count) since(b count) count {
	for i := range c.outcomes {
		c.outcomes[i] = less(c.outcomes[i], b.outcomes[i])
	}
	for i := range c.reasons {
		c.reasons[i] = less(c.reasons[i], b.reasons[i])
	}
	c.attempts = less(c.attempts, b.attempts)
	c.call, c.attempt = lessAll(c.call, b.call), lessAll(c.attempt, b.attempt)
	return c
}

// plus returns c and b together.
func (c count) plus(b count) count {
	for i := range c.outcomes {
		c.outcomes[i] += b.outcomes[i]
	}
	for i := range c.reasons {
		c.reasons[i] += b.reasons[i]
	}
	c.attempts += b.attempts
	c.call = plusAll(c.call, b.call)
	return c
}

func (c count) calls() (n uint64) {
	for _, o := range c.outcomes {
		n += o
	}
	return n
}

// retries are the attempts beyond one of each call. Calls that were refused have none.
func (c count) retries() uint64 { return less(c.attempts, c.calls()) }

func (c count) success() Number { return Number(c.outcomes[0]+c.outcomes[1]) / Number(c.calls()) }
func (c count) first() Number   { return Number(c.outcomes[0]) / Number(c.calls()) }
func (c count) amplification() Number {
	return Number(c.attempts) / Number(c.calls())
}

func (c count) byOutcome() map[string]uint64 {
	m := map[string]uint64{}
	for i, n := range c.outcomes {
		if n > 0 {
			m[outcomes[i]] = n
		}
	}
	return m
}

func (c count) byReason() map[string]uint64 {
	m := map[string]uint64{}
	for i, n := range c.reasons {
		if n > 0 {
			m[reasons[i]] = n
		}
	}
	return m
}

func less(a, b uint64) uint64 {
	if a < b {
		return 0
	}
	return a - b
}

func lessAll(a, b []uint64) []uint64 {
	if len(a) != len(b) {
		return a
	}
	d := make([]uint64, len(a))
	for i := range a {
		d[i] = less(a[i], b[i])
	}
	return d
}

func plusAll(a, b []uint64) []uint64 {
	if len(a) != len(b) {
		if len(a) == 0 {
			return b
		}
		return a
	}
	s := make([]uint64, len(a))
	for i := range a {
		s[i] = a[i] + b[i]
	}
	return s
}

// quantile estimates one from a histogram: linear within the bucket, and the highest bound for what
// lies above it. Of nothing it is not a number.
func quantile(bounds []float64, counts []uint64, q float64) Number {
	var all uint64
	for _, n := range counts {
		all += n
	}
	if all == 0 || len(counts) != len(bounds)+1 || len(bounds) == 0 {
		return Number(math.NaN())
	}
	rank := q * float64(all)
	var below, seen float64
	for i, bound := range bounds {
		n := float64(counts[i])
		if seen+n >= rank && n > 0 {
			return Number(below + (bound-below)*max(0, rank-seen)/n)
		}
		seen, below = seen+n, bound
	}
	return Number(below)
}
