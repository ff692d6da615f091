package profile

import (
	"time"

	"github.com/relent-go/relent/gate/breaker"
)

// Resilience4j is the count-based breaker of resilience4j. Fields that are not positive mean defaults.
type Resilience4j struct {
	Calls          int           // in the window; default 100
	MinCalls       int           // before there is a rate; default 100, at most Calls
	FailurePercent int           // at least; default 50
	SlowPercent    int           // at least; default 100
	SlowAfter      time.Duration // a call that takes longer is slow; default 60 s
	Open           time.Duration // default 60 s
	Probes         int           // that decide together; default 10
}

// New returns a breaker with a name for its refusals.
func (r Resilience4j) New(name string) *Breaker {
	calls, probes := int64(or(r.Calls, 100)), int64(or(r.Probes, 10))
	return open(name, limits{open: or(r.Open, time.Minute), strict: true, permits: probes, total: true, slow: or(r.SlowAfter, time.Minute)}, &resilience4j{
		least:   min(calls, int64(or(r.MinCalls, 100))),
		percent: int64(or(r.FailurePercent, 50)),
		slow:    int64(or(r.SlowPercent, 100)),
		probes:  probes,
		window:  newRecent(calls),
	})
}

type resilience4j struct {
	least, percent, slow, probes int64
	window                       *recent
}

func (r *resilience4j) clear(int64) { r.window.clear() }

func (r *resilience4j) look(int64) (trip breaker.Cause, fresh bool) { return "", false }

func (r *resilience4j) record(_ int64, e evidence) breaker.Cause {
	r.window.add(e)
	if r.window.sum.Calls < r.least {
		return ""
	}
	return r.bad(r.window.sum)
}

func (r *resilience4j) bad(c Counts) breaker.Cause {
	if atLeast(c.Failed, c.Calls, r.percent) {
		return breaker.ByFailureRate
	}
	return because(breaker.BySlowRate, atLeast(c.Slow, c.Calls, r.slow))
}

func (r *resilience4j) counts(int64) (Counts, bool) {
	return r.window.sum, r.window.sum.Calls >= r.least
}

func (r *resilience4j) judge(probes Counts) verdict {
	switch {
	case probes.Calls < r.probes:
		return undecided
	case r.bad(probes) != "":
		return toOpen
	}
	return toClosed
}
