package job

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// A hold keeps a lease from ending while its job is worked on.
type hold struct {
	store Store
	lease Lease
	span  time.Duration
	lost  context.Context // ends, with ErrLeaseLost in its cause, when the lease is lost or cannot be known to hold
	lose  context.CancelCauseFunc
	done  chan struct{} // the renewals have ended
	stop  context.CancelFunc

	stopping context.Context   // ends when the runner has no more time
	failing  func(retry.Event) // the store did not make a change, and will be asked again
}

// newHold begins to renew a lease that was asked for at sent. ctx ends when the runner has no more time; the lease is renewed all the
// same, for as long as the step takes.
func newHold(ctx context.Context, s Store, l Lease, span time.Duration, sent time.Time) *hold {
	h := &hold{store: s, lease: l, span: span, done: make(chan struct{}), stopping: ctx}
	ctx = context.WithoutCancel(ctx)
	h.lost, h.lose = context.WithCancelCause(ctx)
	ctx, h.stop = context.WithCancel(ctx)
	go func() {
		defer close(h.done)
		if err := h.renewals(ctx, sent.Add(span)); err != nil {
			h.lose(err)
		}
	}()
	return h
}

// rest ends the renewals, and returns after the last one has.
func (h *hold) rest() {
	h.stop()
	<-h.done
}

// release ends all that hold has begun.
func (h *hold) release() {
	h.rest()
	h.lose(nil)
}

// renewals renews until ctx ends, and then returns nil. until is when the lease may end: its span after the
// last renewal that succeeded was sent. Only spans are compared, so it does not matter what the clocks say.
func (h *hold) renewals(ctx context.Context, until time.Time) error {
	wait := h.span / 3
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		at := time.Now()
		one, cancel := context.WithDeadline(ctx, until)
		err := h.store.Renew(one, h.lease, h.span)
		cancel()
		wait = h.span / 3
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			until = at.Add(h.span)
		case errors.Is(err, ErrLeaseLost):
			return err
		case !time.Now().Before(until):
			return fmt.Errorf("%w: not renewed in time: %w", ErrLeaseLost, err)
		default:
			wait = min(h.span/10, time.Until(until))
		}
	}
}

// persistence is how often a change is asked for of a store that does not answer: until the lease is lost.
var persistence = &retry.Policy{
	Name: "job.store", MaxAttempts: retry.Unlimited, MaxElapsed: 1 << 62, Expected: -1, Idempotent: true, Nested: true,
	Backoff: backoff.Exponential{Base: 10 * time.Millisecond, Max: time.Second}, Classify: refusal,
}

// refusal tells what a store refuses for good from what it cannot do now. Of the latter, a full disk is a kind.
func refusal(err error) retry.Class {
	for _, final := range []error{ErrLeaseLost, ErrSequence, ErrLongState, ErrNotFound, ErrStatus} {
		if errors.Is(err, final) {
			return retry.Permanent
		}
	}
	return retry.Ambiguous
}

// change makes a change of the store, and does not give up before ctx ends, the lease is lost, or the runner has had no more
// time for as long as a lease. What stands there already is not made again, so every change may be repeated.
func (h *hold) change(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(h.lost, func() { cancel(context.Cause(h.lost)) })()
	defer context.AfterFunc(h.stopping, func() {
		time.AfterFunc(h.span, func() { cancel(ErrStopping) })
	})()
	p := *persistence
	p.Observer = h
	return retry.Run(ctx, &p, f)
}

// Observe is for the calls of change.
func (h *hold) Observe(_ context.Context, e retry.Event) {
	if e.Kind == retry.Retrying {
		h.failing(e)
	}
}
