package profile

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/relent-go/relent/retry"
)

// AWSAdaptive is the rate limiter of the AWS SDKs' adaptive mode: once throttled, it sends no faster than
// a rate that it finds by itself, first attempts and retries alike.
//
// The SDKs wait for the rate. This gate does so up to MaxWait, and otherwise refuses at once, with
// how long it would have to be in [Refusal.After]. It never lets more be taken than there is, so a crowd
// that is refused does not put off the next attempt.
//
// A retry pays a quota as in standard mode. That is a gate of its own, Quota, which the preset puts before this
// one; somebody who puts the gates together by hand lists &g.Quota, too.
type AWSAdaptive struct {
	MaxWait time.Duration // longest wait in Admit, up to an hour; 0 means that it refuses at once
	Quota   AWS2026       // of retries

	mu    sync.Mutex
	clock clock // guarded by mu
	cubic cubic // guarded by mu
}

const adaptiveMostWait = time.Hour

var _ Profile = (*AWSAdaptive)(nil)

// Admit takes a token. It waits for one up to MaxWait, no longer than ctx and a stop allow.
func (g *AWSAdaptive) Admit(ctx context.Context, a *retry.Attempt) error {
	left := pick(g.MaxWait, 0, 0, adaptiveMostWait)
	for waited := time.Duration(0); ; {
		wait := g.take(a, waited)
		if wait == 0 {
			return nil
		}
		if wait > left {
			r := refuse("aws-adaptive", ruleRate, 1-wait.Seconds()*g.Rate(), 1)
			r.After = wait
			return r
		}
		if err := pause(ctx, a, wait); err != nil {
			return err
		}
		left, waited = left-wait, waited+wait
	}
}

// take takes a token for an attempt that has waited, or returns how much longer it must.
func (g *AWSAdaptive) take(a *retry.Attempt, waited time.Duration) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	wait := g.cubic.take(g.clock.at(a.At.Add(waited)).Seconds())
	if wait == 0 && g.cubic.enabled {
		a.Keep(1)
	}
	return wait
}

// Settle learns from the response, and gives back the token of an attempt that never began.
func (g *AWSAdaptive) Settle(a *retry.Attempt, o *retry.Outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case o.State == retry.NotStarted && a.Kept() == 1:
		g.cubic.giveBack()
	case o.State == retry.Succeeded, o.State == retry.Failed:
		g.cubic.respond(g.clock.at(end(a, o)).Seconds(), o.State == retry.Failed && o.Class == retry.Throttled)
	}
	a.Keep(0)
}

// Rate returns the attempts per second that it allows; +Inf until it was throttled for the first time.
func (g *AWSAdaptive) Rate() float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.cubic.enabled {
		return math.Inf(1)
	}
	return g.cubic.fill
}

// Check implements [Profile].
func (g *AWSAdaptive) Check() error { return check(g.fields()) }

// Policy implements [Profile]: that of AWS2026, with the limiter after its quota.
func (g *AWSAdaptive) Policy() *retry.Policy {
	p := g.Quota.Policy()
	p.Gates = append(p.Gates, g)
	return p
}

// Funding implements [Profile]: only successes fund its quota.
func (g *AWSAdaptive) Funding() (ratio, floorPerSecond float64) { return 0, 0 }

func (g *AWSAdaptive) fields() []field {
	return append(g.Quota.fields(), field{name: "MaxWait", at: &g.MaxWait, high: float64(adaptiveMostWait), none: true})
}
