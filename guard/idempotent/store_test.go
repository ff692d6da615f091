package idempotent_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/guard/idempotent/idempotenttest"
	"github.com/relent-go/relent/retry"
)

// The table of data.md §5: what happens while the store does not answer.
func TestStoreAway(t *testing.T) {
	for _, test := range []struct {
		name   string
		break_ func(f *faulty)
		fails  error // of the function, after its effect
		want   result
		reason error
		class  retry.Class
		runs   int
		status idempotent.Status
	}{
		{"closed: a claim that cannot be made runs nothing",
			func(f *faulty) { f.set(f.before, "claim", errRefused) }, nil,
			result{}, idempotent.ErrUnavailable, retry.Transient, 0, idempotent.New},
		{"closed: a store that is full runs nothing",
			func(f *faulty) { f.set(f.before, "claim", retry.After(errors.New("slow down"), time.Second)) }, nil,
			result{}, idempotent.ErrUnavailable, retry.Throttled, 0, idempotent.New},
		{"a claim whose answer is lost is found by its nonce",
			func(f *faulty) { f.set(f.after, "claim", errDown); f.set(f.before, "get", errDown, errDown) }, nil,
			result{Value: 5}, nil, retry.Permanent, 1, idempotent.Done},
		{"a claim that was cancelled may have been made",
			func(f *faulty) { f.set(f.after, "claim", context.Canceled) }, nil,
			result{Value: 5}, nil, retry.Permanent, 1, idempotent.Done},
		{"a claim whose answer is lost is unknown if nothing can be read",
			func(f *faulty) { f.set(f.after, "claim", errDown); f.set(f.before, "get", always(errDown)...) }, nil,
			result{}, idempotent.ErrUnknown, retry.Ambiguous, 0, idempotent.Running},
		{"a claim that may still be on its way is unknown",
			func(f *faulty) { f.set(f.before, "claim", errDown) }, nil,
			result{}, idempotent.ErrUnknown, retry.Ambiguous, 0, idempotent.New},
		{"complete is repeated",
			func(f *faulty) { f.set(f.before, "complete", errDown, errRefused, errDown) }, nil,
			result{Value: 5}, nil, retry.Permanent, 1, idempotent.Done},
		{"complete is repeated when its answer is lost",
			func(f *faulty) { f.set(f.after, "complete", errDown, errDown) }, nil,
			result{Value: 5}, nil, retry.Permanent, 1, idempotent.Done},
		{"what cannot be completed is in doubt, and keeps its claim",
			func(f *faulty) { f.set(f.before, "complete", always(errDown)...) }, nil,
			result{Value: 5}, idempotent.ErrInDoubt, retry.Ambiguous, 1, idempotent.Running},
		{"what the store refuses for good is in doubt at once",
			func(f *faulty) { f.set(f.before, "complete", retry.Mark(errors.New("read only"), retry.Permanent)) }, nil,
			result{Value: 5}, idempotent.ErrInDoubt, retry.Ambiguous, 1, idempotent.Running},
		{"a result that is too long for the store is left out",
			func(f *faulty) { f.set(f.before, "complete", idempotent.ErrLongResult) }, nil,
			result{Value: 5}, nil, retry.Permanent, 1, idempotent.Done},
		{"a permanent error need not be completed to be true",
			func(f *faulty) { f.set(f.before, "complete", always(errDown)...) }, errGone,
			result{}, errGone, retry.Permanent, 1, idempotent.Running},
		{"release is repeated",
			func(f *faulty) { f.set(f.before, "release", errDown, errDown) }, errRefused,
			result{}, errRefused, retry.Transient, 1, idempotent.New},
		{"what cannot be released stays claimed",
			func(f *faulty) { f.set(f.before, "release", always(errDown)...) }, errRefused,
			result{}, errRefused, retry.Transient, 1, idempotent.Running},
		{"what cannot be given up stays claimed",
			func(f *faulty) { f.set(f.before, "give up", always(errDown)...) }, errDown,
			result{}, idempotent.ErrUnknown, retry.Ambiguous, 1, idempotent.Running},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f, v := newFaulty(), &venue{fails: []error{test.fails}}
				test.break_(f)
				start := time.Now()
				r, err := guard(f).Call(t.Context(), order{"k", 5}, v.place)
				ends(t, "Call", r, err, test.want, test.reason)
				if retry.DefaultClassify(err) != test.class || v.count("k") != test.runs {
					t.Errorf("%v is %v, %d effects; want %v, %d", err, retry.DefaultClassify(err), v.count("k"), test.class, test.runs)
				}
				if e, ok := errors.AsType[*retry.Error](err); ok {
					t.Errorf("the error has one of a call of ours, which would count for calls above: %v", e)
				}
				if took := time.Since(start); took > 6*time.Second {
					t.Errorf("the call took %v; want at most the patience", took)
				}
				status(t, f.Store, "k", test.status)

				// Whatever happened, the effect is not had again.
				f.before, f.after = map[string][]error{}, map[string][]error{}
				time.Sleep(time.Minute)
				guard(f).Call(t.Context(), order{"k", 5}, v.place)
				if n := v.count("k"); n > 1 && test.status != idempotent.New {
					t.Errorf("%d effects; want at most 1", n)
				}
			})
		})
	}
}

