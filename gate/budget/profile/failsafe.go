package profile

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"github.com/relent-go/relent/retry"
)

// Failsafe is the budget of failsafe-go: it refuses a retry when there are some already, and more than a
// share of what is in flight. It compares before it counts the new one, and so overshoots by one. A
// retry counts from the moment it is granted.
//
// With Throttle it has failsafe-go's adaptive throttler as well, which refuses any attempt
// with a chance that grows with the share of failures in the last minute.
type Failsafe struct {
	MaxRate  float64        // share of what is in flight that may be retries, up to 1; 0 means 0.2, None means none
	Min      int            // retries at one time that are allowed in any case; 0 means 3, None means none
	Throttle bool           // with the adaptive throttler
	Rand     func() float64 // uniform in [0, 1), for the throttler, safe for concurrent use; nil means math/rand/v2

	concurrency concurrency
	throttle    throttle // guarded by concurrency.mu
}

const (
	failsafeRate   = 0.2
	failsafeMin    = 3
	failsafeK      = 1 / 0.9 // a tenth of failures is tolerated
	failsafeMost   = 0.9
	failsafePeriod = time.Minute
	failsafeSlots  = 20
)

var _ Profile = (*Failsafe)(nil)

// Admit counts an attempt, if the budget and the throttler let it pass.
func (f *Failsafe) Admit(_ context.Context, a *retry.Attempt) error {
	u := 1.0
	if f.Throttle {
		u = draw(f.Rand)
	}
	c := &f.concurrency
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.Throttle {
		f.open().move(a.At)
		if p := f.throttle.rejection(failsafeK, failsafeMost); u < p {
			return refuse("failsafe", ruleThrottle, u, p)
		}
	}
	if a.Number <= 1 {
		c.take(a, holdsActive)
		return nil
	}
	rate, most := float64(c.retries)/float64(c.active), pick(f.MaxRate, failsafeRate, 0, 1)
	if c.retries >= pick(f.Min, failsafeMin, 0, math.MaxInt32) && rate > most {
		return refuse("failsafe", ruleCeiling, most, rate)
	}
	c.take(a, holdsActive|holdsRetry)
	return nil
}

// Settle counts the attempt no longer, and tells the throttler how it went.
func (f *Failsafe) Settle(a *retry.Attempt, o *retry.Outcome) {
	f.concurrency.free(a, true)
	if !f.Throttle || o.State != retry.Succeeded && o.State != retry.Failed {
		return
	}
	f.concurrency.mu.Lock()
	defer f.concurrency.mu.Unlock()
	f.open().move(end(a, o))
	f.throttle.add(requests, 1)
	if o.State == retry.Succeeded {
		f.throttle.add(accepts, 1)
	}
}

func (f *Failsafe) open() *throttle {
	f.throttle.open(failsafePeriod, failsafeSlots)
	return &f.throttle
}

// InFlight returns how many attempts and how many retries wait or run.
func (f *Failsafe) InFlight() (active, retries int) { return f.concurrency.inFlight() }

// Check implements [Profile].
func (f *Failsafe) Check() error { return check(f.fields()) }

// Policy implements [Profile]. The attempts and the backoff of failsafe-go are its retry policy's, not its budget's.
func (f *Failsafe) Policy() *retry.Policy { return &retry.Policy{Gates: []retry.Gate{f}} }

// Funding implements [Profile].
func (f *Failsafe) Funding() (ratio, floorPerSecond float64) {
	return pick(f.MaxRate, failsafeRate, 0, 1), 0
}

func (f *Failsafe) fields() []field {
	return []field{
		{name: "MaxRate", at: &f.MaxRate, high: 1, none: true},
		{name: "Min", at: &f.Min, high: math.MaxInt32, none: true},
		{name: "Throttle", at: &f.Throttle},
	}
}

// draw returns a random number of random, or of the standard library.
func draw(random func() float64) float64 {
	if random == nil {
		random = rand.Float64
	}
	return random()
}
