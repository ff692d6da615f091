package idempotent_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/guard/idempotent/idempotenttest"
	"github.com/relent-go/relent/retry"
)

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

// A caller with another request does not even try to take the claim over.
func TestMismatchIsNoReconciliation(t *testing.T) {
	f, v := newFaulty(), &venue{fails: []error{errDown}}
	g := guard(f)
	g.Reconcile = v.look
	g.Call(t.Context(), order{"k", 5}, v.place)
	before := f.calls["claim"]
	r, err := g.Call(t.Context(), order{"k", 6}, v.place)
	ends(t, "Call", r, err, result{}, idempotent.ErrMismatch)
	if n := f.calls["claim"] - before; n != 1 {
		t.Errorf("%d claims; want 1", n)
	}
}

// Whoever takes a claim over and then cannot use it leaves it as it was: the earlier one may have had its effect.
func TestTakeoverThatIsNotUsed(t *testing.T) {
	for _, test := range []struct {
		name string
		call func(ctx context.Context, g *idempotent.Guard[order, int], v *venue) error
	}{
		{"by a caller", func(ctx context.Context, g *idempotent.Guard[order, int], v *venue) error {
			_, err := g.Call(ctx, order{"k", 5}, v.place)
			return err
		}},
		{"by a reaper", func(ctx context.Context, g *idempotent.Guard[order, int], _ *venue) error {
			_, err := g.Reap(ctx)
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f, v := newFaulty(), &venue{fails: []error{errDown}}
				g := guard(f)
				g.Call(t.Context(), order{"k", 5}, v.place)
				g.Reconcile = v.look
				f.delay["claim"] = time.Second
				ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
				if test.name == "by a reaper" {
					ctx, cancel = context.WithTimeout(t.Context(), 500*time.Millisecond)
				}
				defer cancel()
				if err := test.call(ctx, g, v); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the call = %v; want %v", err, context.DeadlineExceeded)
				}
				status(t, f.Store, "k", idempotent.Unknown)
				if r, _ := f.Store.Get(t.Context(), "venue.place_order\x00k"); r.Fence != 2 {
					t.Errorf("the fence is %d; want 2, for the claim was taken over", r.Fence)
				}
			})
		})
	}
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
