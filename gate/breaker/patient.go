package breaker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/retry"
)

// What zero fields of [Patient] mean.
const (
	DefaultMaxWait    = 10 * time.Second
	DefaultMaxWaiters = 1024
)

// A Patient asks a breaker and, if it is refused until a known time, waits for that time and asks again. A call that
// can afford it thus outlives a short outage without an attempt, and without a token of a budget that stands behind
// it in the policy.
//
// It waits only if the whole wait fits into MaxWait and before the deadline of the call; otherwise the refusal ends
// the call at once, as without Patient. It must not be copied once used, and is safe for concurrent use.
type Patient struct {
	Breaker    retry.Rechecker // a [*Breaker] or a [Keyed]
	MaxWait    time.Duration   // in all, for one attempt; 0 means 10 s, less means no wait
	MaxWaiters int             // at one time, beyond which refusals stand; 0 means 1024, negative means none

	waiting atomic.Int64
}

var _ retry.Rechecker = (*Patient)(nil)

// Admit asks the breaker, and may wait between two questions.
func (p *Patient) Admit(ctx context.Context, a *retry.Attempt) error {
	err := p.Breaker.Admit(ctx, a)
	if err == nil {
		return nil
	}
	return p.wait(ctx, a, err)
}

// wait asks again whenever the refusal said that it may be worth it.
func (p *Patient) wait(ctx context.Context, a *retry.Attempt, err error) error {
	if p.waiting.Add(1) > int64(p.maxWaiters()) {
		p.waiting.Add(-1)
		return err
	}
	defer p.waiting.Add(-1)
	halted, left := a.Halted(), p.maxWait()
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, deadline.Sub(a.At)-max(0, a.Wait)-1)
	}
	later := *a
	for {
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Wait <= 0 || refusal.Wait > left {
			return err
		}
		if cause := sleep(ctx, halted, refusal.Wait); cause != nil {
			return cause
		}
		left -= refusal.Wait
		later.At = later.At.Add(refusal.Wait)
		if err = p.Breaker.Admit(ctx, &later); err == nil {
			return nil
		}
	}
}

// sleep returns nil after d, or why it ended before.
func sleep(ctx, halted context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-halted.Done():
		return context.Cause(halted)
	}
}

// Recheck asks the breaker, and never waits: the backoff is over.
func (p *Patient) Recheck(ctx context.Context, a *retry.Attempt) error {
	return p.Breaker.Recheck(ctx, a)
}

// Settle tells the breaker.
func (p *Patient) Settle(a *retry.Attempt, o *retry.Outcome) { p.Breaker.Settle(a, o) }

// Waiting returns how many attempts wait now.
func (p *Patient) Waiting() int { return int(p.waiting.Load()) }

// Check returns the mistakes in p's fields, joined, each beginning with the field's name, or nil.
func (p *Patient) Check() error {
	var errs []error
	if p.Breaker == nil {
		errs = append(errs, errors.New("Breaker: nil; name the breaker to ask"))
	}
	if p.MaxWait < 0 {
		errs = append(errs, fmt.Errorf("MaxWait: %v is negative and means no wait", p.MaxWait))
	}
	if p.MaxWaiters < 0 {
		errs = append(errs, fmt.Errorf("MaxWaiters: %d is negative and means none", p.MaxWaiters))
	}
	return errors.Join(errs...)
}

func (p *Patient) maxWait() time.Duration {
	if p.MaxWait == 0 {
		return DefaultMaxWait
	}
	return p.MaxWait
}

func (p *Patient) maxWaiters() int {
	if p.MaxWaiters == 0 {
		return DefaultMaxWaiters
	}
	return p.MaxWaiters
}
