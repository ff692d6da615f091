package profile

import (
	"time"

	"github.com/relent-go/relent/gate/breaker"
)

// Polly is the circuit breaker of Polly version 8. Fields that are not positive mean defaults.
type Polly struct {
	Throughput     int           // least calls in the window; default 100
	FailurePercent int           // at least; default 10
	Sampling       time.Duration // the window, in 10 parts; default 30 s
	Break          time.Duration // default 5 s
}

// New returns a breaker with a name for its refusals.
func (p Polly) New(name string) *Breaker {
	return open(name, limits{open: or(p.Break, 5*time.Second), permits: 1}, &polly{
		throughput: int64(or(p.Throughput, 100)),
		percent:    int64(or(p.FailurePercent, 10)),
		window:     newSpan(or(p.Sampling, 30*time.Second)),
	})
}

type polly struct {
	throughput, percent int64
	window              *span
}

func (p *polly) clear(int64) { p.window.clear() }

func (p *polly) look(int64) (trip breaker.Cause, fresh bool) { return "", false }

// record opens on a failure only, though a success may be the call that makes the throughput.
func (p *polly) record(now int64, e evidence) breaker.Cause {
	p.window.add(now, e)
	c, enough := p.counts(now)
	return because(breaker.ByFailureRate, e.failed && enough && atLeast(c.Failed, c.Calls, p.percent))
}

func (p *polly) counts(now int64) (Counts, bool) {
	c := p.window.sum(now)
	return c, c.Calls >= p.throughput
}

func (p *polly) judge(probes Counts) verdict { return one(probes) }