// A claim whose answer is lost may turn out to be somebody else's.
func TestLostAnswerOfALostBid(t *testing.T) {
	f, v := newFaulty(), &venue{}
	g := guard(f)
	g.Call(t.Context(), order{"k", 5}, v.place)
	f.set(f.after, "claim", errDown)
	r, err := g.Call(t.Context(), order{"k", 5}, v.place)
	ends(t, "Call", r, err, result{Value: 5, Replayed: true}, nil)
}

func TestCancelledWhileClaiming(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, v := newFaulty(), &venue{}
		f.delay["claim"] = time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		r, err := guard(f).Call(ctx, order{"k", 5}, v.place)
		ends(t, "Call", r, err, result{}, context.DeadlineExceeded)
		if retry.DefaultClassify(err) != retry.Transient || v.count("k") != 0 {
			t.Errorf("%v is %v, %d effects; want transient, none", err, retry.DefaultClassify(err), v.count("k"))
		}
		status(t, f.Store, "k", idempotent.New)
	})
}

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

// Results that cannot be encoded, or not be read any more.
func TestResultsThatAreLost(t *testing.T) {
	errCodec := errors.New("bad codec")
	for _, test := range []struct {
		name   string
		stored func(g *idempotent.Guard[order, int], s idempotent.Store)
	}{
		{"not encoded", func(g *idempotent.Guard[order, int], s idempotent.Store) { g.Codec = codec{encode: errCodec} }},
		{"not decoded", func(g *idempotent.Guard[order, int], s idempotent.Store) { g.Codec = codec{decode: errCodec} }},
		{"nothing stored", func(g *idempotent.Guard[order, int], s idempotent.Store) { complete(s, nil) }},
		{"another form", func(g *idempotent.Guard[order, int], s idempotent.Store) { complete(s, []byte("?5")) }},
		{"a broken error", func(g *idempotent.Guard[order, int], s idempotent.Store) { complete(s, []byte("e?")) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, v := &idempotenttest.Model{}, &venue{}
			g := guard(s)
			test.stored(g, s)
			if r, err := g.Call(t.Context(), order{"k", 5}, v.place); g.Codec != nil {
				ends(t, "Call", r, err, result{Value: 5}, nil)
			}
			r, err := g.Call(t.Context(), order{"k", 5}, v.place)
			r.Value = 0
			ends(t, "the replay", r, err, result{Replayed: true}, idempotent.ErrNoResult)
			if retry.DefaultClassify(err) != retry.Ambiguous || v.count("k") > 1 {
				t.Errorf("%v is %v, %d effects; want ambiguous, at most 1", err, retry.DefaultClassify(err), v.count("k"))
			}
		})
	}
}

// complete stores what no guard would, for order{"k", 5}.
func complete(s idempotent.Store, result []byte) {
	b := idempotent.Bid{
		Key: "venue.place_order\x00k", Owner: idempotent.NewNonce(), Fingerprint: idempotent.Fingerprinted(`{"Key":"k","Amount":5}`),
		Lease: time.Hour, Retain: time.Hour,
	}
	r, _ := s.Claim(context.Background(), b)
	s.Complete(context.Background(), r.Claim(), result)
}

type codec struct{ encode, decode error }

