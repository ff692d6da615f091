package idempotent

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// What zero fields mean.
const (
	DefaultLease    = 30 * time.Second
	DefaultRetain   = 24 * time.Hour
	DefaultPatience = 5 * time.Second
	MinLease        = 10 * time.Millisecond
)

// terms are what a guard and a handler have in common: how keys are claimed and settled, whatever runs under them.
type terms struct {
	name     string
	store    Store
	lease    time.Duration
	retain   time.Duration
	patience time.Duration
}

// newTerms resolves what is not set.
func newTerms(name string, s Store, lease, retain, patience time.Duration) terms {
	return terms{
		name:     name,
		store:    s,
		lease:    max(positive(lease, DefaultLease), MinLease),
		retain:   positive(retain, DefaultRetain),
		patience: positive(patience, DefaultPatience),
	}
}

func positive(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// prefix keeps the keys of different guards apart: it ends with a byte that names do not have.
func (t *terms) prefix() string { return t.name + "\x00" }

// A verdict is what became of a claim.
type verdict struct {
	effect Effect
	result []byte // to be stored, if Applied
	err    error  // for the caller
}

// An ending is what a call leaves its caller with.
type ending struct {
	replay bool   // result is what was stored; else the call had a verdict of its own
	result []byte // if replay
	fence  uint64
}

// do claims a key and calls run, or find if an earlier claim has ended open. At most one run has an
// effect, as far as find tells the truth. find is nil if nobody can tell.
func (t *terms) do(ctx context.Context, key string, print Fingerprint, run, find func(context.Context) verdict) (ending, error) {
	if ctx == nil {
		return ending{}, t.fail(key, ErrUnavailable, retry.Mark(retry.ErrNilContext, retry.Permanent))
	}
	if ctx.Err() != nil {
		return ending{}, t.ended(ctx, key)
	}
	if key == "" {
		return ending{}, t.fail(key, ErrNoKey, nil)
	}
	b := Bid{Key: t.prefix() + key, Owner: NewNonce(), Fingerprint: print, Lease: t.lease, Retain: t.retain}
	if CheckKey(b.Key) != nil {
		return ending{}, t.fail(key, ErrLongKey, nil)
	}
	if t.store == nil {
		return ending{}, t.fail(key, ErrUnavailable, errNoStore)
	}
	h, err := t.claim(ctx, key, &b)
	if err != nil {
		return ending{}, err
	}
	if h.won {
		return t.hold(ctx, h, run)
	}
	if find != nil && h.record.Status == Unknown && h.record.Fingerprint == print {
		b.Owner, b.Over = NewNonce(), h.record.Fence
		if h, err = t.claim(ctx, key, &b); err != nil {
			return ending{}, err
		}
		if h.won {
			return t.hold(ctx, h, find)
		}
	}
	return t.standing(key, &h.record, print)
}

var errNoStore = retry.Mark(errors.New("there is no store"), retry.Permanent)

// standing is what a call ends with that did not win its key.
func (t *terms) standing(key string, r *Record, print Fingerprint) (ending, error) {
	switch {
	case r.Fingerprint != print:
		return ending{}, t.fail(key, ErrMismatch, nil)
	case r.Status == Done:
		return ending{replay: true, result: r.Result, fence: r.Fence}, nil
	case r.Status == Lapsed:
		return ending{}, t.fail(key, ErrExpired, nil)
	case r.Status == Running:
		e := &Error{Name: t.name, Key: key, Reason: ErrInProgress, Left: r.Left}
		return ending{}, retry.Mark(e, retry.Transient)
	}
	return ending{}, t.fail(key, ErrUnknown, nil)
}

// A held is an answer to a bid.
type held struct {
	key    string // as the caller knows it
	record Record
	won    bool
	over   bool      // an earlier claim, whose outcome is open
	sent   time.Time // when the bid was: the lease ends no sooner than its span after this
}

// claim bids for a key. When the answer is lost it reads back whose the key is.
func (t *terms) claim(ctx context.Context, key string, b *Bid) (*held, error) {
	h := &held{key: key, over: b.Over != 0, sent: time.Now()}
	var err error
	if h.record, err = t.store.Claim(ctx, *b); err != nil {
		if nothingDone(err) {
			return nil, t.fail(key, ErrUnavailable, err)
		}
		var seen error
		t.repeat(ctx, func(ctx context.Context) error {
			h.record, seen = t.store.Get(ctx, b.Key)
			return seen
		})
		if seen != nil || h.record.Status == New { // the bid may still be on its way
			return nil, t.fail(key, ErrUnknown, errors.Join(err, seen))
		}
	}
	h.won = h.record.Won(b)
	return h, nil
}

// nothingDone says that the store knows an error to have changed nothing. That a context was cancelled does
// not say so by itself.
func nothingDone(err error) bool {
	switch retry.DefaultClassify(err) {
	case retry.Ambiguous:
		return false
	case retry.Permanent:
		return !errors.Is(err, context.Canceled)
	}
	return true
}

// hold has a claim, lets f run under it, and settles it. However f ends, the claim does not stay with it.
func (t *terms) hold(ctx context.Context, h *held, f func(context.Context) verdict) (ending, error) {
	c := h.record.Claim()
	if err := t.fresh(ctx, h); err != nil {
		if h.over {
			t.giveUp(ctx, c) // nothing happened under this claim, but maybe under the one before
		} else {
			t.release(ctx, c)
		}
		return ending{}, err
	}
	inner, lose := context.WithCancelCause(with(ctx, h.key, c.Fence))
	defer lose(nil)
	stop := t.renew(inner, lose, c, h.sent)
	returned := false
	defer func() {
		stop()
		if !returned { // f panicked or ended its goroutine
			t.giveUp(ctx, c)
		}
	}()
	v := f(inner)
	returned = true
	return ending{fence: c.Fence}, t.settle(ctx, h.key, c, v)
}

// fresh says why a claim that was just won must not be used: nobody waits for it any more, or its answer took so
// long that others may have taken it over.
func (t *terms) fresh(ctx context.Context, h *held) error {
	if time.Since(h.sent) >= t.lease/2 {
		sent := time.Now()
		if err := t.store.Renew(ctx, h.record.Claim(), t.lease); err != nil {
			return t.fail(h.key, ErrUnavailable, retry.Mark(err, retry.Transient))
		}
		h.sent = sent
	}
	if ctx.Err() != nil {
		return t.ended(ctx, h.key)
	}
	if time.Since(h.sent) >= t.lease {
		return t.fail(h.key, ErrUnavailable, errSlow)
	}
	return nil
}

// ended is the error of a call whose context ended before anything was run.
func (t *terms) ended(ctx context.Context, key string) error {
	return t.fail(key, ErrUnavailable, retry.Mark(context.Cause(ctx), retry.Transient))
}

var errSlow = retry.Mark(errors.New("the store takes longer to answer than a lease lasts"), retry.Transient)

// settle tells the store what became of a claim, and returns the error for the caller.
func (t *terms) settle(ctx context.Context, key string, c Claim, v verdict) error {
	switch v.effect {
	case Applied:
		err := t.complete(ctx, c, v.result)
		switch {
		case err == nil, v.err != nil: // what did nothing needs nobody to be told
			return v.err
		case errors.Is(err, ErrClaimLost):
			return t.fail(key, ErrClaimLost, nil)
		}
		return t.fail(key, ErrInDoubt, err)
	case Absent:
		t.release(ctx, c)
	default:
		t.giveUp(ctx, c)
	}
	return v.err
}

// complete stores a result, or that there is one if it is too long for the store.
func (t *terms) complete(ctx context.Context, c Claim, result []byte) error {
	err := t.repeat(ctx, func(ctx context.Context) error { return t.store.Complete(ctx, c, result) })
	if errors.Is(err, ErrLongResult) {
		err = t.repeat(ctx, func(ctx context.Context) error { return t.store.Complete(ctx, c, dropped) })
	}
	return err
}

// release frees a key under which nothing happened. If that fails, its lease will end with the outcome open.
func (t *terms) release(ctx context.Context, c Claim) {
	t.repeat(ctx, func(ctx context.Context) error { return t.store.Release(ctx, c) })
}

// giveUp leaves a claim open at once. If that fails, the end of its lease does it.
func (t *terms) giveUp(ctx context.Context, c Claim) {
	t.repeat(ctx, func(ctx context.Context) error { return t.store.Renew(ctx, c, 0) })
}

// repeat calls f, which may be called any number of times, until it succeeds, can never succeed, or the
// patience is spent. It goes on when the caller has given up: what happened must be written down.
func (t *terms) repeat(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.patience)
	defer cancel()
	pace := backoff.Exponential{Base: 10 * time.Millisecond, Max: time.Second}
	var wait time.Duration
	for n := 1; ; n++ {
		err := f(ctx)
		if err == nil || errors.Is(err, ErrClaimLost) || retry.DefaultClassify(err) == retry.Permanent {
			return err
		}
		wait = pace.Delay(n, wait, rand.Float64())
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}
