package profile

import (
	"time"

	"github.com/relent-go/relent/gate/breaker"
)

// Gobreaker is the circuit breaker of sony/gobreaker, version 2. Fields that are not positive mean defaults.
type Gobreaker struct {
	Failures    int           // in a row, more than which open; default 5
	Interval    time.Duration // after which Closed begins anew; default never
	Timeout     time.Duration // default 60 s
	MaxRequests int           // probes, which must all succeed; default 1
}

// New returns a breaker with a name for its refusals.
func (g Gobreaker) New(name string) *Breaker {
	probes := int64(or(g.MaxRequests, 1))
	return open(name, limits{open: or(g.Timeout, time.Minute), strict: true, permits: probes, total: true}, &gobreaker{
		failures: int64(or(g.Failures, 5)),
		interval: int64(max(0, min(g.Interval, far))),
		probes:   probes,
	})
}

type gobreaker struct {
	failures, interval, probes int64
	until                      int64 // the end of the interval
	row                        int64 // failures in a row
	sum                        Counts
}

func (g *gobreaker) clear(now int64) { g.until, g.row, g.sum = now+g.interval, 0, Counts{} }

// look begins a new interval. As in the original, results of attempts that the old one admitted are dropped.
func (g *gobreaker) look(now int64) (trip breaker.Cause, fresh bool) {
	if g.interval == 0 || now <= g.until {
		return "", false
	}
	g.clear(now)
	return "", true
}

func (g *gobreaker) record(_ int64, e evidence) breaker.Cause {
	g.sum.add(e, 1)
	g.row++
	if !e.failed {
		g.row = 0
	}
	return because(breaker.ByStreak, g.row > g.failures)
}

func (g *gobreaker) counts(int64) (Counts, bool) { return g.sum, g.sum.Calls > 0 }

func (g *gobreaker) judge(probes Counts) verdict {
	return either(probes.Calls-probes.Failed >= g.probes, probes.Failed > 0)
}