func (c codec) Encode(v int) ([]byte, error)     { return fmt.Append(nil, v), c.encode }
func (c codec) Decode(b []byte) (v int, _ error) { fmt.Sscan(string(b), &v); return v, c.decode }

func TestCodec(t *testing.T) {
	s, v := &idempotenttest.Model{}, &venue{}
	g := guard(s)
	g.Codec = codec{}
	for _, want := range []result{{Value: 5}, {Value: 5, Replayed: true}} {
		r, err := g.Call(t.Context(), order{"k", 5}, v.place)
		ends(t, "Call", r, err, want, nil)
	}
	if r, _ := s.Get(t.Context(), "venue.place_order\x00k"); string(r.Result) != "v5" {
		t.Errorf("stored %q; want v5", r.Result)
	}
}

func TestTooLong(t *testing.T) {
	for key, want := range map[string]error{
		"": idempotent.ErrNoKey, "k": nil, strings.Repeat("k", idempotent.MaxKey): nil, strings.Repeat("k", idempotent.MaxKey+1): idempotent.ErrLongKey,
	} {
		if err := idempotent.CheckKey(key); !errors.Is(err, want) {
			t.Errorf("CheckKey of %d bytes = %v; want %v", len(key), err, want)
		}
	}
	if err := idempotent.CheckResult(make([]byte, idempotent.MaxResult)); err != nil {
		t.Errorf("CheckResult at the limit = %v", err)
	}
	s := &idempotenttest.Model{}
	long := strings.Repeat("x", idempotent.MaxResult)
	for _, want := range []error{nil, idempotent.ErrNoResult} {
		if _, err := idempotent.Do(t.Context(), s, "k", func(context.Context) (string, error) { return long, nil }); !errors.Is(err, want) {
			t.Errorf("Do = %v; want %v", err, want)
		}
	}
}

// Reconciliation of a key that an earlier call left open.
func TestReconcile(t *testing.T) {
	gone := errors.New("gone")
	errAway := errors.New("the venue is away")
	for _, test := range []struct {
		name   string
		find   idempotent.Finding[int]
		err    error
		want   result
		reason error
		status idempotent.Status
		runs   int
	}{
		{"applied", idempotent.Finding[int]{Effect: idempotent.Applied, Value: 9}, nil, result{Value: 9, Replayed: true}, nil, idempotent.Done, 0},
		{"refused for good", idempotent.Finding[int]{Effect: idempotent.Applied, Err: retry.Mark(gone, retry.Permanent)}, nil, result{Replayed: true}, gone, idempotent.Done, 0},
		{"absent, so it runs", idempotent.Finding[int]{Effect: idempotent.Absent}, nil, result{Value: 5}, nil, idempotent.Done, 1},
		{"still not known", idempotent.Finding[int]{}, nil, result{}, idempotent.ErrUnknown, idempotent.Unknown, 0},
		{"an effect that there is not", idempotent.Finding[int]{Effect: 9}, nil, result{}, idempotent.ErrUnknown, idempotent.Unknown, 0},
		{"could not ask", idempotent.Finding[int]{Effect: idempotent.Absent}, errAway, result{}, idempotent.ErrUnknown, idempotent.Unknown, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, v := &idempotenttest.Model{}, &venue{}
			g := guard(s)
			g.Sentinels = []error{gone}
			g.Call(t.Context(), order{"k", 5}, func(context.Context, order) (int, error) { return 0, errDown })
			asked := 0
			var last uint64
			g.Reconcile = func(ctx context.Context, key string, o *order) (idempotent.Finding[int], error) {
				asked++
				if key != "k" || o == nil || *o != (order{"k", 5}) || idempotent.Fence(ctx) <= last || idempotent.Key(ctx) != "k" {
					t.Errorf("asked about %q, %v, fence %d; want k, the order, a fence above %d", key, o, idempotent.Fence(ctx), last)
				}
				status(t, s, "k", idempotent.Running) // nobody else asks now
				return test.find, test.err
			}
			other, err := g.Call(t.Context(), order{"k", 6}, v.place)
			ends(t, "Call with another request", other, err, result{}, idempotent.ErrMismatch)
			r, err := g.Call(t.Context(), order{"k", 5}, v.place)
			ends(t, "Call", r, err, test.want, test.reason)
			if test.err != nil && !errors.Is(err, test.err) {
				t.Errorf("Call = %v; want %v in it", err, test.err)
			}
			status(t, s, "k", test.status)
			if asked != 1 || v.count("k") != test.runs {
				t.Errorf("asked %d times, ran %d times; want 1 and %d", asked, v.count("k"), test.runs)
			}
			if test.status == idempotent.Done {
				test.want.Replayed = true
				r, err := g.Call(t.Context(), order{"k", 5}, v.place)
				ends(t, "a later Call", r, err, test.want, test.reason)
			}
		})
	}
}

