package idempotent

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Reaped is what came of the keys that a reaper found unknown.
type Reaped struct {
	Settled int // their outcome is stored
	Absent  int // shown not to have happened; the keys stay unknown until a caller comes who may run them
	Open    int // still not known
}

// reapBatch is how many keys are listed at once.
const reapBatch = 100

// Reap asks Reconcile, once, about each of the guard's keys whose claim ended with its outcome open. It
// never frees a key: one that is shown not to have happened may be run again only by a caller who holds
// the request, and who asks for himself. The error joins those of Reconcile; one of the store ends the round.
// Without Reconcile it only counts.
//
// Any number of processes may reap the same store at a time.
func (g *Guard[A, R]) Reap(ctx context.Context) (done Reaped, err error) {
	t := g.terms()
	if t.store == nil {
		return done, t.fail("", ErrUnavailable, errNoStore)
	}
	var errs []error
	for after := t.prefix(); ; {
		records, err := t.store.Unresolved(ctx, after, reapBatch)
		if err != nil {
			return done, errors.Join(append(errs, err)...)
		}
		for i := range records {
			key, ours := strings.CutPrefix(records[i].Key, t.prefix())
			if !ours {
				return done, errors.Join(errs...)
			}
			if g.Reconcile == nil {
				done.Open++
				continue
			}
			failed, err := g.reap(ctx, &t, key, &records[i], &done)
			if err != nil {
				return done, errors.Join(append(errs, err)...)
			}
			if failed != nil {
				errs = append(errs, failed)
			}
		}
		if len(records) < reapBatch {
			return done, errors.Join(errs...)
		}
		after = records[len(records)-1].Key
	}
}

// reap takes one claim over and asks. failed is the error of Reconcile, err that of the store.
func (g *Guard[A, R]) reap(ctx context.Context, t *terms, key string, r *Record, done *Reaped) (failed, err error) {
	h, err := t.claim(ctx, key, &Bid{
		Key: r.Key, Owner: NewNonce(), Fingerprint: r.Fingerprint, Lease: t.lease, Retain: t.retain, Over: r.Fence,
	})
	if err != nil || !h.won { // somebody else was quicker
		return nil, err
	}
	var effect Effect
	_, err = t.hold(ctx, h, func(ctx context.Context) verdict {
		f, wrong := g.Reconcile(ctx, key, nil)
		v := g.found(f, wrong)
		failed, effect = wrong, v.effect
		if effect == Absent {
			v.effect = Undetermined
		}
		v.err = nil // it is for the caller of another day
		return v
	})
	if err != nil {
		return failed, err
	}
	switch effect {
	case Applied:
		done.Settled++
	case Absent:
		done.Absent++
	default:
		done.Open++
	}
	return failed, nil
}

// ReapEvery calls Reap now and then at intervals, until ctx ends, and returns its cause. report, which may be nil,
// is told what came of each round. An interval that is not positive means the Lease.
func (g *Guard[A, R]) ReapEvery(ctx context.Context, interval time.Duration, report func(Reaped, error)) error {
	tick := time.NewTicker(positive(interval, g.terms().lease))
	defer tick.Stop()
	for ctx.Err() == nil {
		done, err := g.Reap(ctx)
		if report != nil {
			report(done, err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return context.Cause(ctx)
}
