package profile

import (
	"context"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// Linkerd is the retry budget of the Linkerd proxy: Tower's arithmetic, but what deposits is not the request:
// every response does that does not ask for a retry, and so does a request without any response,
// which is never retried. A retry withdraws.
//
// Nothing is retried whose body is longer than MaxBody. The gate cannot see the body: a transport says how
// long it is with [WithCall]; a call about which nothing was said counts as one without a body.
//
// A retry that was admitted but never began gives back what it withdrew.
type Linkerd struct {
	TTL     time.Duration // how long deposits and withdrawals count, 1 s to 1 min; 0 means 10 s
	Min     int           // retries per second that need no deposit; 0 means 10, None means none
	Percent float64       // retries that a deposit pays for, up to 1000 (not in hundredths); 0 means 0.2, None means none
	MaxBody int           // longest body of a request that is retried, in bytes; 0 means 64 KiB, None means that no body is

	// Answered says whether an error is a response of the peer. Nil means all but errors of the network,
	// timeouts and an unexpected end.
	Answered func(error) bool

	leaky leaky
}

const linkerdBody = 64 << 10

var _ Profile = (*Linkerd)(nil)

// Admit withdraws for a retry.
func (l *Linkerd) Admit(ctx context.Context, a *retry.Attempt) error {
	if a.Number <= 1 {
		return nil
	}
	body, most := callOf(ctx).Body, int64(pick(l.MaxBody, linkerdBody, 0, 1<<31-1))
	switch {
	case !l.answered(a.Err):
		return refuse("linkerd", ruleAnswer, 0, 1)
	case body < 0, body > most:
		return refuse("linkerd", ruleBody, most, body)
	}
	return l.open().take("linkerd", a)
}

// Settle deposits for a response that asks for no retry, and for none at all.
func (l *Linkerd) Settle(a *retry.Attempt, o *retry.Outcome) {
	switch {
	case o.State == retry.NotStarted:
		l.open().settle(a, o)
	case o.State == retry.Succeeded, o.State == retry.Failed && !(retryable(a, o.Class) && l.answered(o.Err)):
		l.open().put(a, end(a, o))
	}
}

func (l *Linkerd) answered(err error) bool {
	if l.Answered == nil {
		return answered(err)
	}
	return l.Answered(err)
}

// Balance returns how many retries it would allow now: at the latest time that it has seen.
func (l *Linkerd) Balance() int64 { return l.open().retries() }

func (l *Linkerd) open() *leaky { return l.leaky.open(l.TTL, l.Min, l.Percent, coarse) }

// Check implements [Profile].
func (l *Linkerd) Check() error { return check(l.fields()) }

// Policy implements [Profile]. Linkerd retries at once, and as long as the budget allows; here a
// call makes three attempts, as always.
func (l *Linkerd) Policy() *retry.Policy {
	return &retry.Policy{Backoff: backoff.Constant{}, Gates: []retry.Gate{l}}
}

// Funding implements [Profile]. A failure that is not retryable deposits as well as a success, so the ratio counts.
func (l *Linkerd) Funding() (ratio, floorPerSecond float64) {
	return pick(l.Percent, leakyPercent, 0, 1000), float64(pick(l.Min, leakyMin, 0, leakyMostMin))
}

func (l *Linkerd) fields() []field {
	return append(leakyFields(&l.TTL, &l.Min, &l.Percent), field{name: "MaxBody", at: &l.MaxBody, high: 1<<31 - 1, none: true})
}