func TestReconcileThatPanics(t *testing.T) {
	s, v := &idempotenttest.Model{}, &venue{fails: []error{errDown}}
	g := guard(s)
	g.Call(t.Context(), order{"k", 5}, v.place)
	g.Reconcile = func(context.Context, string, *order) (idempotent.Finding[int], error) { panic("boom") }
	defer func() {
		if recover() != "boom" {
			t.Error("the panic did not rise")
		}
		status(t, s, "k", idempotent.Unknown)
	}()
	g.Call(t.Context(), order{"k", 5}, v.place)
}

// Of two callers that find a key open, one asks.
func TestReconcileOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, v := newFaulty(), &venue{fails: []error{errDown}}
		g := guard(f)
		g.Call(t.Context(), order{"k", 5}, v.place)
		asked := 0
		g.Reconcile = func(ctx context.Context, key string, o *order) (idempotent.Finding[int], error) {
			asked++
			time.Sleep(time.Second)
			return v.look(ctx, key, o)
		}
		f.delay["claim"] = time.Millisecond
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				r, err := g.Call(t.Context(), order{"k", 5}, v.place)
				if err == nil {
					ends(t, "Call", r, err, result{Value: 5, Replayed: true}, nil)
				} else {
					ends(t, "Call", r, err, result{}, idempotent.ErrInProgress)
				}
			})
		}
		group.Wait()
		if asked != 1 || v.count("k") != 1 {
			t.Errorf("asked %d times, %d effects; want 1 and 1", asked, v.count("k"))
		}
	})
}

func TestReconcileWhenTheStoreIsAway(t *testing.T) {
	f, v := newFaulty(), &venue{fails: []error{errDown}}
	g := guard(f)
	g.Call(t.Context(), order{"k", 5}, v.place)
	g.Reconcile = v.look
	f.set(f.before, "claim", nil, errRefused)
	r, err := g.Call(t.Context(), order{"k", 5}, v.place)
	ends(t, "Call", r, err, result{}, idempotent.ErrUnavailable)
}

// Duplicate settles a call for which nobody can say what came of it.
func TestDuplicateWithoutAnAnswer(t *testing.T) {
	errDuplicate := errors.New("duplicate client id")
	for _, test := range []struct {
		name string
		find func(context.Context, string, *order) (idempotent.Finding[int], error)
	}{
		{"nobody to ask", nil},
		{"asked in vain", func(context.Context, string, *order) (idempotent.Finding[int], error) {
			return idempotent.Finding[int]{}, errDown
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &idempotenttest.Model{}
			g := guard(s)
			g.Reconcile = test.find
			g.Duplicate = func(err error) bool { return err == errDuplicate }
			v := &venue{skip: []error{errDuplicate}}
			r, err := g.Call(t.Context(), order{"k", 5}, v.place)
			ends(t, "Call", r, err, result{}, idempotent.ErrNoResult)
			status(t, s, "k", idempotent.Done)
			r, err = g.Call(t.Context(), order{"k", 5}, v.place)
			ends(t, "a later Call", r, err, result{Replayed: true}, idempotent.ErrNoResult)
			v.skip = []error{errDown}
			r, err = g.Call(t.Context(), order{"k2", 5}, v.place)
			ends(t, "Call with another error", r, err, result{}, idempotent.ErrUnknown)
		})
	}
}

