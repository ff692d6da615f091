package profile

import (
	"time"

	"github.com/relent-go/relent/gate/breaker"
)

// Failsafe is the circuit breaker of Failsafe and failsafe-go. It counts Failures of the last Executions or, with
// a Period, Failures within it; or, with a Period and FailurePercent, that share of at least Executions.
// Fields that are not positive mean defaults.
type Failsafe struct {
	Failures        int           // default 1
	Executions      int           // default Failures
	Period          time.Duration // in 10 parts; default none
	FailurePercent  int           // at least, within Period; default none
	Delay           time.Duration // default 60 s
	Successes       int           // of SuccessCapacity probes, that close; default what keeps it closed
	SuccessCapacity int           // default Successes
}

// New returns a breaker with a name for its refusals.
func (f Failsafe) New(name string) *Breaker {
	failures := int64(or(f.Failures, 1))
	r := &failsafe{
		failures:  failures,
		capacity:  max(failures, int64(or(f.Executions, 1))),
		successes: int64(max(0, f.Successes)),
	}
	switch {
	case f.Period > 0 && f.FailurePercent > 0:
		r.least, r.percent, r.period = int64(or(f.Executions, 1)), int64(f.FailurePercent), newSpan(f.Period)
		r.capacity = r.least
	case f.Period > 0:
		r.least, r.capacity, r.period = failures, failures, newSpan(f.Period)
	default:
		r.last = newRecent(r.capacity)
	}
	r.probes = r.capacity
	if r.successes > 0 {
		r.probes = max(r.successes, int64(f.SuccessCapacity))
	}
	return open(name, limits{open: or(f.Delay, time.Minute), permits: r.probes}, r)
}

type failsafe struct {
	failures, capacity int64
	least, percent     int64 // executions before a verdict, and the rate; 0 for none
	successes, probes  int64
	last               *recent // one of the two
	period             *span
}

func (f *failsafe) clear(int64) {
	if f.period != nil {
		f.period.clear()
		return
	}
	f.last.clear()
}

func (f *failsafe) look(int64) (trip breaker.Cause, fresh bool) { return "", false }

func (f *failsafe) record(now int64, e evidence) breaker.Cause {
	if f.period != nil {
		f.period.add(now, e)
	} else {
		f.last.add(e)
	}
	c, enough := f.counts(now)
	return because(breaker.ByFailureRate, enough && f.bad(c))
}

func (f *failsafe) bad(c Counts) bool {
	if f.percent > 0 {
		return atLeast(c.Failed, c.Calls, f.percent)
	}
	return c.Failed >= f.failures
}

func (f *failsafe) counts(now int64) (c Counts, enough bool) {
	if f.period != nil {
		c = f.period.sum(now)
	} else {
		c = f.last.sum
	}
	return c, c.Calls >= f.least
}

// judge closes when the failures that are missing could not come any more, and opens likewise.
func (f *failsafe) judge(probes Counts) verdict {
	good := probes.Calls - probes.Failed
	switch {
	case f.successes > 0:
		return either(good >= f.successes, probes.Failed > f.probes-f.successes)
	case f.percent > 0:
		enough := probes.Calls >= f.least
		bad := f.bad(probes)
		return either(enough && !bad, enough && bad)
	}
	return either(good > f.capacity-f.failures, probes.Failed >= f.failures)
}

func either(closed, opened bool) verdict {
	switch {
	case closed:
		return toClosed
	case opened:
		return toOpen
	}
	return undecided
}
