package halt

import (
	"sync"
	"time"

	"github.com/relent-go/relent/retry"
)

// A Ramp says how a scope is let go again after a stop: 10 %, 50 % and then 100 % of the attempts that the stop
// had refused. Time passes with the attempts themselves, beginning with the first: a scope without traffic
// stays at its step. Only if nothing was attempted for as long as all steps take together, it is let go when somebody looks
// at it ([Tree.Status]). Risk-reducing attempts are let go at once.
//
// Nobody who waited during the stop comes back in step with others: their calls ended with the stop, and new
// calls draw new jitter.
type Ramp struct {
	Step  time.Duration // of each share; 0 means 30 s, negative means 30 s
	Burst int           // failures in a row that begin a step anew; 0 means 5, negative means 1
}

// Defaults of a Ramp.
const (
	DefaultStep  = 30 * time.Second
	DefaultBurst = 5
)

// shares are the steps.
var shares = [...]float64{0.1, 0.5, 1}

// A ramp is one in progress.
type ramp struct {
	settings Ramp
	scope    Scope
	epoch    uint64
	lifted   [kinds]doors // what had been closed
	since    time.Time    // when it began to wait for attempts

	mu     sync.Mutex
	step   int       // guarded by mu, as what follows
	ticks  bool      // began is set
	began  time.Time // the step
	latest time.Time
	streak int // failures in a row
}

// begin returns a ramp at its first step, or nil if there is nothing to let go.
func (r Ramp) begin(scope Scope, epoch uint64, lifted [kinds]doors) *ramp {
	if r.Step <= 0 {
		r.Step = DefaultStep
	}
	if r.Burst == 0 {
		r.Burst = DefaultBurst
	}
	var any doors
	for k := range lifted {
		lifted[k] &= 1<<first | 1<<again
		any |= lifted[k]
	}
	if any == 0 {
		return nil
	}
	return &ramp{settings: r, scope: scope, epoch: epoch, lifted: lifted, since: time.Now()}
}

// anew returns r at its first step.
func (r *ramp) anew() *ramp {
	if r == nil {
		return nil
	}
	return r.settings.begin(r.scope, r.epoch, r.lifted)
}

// share returns the part of attempts that pass at a time, and whether the ramp is over. One step is taken at
// most: time without attempts shows nothing about the next one.
func (r *ramp) share(at time.Time) (share float64, over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.see(at)
	if r.latest.Sub(r.began) >= r.settings.Step && r.step < len(shares) {
		r.step, r.began, r.streak = r.step+1, r.latest, 0
	}
	return shares[min(r.step, len(shares)-1)], r.step == len(shares)
}

// see takes notice of a time. The caller holds mu.
func (r *ramp) see(at time.Time) {
	if !r.ticks {
		r.ticks, r.began, r.latest = true, at, at
	}
	if at.After(r.latest) {
		r.latest = at
	}
}

// learn begins the step anew when a burst of failures shows that the other side does not bear it.
func (r *ramp) learn(o *retry.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ticks {
		return // began before the stop
	}
	r.see(o.Start)
	r.see(o.End)
	switch {
	case o.State == retry.Succeeded:
		r.streak = 0
	case o.State == retry.Panicked, o.State == retry.Failed && o.Class != retry.Permanent:
		if r.streak++; r.streak >= r.settings.Burst {
			r.streak, r.began = 0, r.latest
		}
	}
}

// idle says that nothing was attempted for as long as all steps take. Attempts that have times of before it began go by
// another clock than this one, and show nothing.
func (r *ramp) idle(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.since
	if r.ticks {
		last = r.latest
	}
	return !last.Before(r.since) && now.Sub(last)/time.Duration(len(shares)) >= r.settings.Step
}

// present returns the share of now, without taking a step.
func (r *ramp) present() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return shares[min(r.step, len(shares)-1)]
}

// refusal is the error of an attempt that does not pass.
func (r *ramp) refusal(share float64) error {
	return &Error{Scope: r.scope, Epoch: r.epoch, Share: share}
}
