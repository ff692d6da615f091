package idempotent_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/retry"
)

// An answer that took longer than half a lease is not trusted: others may hold the key by now.
func TestSlowClaim(t *testing.T) {
	for _, test := range []struct {
		name        string
		claim, then time.Duration // how long the answers take
		other       bool          // takes the key over meanwhile
		want        error
		runs        int
	}{
		{"half a lease, renewed", 16 * time.Second, 0, false, nil, 1},
		{"more than a lease", 31 * time.Second, 0, false, idempotent.ErrClaimLost, 0},
		{"taken over", 31 * time.Second, 0, true, idempotent.ErrClaimLost, 0},
		{"renewed as slowly", 16 * time.Second, 31 * time.Second, false, idempotent.ErrUnavailable, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f, v := newFaulty(), &venue{}
				f.delay["claim"], f.delay["renew"] = test.claim, test.then
				var group sync.WaitGroup
				if test.other {
					group.Go(func() {
						time.Sleep(30*time.Second + time.Millisecond)
						g := guard(f.Store)
						g.Reconcile = v.look
						g.Call(t.Context(), order{"k", 5}, v.place)
					})
				}
				_, err := guard(f).Call(t.Context(), order{"k", 5}, v.place)
				if group.Wait(); !errors.Is(err, test.want) {
					t.Errorf("Call = %v; want %v", err, test.want)
				}
				if test.want != nil && retry.DefaultClassify(err) != retry.Transient {
					t.Errorf("%v is %v; want transient, for nothing was run", err, retry.DefaultClassify(err))
				}
				if test.other {
					test.runs++ // the other's
				}
				if n := v.count("k"); n != test.runs {
					t.Errorf("%d effects; want %d", n, test.runs)
				}
			})
		})
	}
}

// A long function holds on to its claim, and nothing is left running when it has returned.
func TestRenewal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, v := newFaulty(), &venue{}
		f.set(f.before, "renew", nil, errDown, nil, errDown, errDown)
		g := guard(f)
		var group sync.WaitGroup
		group.Go(func() {
			r, err := g.Call(t.Context(), order{"k", 5}, func(ctx context.Context, o order) (int, error) {
				time.Sleep(10 * time.Minute)
				if ctx.Err() != nil {
					t.Errorf("the context ended: %v", context.Cause(ctx))
				}
				return v.place(ctx, o)
			})
			ends(t, "a long Call", r, err, result{Value: 5}, nil)
		})
		for range 9 {
			time.Sleep(time.Minute)
			r, err := g.Call(t.Context(), order{"k", 5}, v.place)
			ends(t, "Call meanwhile", r, err, result{}, idempotent.ErrInProgress)
		}
		group.Wait()
		if n := f.calls["renew"]; n < 55 || n > 70 {
			t.Errorf("%d renewals in 10 min of a lease of 30 s; want about 60", n)
		}
	})
}

// A caller that gives up does not end the renewals: the function may not have heard of it yet.
func TestRenewalOutlastsTheContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFaulty()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, err := guard(f).Call(ctx, order{"k", 5}, func(context.Context, order) (int, error) {
			time.Sleep(time.Minute)
			status(t, f.Store, "k", idempotent.Running)
			return 5, nil
		})
		ends(t, "Call", r, err, result{Value: 5}, nil)
		status(t, f.Store, "k", idempotent.Done)
	})
}

func TestShortCallsRenewNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, v := newFaulty(), &venue{}
		guard(f).Call(t.Context(), order{"k", 5}, v.place)
		time.Sleep(time.Hour)
		if n := f.calls["renew"]; n != 0 {
			t.Errorf("%d renewals; want none", n)
		}
	})
}

// When the lease cannot be known to hold, the function's context ends before others may take the claim over.
func TestLostLease(t *testing.T) {
	for _, test := range []struct {
		name string
		lose func(f *faulty)
		by   time.Duration // from the beginning
	}{
		{"the store is away", func(f *faulty) { f.set(f.before, "renew", always(errDown)...) }, 30 * time.Second},
		{"the store says so", func(f *faulty) { f.set(f.before, "renew", idempotent.ErrClaimLost) }, 10 * time.Second},
		{"the store hangs", func(f *faulty) {
			f.Store = hanging{f.Store}
		}, 30 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f, start := newFaulty(), time.Now()
				model := f.Store
				test.lose(f)
				g := guard(f)
				r, err := g.Call(t.Context(), order{"k", 5}, func(ctx context.Context, o order) (int, error) {
					<-ctx.Done()
					if after := time.Since(start); after != test.by || !errors.Is(context.Cause(ctx), idempotent.ErrClaimLost) {
						t.Errorf("the context ended after %v with %v; want %v with %v", after, context.Cause(ctx), test.by, idempotent.ErrClaimLost)
					}
					return 0, ctx.Err()
				})
				ends(t, "Call", r, err, result{}, idempotent.ErrUnknown)
				if !errors.Is(err, idempotent.ErrClaimLost) {
					t.Errorf("Call = %v; want %v in it", err, idempotent.ErrClaimLost)
				}
				status(t, model, "k", idempotent.Unknown)
			})
		})
	}
}

// hanging does not answer renewals until their contexts end.
type hanging struct{ idempotent.Store }

func (h hanging) Renew(ctx context.Context, c idempotent.Claim, lease time.Duration) error {
	if lease <= 0 {
		return h.Store.Renew(ctx, c, lease)
	}
	<-ctx.Done()
	return ctx.Err()
}

// ST2 as a guard sees it: the function was slow to notice, and another has the key.
func TestLostClaim(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, v := newFaulty(), &venue{}
		f.set(f.before, "renew", always(errDown)...)
		var group sync.WaitGroup
		group.Go(func() {
			time.Sleep(31 * time.Second)
			g := guard(f.Store)
			g.Reconcile = func(context.Context, string, *order) (idempotent.Finding[int], error) {
				return idempotent.Finding[int]{Effect: idempotent.Applied, Value: 1}, nil
			}
			r, err := g.Call(t.Context(), order{"k", 5}, v.place)
			ends(t, "the other Call", r, err, result{Value: 1, Replayed: true}, nil)
		})
		r, err := guard(f).Call(t.Context(), order{"k", 5}, func(ctx context.Context, o order) (int, error) {
			time.Sleep(time.Minute)
			return v.place(ctx, o)
		})
		ends(t, "Call", r, err, result{Value: 5}, idempotent.ErrClaimLost)
		if retry.DefaultClassify(err) != retry.Ambiguous {
			t.Errorf("%v is %v; want ambiguous", err, retry.DefaultClassify(err))
		}
		group.Wait()
		r, err = guard(f).Call(t.Context(), order{"k", 5}, v.place)
		ends(t, "a later Call", r, err, result{Value: 1, Replayed: true}, nil)
	})
}
