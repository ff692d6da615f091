package idempotent

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// renew keeps a claim's lease from ending, from a third of it on, until stop is called. stop returns after
// the last renewal has. A short call starts no goroutine. When the lease is lost, or cannot be known to
// hold, lose is called with an error that wraps [ErrClaimLost].
func (t *terms) renew(ctx context.Context, lose context.CancelCauseFunc, c Claim, sent time.Time) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // a call that was cancelled may still be running
	done := make(chan struct{})
	timer := time.AfterFunc(t.lease/3, func() {
		defer close(done)
		if err := t.renewals(ctx, c, sent.Add(t.lease)); err != nil {
			lose(err)
		}
	})
	return func() {
		cancel()
		if !timer.Stop() {
			<-done
		}
	}
}

// renewals renews until ctx ends, and then returns nil. until is when the lease may end: its span after the
// last renewal that succeeded was sent. Only spans are compared, so it does not matter what the
// clocks say.
func (t *terms) renewals(ctx context.Context, c Claim, until time.Time) error {
	for {
		at := time.Now()
		one, cancel := context.WithDeadline(ctx, until)
		err := t.store.Renew(one, c, t.lease)
		cancel()
		wait := t.lease / 3
		switch {
		case err == nil:
			until = at.Add(t.lease)
		case errors.Is(err, ErrClaimLost):
			return err
		case !time.Now().Before(until):
			return fmt.Errorf("%w: not renewed in time: %w", ErrClaimLost, err)
		default:
			wait = min(t.lease/10, time.Until(until))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}