func TestReap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, v := newFaulty(), &venue{}
		g, other := guard(f), guard(f)
		other.Name = "venue.place_ordez" // comes after
		errAway := errors.New("the venue is away")
		open := func(g *idempotent.Guard[order, int], key string) {
			g.Call(t.Context(), order{key, 5}, func(context.Context, order) (int, error) { return 0, errDown })
		}
		reap := func(want idempotent.Reaped, reason error) {
			t.Helper()
			if got, err := g.Reap(t.Context()); got != want || !errors.Is(err, reason) {
				t.Errorf("Reap = %+v, %v; want %+v, %v", got, err, want, reason)
			}
		}
		for i := range 205 {
			open(g, fmt.Sprintf("absent%03d", i))
		}
		open(g, "applied")
		open(g, "failed")
		open(g, "open")
		g.Call(t.Context(), order{"done", 5}, v.place)
		reap(idempotent.Reaped{Open: 208}, nil) // nobody can tell
		open(other, "theirs")
		reap(idempotent.Reaped{Open: 208}, nil)

		g.Reconcile = func(_ context.Context, key string, o *order) (idempotent.Finding[int], error) {
			if o != nil {
				t.Error("the reaper has an order")
			}
			switch key {
			case "applied":
				return idempotent.Finding[int]{Effect: idempotent.Applied, Value: 9}, nil
			case "open":
				return idempotent.Finding[int]{}, nil
			case "failed":
				return idempotent.Finding[int]{}, errAway
			}
			return idempotent.Finding[int]{Effect: idempotent.Absent}, nil
		}
		reap(idempotent.Reaped{Settled: 1, Absent: 205, Open: 2}, errAway)
		status(t, f, "applied", idempotent.Done)
		status(t, f, "absent000", idempotent.Unknown) // never freed by a reaper
		r, err := g.Call(t.Context(), order{"applied", 5}, v.place)
		ends(t, "Call", r, err, result{Value: 9, Replayed: true}, nil)

		f.set(f.before, "unresolved", errRefused)
		reap(idempotent.Reaped{}, errRefused)
		f.set(f.before, "claim", nil, errRefused)
		reap(idempotent.Reaped{Absent: 1}, idempotent.ErrUnavailable)
		f.set(f.before, "complete", always(errDown)...)
		g.Reconcile = func(context.Context, string, *order) (idempotent.Finding[int], error) {
			return idempotent.Finding[int]{Effect: idempotent.Applied}, nil
		}
		reap(idempotent.Reaped{}, idempotent.ErrInDoubt)
		f.set(f.before, "complete")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.Reap(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Reap with a context that ended = %v; want %v", err, context.Canceled)
		}
		g.Store = nil
		reap(idempotent.Reaped{}, idempotent.ErrUnavailable)
	})
}

// Two reapers at a time ask about each key once.
func TestReapersShare(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &idempotenttest.Model{}
		var mu sync.Mutex
		asked := map[string]int{}
		g := guard(s)
		g.Reconcile = func(_ context.Context, key string, _ *order) (idempotent.Finding[int], error) {
			mu.Lock()
			defer mu.Unlock()
			asked[key]++
			return idempotent.Finding[int]{Effect: idempotent.Applied}, nil
		}
		for i := range 50 {
			plain := guard(s)
			plain.Call(t.Context(), order{fmt.Sprint(i), 5}, func(context.Context, order) (int, error) { return 0, errDown })
		}
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() { g.Reap(t.Context()) })
		}
		group.Wait()
		for key, n := range asked {
			if n != 1 {
				t.Errorf("asked %d times about %s; want once", n, key)
			}
		}
		if len(asked) != 50 {
			t.Errorf("asked about %d keys; want 50", len(asked))
		}
	})
}

func TestReapEvery(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := guard(&idempotenttest.Model{})
		ctx, cancel := context.WithCancelCause(t.Context())
		errStop := errors.New("stop")
		rounds := 0
		done := make(chan error)
		go func() {
			done <- g.ReapEvery(ctx, time.Minute, func(idempotent.Reaped, error) { rounds++ })
		}()
		time.Sleep(2*time.Minute + time.Second)
		cancel(errStop)
		if err := <-done; err != errStop || rounds != 3 {
			t.Errorf("ReapEvery = %v after %d rounds; want %v after 3", err, rounds, errStop)
		}
		if err := g.ReapEvery(ctx, 0, nil); err != errStop {
			t.Errorf("ReapEvery = %v; want %v", err, errStop)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := g.ReapEvery(ctx, 0, nil); err != context.DeadlineExceeded {
			t.Errorf("ReapEvery = %v; want %v", err, context.DeadlineExceeded)
		}
		synctest.Wait()
	})
}
