package profile

import (
	"context"
	"math"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// Envoy is the retry budget of Envoy (envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget): as many
// retries at one time as a share of what is active, and some in any case. A retry counts as one from the
// moment it is granted, and as active from the end of its backoff on.
//
// Envoy reads and takes in two steps and can overshoot for a moment; here it is one step.
type Envoy struct {
	Percent float64 // of active attempts that may be retries, in hundredths, up to 100; 0 means 20, None means none
	Min     int     // retries at one time that are allowed in any case; 0 means 3, None means none

	concurrency concurrency
}

const (
	envoyPercent = 20
	envoyMin     = 3
)

var (
	_ Profile       = (*Envoy)(nil)
	_ retry.Starter = (*Envoy)(nil)
)

// Admit counts a first attempt, and takes a place for a retry.
func (e *Envoy) Admit(_ context.Context, a *retry.Attempt) error {
	e.concurrency.mu.Lock()
	defer e.concurrency.mu.Unlock()
	if a.Number <= 1 {
		e.concurrency.take(a, holdsActive)
		return nil
	}
	if most := e.most(e.concurrency.active); e.concurrency.retries >= most {
		return refuse("envoy", ruleCeiling, most-e.concurrency.retries, 1)
	}
	e.concurrency.take(a, holdsRetry)
	return nil
}

// Start counts a retry as active.
func (e *Envoy) Start(_ context.Context, a *retry.Attempt) error {
	if a.Number > 1 {
		e.concurrency.mu.Lock()
		defer e.concurrency.mu.Unlock()
		e.concurrency.take(a, holdsActive)
	}
	return nil
}

// Settle counts the attempt no longer.
func (e *Envoy) Settle(a *retry.Attempt, o *retry.Outcome) {
	e.concurrency.free(a, a.Number <= 1 || o.State != retry.NotStarted)
}

// InFlight returns how many attempts are active and how many retries wait or run.
func (e *Envoy) InFlight() (active, retries int) { return e.concurrency.inFlight() }

// most is how many retries there may be at one time.
func (e *Envoy) most(active int) int {
	share := pick(e.Percent, envoyPercent, 0, 100) / 100 * float64(active)
	return max(int(share), pick(e.Min, envoyMin, 0, math.MaxInt32))
}

// Check implements [Profile].
func (e *Envoy) Check() error { return check(e.fields()) }

// Policy implements [Profile]: one retry, after up to 25 ms.
func (e *Envoy) Policy() *retry.Policy {
	return &retry.Policy{
		MaxAttempts: 2,
		Backoff:     backoff.Exponential{Base: 25 * time.Millisecond, Max: 250 * time.Millisecond},
		Gates:       []retry.Gate{e},
	}
}

// Funding implements [Profile]. Min is no rate: it is left to the reader how fast three retries at a time are.
func (e *Envoy) Funding() (ratio, floorPerSecond float64) {
	return pick(e.Percent, envoyPercent, 0, 100) / 100, 0
}

func (e *Envoy) fields() []field {
	return []field{
		{name: "Percent", at: &e.Percent, high: 100, none: true},
		{name: "Min", at: &e.Min, high: math.MaxInt32, none: true},
	}
}
