package idempotent_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/guard/idempotent/idempotenttest"
	"github.com/relent-go/relent/retry"
)

type result = idempotent.Result[int]

// The vectors of data.md that concern a guard; those of stores are in idempotenttest, those of HTTP in handler_test.go.
func TestVectors(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, g *idempotent.Guard[order, int], v *venue)
	}{
		{"I1 a new key is executed and stored", func(t *testing.T, g *idempotent.Guard[order, int], v *venue) {
			r, err := g.Call(t.Context(), order{"k", 5}, v.place)
			ends(t, "Call", r, err, result{Value: 5}, nil)
			status(t, g.Store, "k", idempotent.Done)
		}},
		{"I2 a running key is in progress", func(t *testing.T, g *idempotent.Guard[order, int], v *venue) {
			release := make(chan struct{})
			var group sync.WaitGroup
			group.Go(func() {
				g.Call(t.Context(), order{"k", 5}, func(ctx context.Context, o order) (int, error) {
					<-release
					return v.place(ctx, o)
				})
			})
			synctest.Wait()
			r, err := g.Call(t.Context(), order{"k", 5}, v.place)
			ends(t, "Call", r, err, result{}, idempotent.ErrInProgress)
			if retry.DefaultClassify(err) != retry.Transient {
				t.Errorf("%v is %v; want transient", err, retry.DefaultClassify(err))
			}
			if e, ok := errors.AsType[*idempotent.Error](err); !ok || e.Left != 30*time.Second || e.Key != "k" {
				t.Errorf("the error is %+v; want key k and 30 s left", e)
			}
			close(release)
			group.Wait()
			r, err = g.Call(t.Context(), order{"k", 5}, v.place)
			ends(t, "a later Call", r, err, result{Value: 5, Replayed: true}, nil)
		}},
		{"I3 a done key is replayed", func(t *testing.T, g *idempotent.Guard[order, int], v *venue) {
			first, _ := g.Call(t.Context(), order{"k", 5}, v.place)
			r, err := g.Call(t.Context(), order{"k", 5}, v.place)
			ends(t, "Call", r, err, result{Value: 5, Replayed: true}, nil)
			if r.Fence != first.Fence || r.Fence == 0 {
				t.Errorf("the fence is %d, then %d; want the same", first.Fence, r.Fence)
			}
		}},
		{"I5 another request under the key is refused", func(t *testing.T, g *idempotent.Guard[order, int], v *venue) {
			g.Call(t.Context(), order{"k", 5}, v.place)
			r, err := g.Call(t.Context(), order{"k", 6}, v.place)
			ends(t, "Call", r, err, result{}, idempotent.ErrMismatch)
			if retry.DefaultClassify(err) != retry.Permanent {
				t.Errorf("%v is %v; want permanent", err, retry.DefaultClassify(err))
			}
		}},
		{"I6 a missing key is refused", func(t *testing.T, g *idempotent.Guard[order, int], v *venue) {
			r, err := g.Call(t.Context(), order{"", 5}, v.place)
			ends(t, "Call", r, err, result{}, idempotent.ErrNoKey)
			if retry.DefaultClassify(err) != retry.Permanent || v.count("") != 0 {
				t.Errorf("%v is %v, %d effects; want permanent, none", err, retry.DefaultClassify(err), v.count(""))
			}
			v.place(t.Context(), order{"k", 5}) // as the rows below count
		}},
		{"I10 a timeout, then duplicate, is applied", func(t *testing.T, g *idempotent.Guard[order, int], v *venue) {
			errDuplicate := retry.Mark(errors.New("duplicate client id"), retry.Permanent)
			g.Duplicate = func(err error) bool { return errors.Is(err, errDuplicate) }
			g.Reconcile = v.look
			v.fails = []error{context.DeadlineExceeded}
			v.skip = []error{nil, errDuplicate}
			p := &retry.Policy{Idempotent: true} // the venue honours the key
			r, err := g.Call(t.Context(), order{"k", 5}, retry.Wrap(p, v.place))
			ends(t, "Call", r, err, result{Value: 5, Replayed: true}, nil)
			status(t, g.Store, "k", idempotent.Done)
		}},
		{"V4 applied, then the answer fails, is unknown", func(t *testing.T, g *idempotent.Guard[order, int], v *venue) {
			v.fails = []error{errDown}
			for range 3 {
				r, err := g.Call(t.Context(), order{"k", 5}, retry.Wrap(&retry.Policy{}, v.place))
				ends(t, "Call", r, err, result{}, idempotent.ErrUnknown)
				if retry.DefaultClassify(err) != retry.Ambiguous {
					t.Errorf("%v is %v; want ambiguous", err, retry.DefaultClassify(err))
				}
			}
		}},
		{"V6 a duplicate delivery has one effect", func(t *testing.T, g *idempotent.Guard[order, int], v *venue) {
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() { g.Call(t.Context(), order{"k", 5}, v.place) })
			}
			group.Wait()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var v venue
				test.run(t, guard(&idempotenttest.Model{}), &v)
				if n := v.count("k"); n != 1 {
					t.Errorf("%d effects; want 1", n)
				}
			})
		})
	}
}

// I21, ST2: whoever slept through the end of his lease is refused by the resource, and then by the store.
func TestVectorI21(t *testing.T) {
	var resource idempotent.Watermark
	for _, step := range []struct {
		token uint64
		want  error
	}{{33, nil}, {34, nil}, {33, idempotent.ErrStale}, {34, nil}, {0, idempotent.ErrStale}} {
		if err := resource.Pass(step.token); !errors.Is(err, step.want) {
			t.Errorf("Pass(%d) = %v; want %v", step.token, err, step.want)
		}
	}
}

func TestWatermarkRace(t *testing.T) {
	var w idempotent.Watermark
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 1000 {
				w.Pass(uint64(n*8 + i))
			}
		})
	}
	group.Wait()
	if err := w.Pass(7999); err != nil {
		t.Errorf("Pass of the largest = %v; want no error", err)
	}
	if err := w.Pass(7998); err == nil {
		t.Error("Pass of a smaller one was not refused")
	}
}

// What the function's end means for its key, and what the next call gets.
func TestOutcomes(t *testing.T) {
	errFull := errors.New("the book is full")
	for _, test := range []struct {
		name   string
		err    error
		status idempotent.Status
		reason error // of the first call
		again  error // of the second
		runs   int   // in two calls
	}{
		{"success", nil, idempotent.Done, nil, nil, 1},
		{"permanent", retry.Mark(errFull, retry.Permanent), idempotent.Done, errFull, errFull, 1},
		{"transient", retry.Mark(errFull, retry.Transient), idempotent.New, errFull, errFull, 2},
		{"throttled", retry.After(errFull, time.Second), idempotent.New, errFull, errFull, 2},
		{"ambiguous", errFull, idempotent.Unknown, idempotent.ErrUnknown, idempotent.ErrUnknown, 1},
		{"a timeout", context.DeadlineExceeded, idempotent.Unknown, idempotent.ErrUnknown, idempotent.ErrUnknown, 1},
		{"cancelled in flight", fmt.Errorf("post: %w", context.Canceled), idempotent.Unknown, context.Canceled, idempotent.ErrUnknown, 1},
		{"cancelled, marked permanent", retry.Mark(context.DeadlineExceeded, retry.Permanent), idempotent.Unknown, idempotent.ErrUnknown, idempotent.ErrUnknown, 1},
		{"cancelled, marked transient", retry.Mark(context.Canceled, retry.Transient), idempotent.New, context.Canceled, context.Canceled, 2},
		{"never dialled", &net.OpError{Op: "dial", Err: errFull}, idempotent.New, errFull, errFull, 2},
		{"a class that there is not", retry.Mark(errFull, 77), idempotent.Unknown, idempotent.ErrUnknown, idempotent.ErrUnknown, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &idempotenttest.Model{}
			g := guard(s)
			g.Sentinels = []error{nil, errFull}
			runs := 0
			place := g.Wrap(func(context.Context, order) (int, error) { runs++; return 7, test.err })
			if v, err := place(t.Context(), order{Key: "k"}); !errors.Is(err, test.reason) || v != 7 {
				t.Errorf("the first call = %v, %v; want %v", v, err, test.reason)
			} else if test.status == idempotent.Unknown && (!errors.Is(err, test.err) || retry.DefaultClassify(err) != retry.Ambiguous) {
				t.Errorf("the first call = %v, %v; want %v in it, ambiguous", err, retry.DefaultClassify(err), test.err)
			}
			status(t, s, "k", test.status)
			v, err := place(t.Context(), order{Key: "k"})
			if !errors.Is(err, test.again) || runs != test.runs {
				t.Errorf("the second call = %v after %d runs; want %v after %d", err, runs, test.again, test.runs)
			}
			if stored, ok := errors.AsType[*idempotent.StoredError](err); test.name == "permanent" {
				if !ok || v != 0 || stored.Text != errFull.Error() || stored.Error() != stored.Text || retry.DefaultClassify(err) != retry.Permanent {
					t.Errorf("the second call = %v, %#v, %v; want the stored error, permanent", v, err, retry.DefaultClassify(err))
				}
			}
		})
	}
}

// A retried call whose last error is clear may have had an unclear one before.
func TestOutcomeOfRetriedCalls(t *testing.T) {
	gone := retry.Mark(errors.New("gone"), retry.Permanent)
	busy := retry.Mark(errors.New("busy"), retry.Transient)
	for _, test := range []struct {
		name string
		errs []error
		want idempotent.Status
	}{
		{"unclear, then permanent", []error{errDown, gone}, idempotent.Unknown},
		{"unclear, then transient", []error{errDown, busy, busy}, idempotent.Unknown},
		{"transient", []error{busy, busy, busy}, idempotent.New},
		{"transient, then permanent", []error{busy, gone}, idempotent.Done},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := &idempotenttest.Model{}
				v := venue{skip: test.errs}
				_, err := guard(s).Call(t.Context(), order{"k", 5}, retry.Wrap(&retry.Policy{Idempotent: true}, v.place))
				if err == nil {
					t.Error("Call succeeded; want an error")
				}
				status(t, s, "k", test.want)
			})
		})
	}
}

func TestClassifyDecides(t *testing.T) {
	s := &idempotenttest.Model{}
	g := guard(s)
	g.Classify = func(error) retry.Class { return retry.Transient }
	g.Call(t.Context(), order{"k", 5}, func(context.Context, order) (int, error) { return 0, errDown })
	status(t, s, "k", idempotent.New)
}

// A function that panics or ends its goroutine may have had its effect.
func TestPanicLeavesTheKeyUnknown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &idempotenttest.Model{}
		g := guard(s)
		func() {
			defer func() {
				if r := recover(); r != "boom" {
					t.Errorf("recovered %v; want boom", r)
				}
			}()
			g.Call(t.Context(), order{"k", 5}, func(context.Context, order) (int, error) { panic("boom") })
		}()
		status(t, s, "k", idempotent.Unknown)
		var group sync.WaitGroup
		group.Go(func() {
			g.Call(t.Context(), order{"k2", 5}, func(context.Context, order) (int, error) { runtime.Goexit(); return 0, nil })
		})
		group.Wait()
		status(t, s, "k2", idempotent.Unknown)
	})
}

func TestContextCarriesKeyAndFence(t *testing.T) {
	s := &idempotenttest.Model{}
	if k, f := idempotent.Key(t.Context()), idempotent.Fence(t.Context()); k != "" || f != 0 {
		t.Errorf("outside: %q, %d; want nothing", k, f)
	}
	var fences []uint64
	for range 2 {
		guard(s).Call(t.Context(), order{"k", 5}, func(ctx context.Context, o order) (int, error) {
			fences = append(fences, idempotent.Fence(ctx))
			if k := idempotent.Key(ctx); k != "k" {
				t.Errorf("Key = %q; want k", k)
			}
			return 0, errRefused
		})
	}
	if len(fences) != 2 || fences[0] == 0 || fences[1] <= fences[0] {
		t.Errorf("the fences are %v; want two that rise", fences)
	}
}

func TestNothingIsRun(t *testing.T) {
	v := &venue{}
	ended, cancel := context.WithCancelCause(t.Context())
	errLeft := errors.New("the caller left")
	cancel(errLeft)
	for _, test := range []struct {
		name   string
		ctx    context.Context
		change func(*idempotent.Guard[order, int])
		o      order
		fn     func(context.Context, order) (int, error)
		want   error
		class  retry.Class
	}{
		{"no store", t.Context(), func(g *idempotent.Guard[order, int]) { g.Store = nil }, order{Key: "k"}, v.place, idempotent.ErrUnavailable, retry.Permanent},
		{"no key function", t.Context(), func(g *idempotent.Guard[order, int]) { g.Key = nil }, order{Key: "k"}, v.place, idempotent.ErrNoKey, retry.Permanent},
		{"no function", t.Context(), nil, order{Key: "k"}, nil, retry.ErrNilFunc, retry.Permanent},
		{"no context", nil, nil, order{Key: "k"}, v.place, retry.ErrNilContext, retry.Permanent},
		{"a context that ended", ended, nil, order{Key: "k"}, v.place, errLeft, retry.Transient},
		{"a long key", t.Context(), nil, order{Key: strings.Repeat("k", idempotent.MaxKey)}, v.place, idempotent.ErrLongKey, retry.Permanent},
		{"a key of a megabyte", t.Context(), nil, order{Key: strings.Repeat("k", 1<<20)}, v.place, idempotent.ErrLongKey, retry.Permanent},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := guard(&idempotenttest.Model{})
			if test.change != nil {
				test.change(g)
			}
			_, err := g.Wrap(test.fn)(test.ctx, test.o)
			if !errors.Is(err, test.want) || retry.DefaultClassify(err) != test.class || len(err.Error()) > 600 {
				t.Errorf("got %v, %v; want %v, %v", err, retry.DefaultClassify(err), test.want, test.class)
			}
		})
	}
	if len(v.orders) != 0 {
		t.Errorf("%d effects; want none", len(v.orders))
	}
}

func TestDo(t *testing.T) {
	s := &idempotenttest.Model{}
	for range 2 {
		if v, err := idempotent.Do(t.Context(), s, "k", func(context.Context) (string, error) { return "v", nil }); v != "v" || err != nil {
			t.Errorf("Do = %v, %v; want v", v, err)
		}
	}
	if _, err := idempotent.Do[int](t.Context(), s, "k2", nil); !errors.Is(err, retry.ErrNilFunc) {
		t.Errorf("Do without a function = %v; want %v", err, retry.ErrNilFunc)
	}
}

func TestFingerprints(t *testing.T) {
	g := guard(&idempotenttest.Model{})
	g.Fingerprint = func(o order) idempotent.Fingerprint { return idempotent.Fingerprinted(o.Key) }
	v := &venue{}
	g.Call(t.Context(), order{"k", 5}, v.place)
	r, err := g.Call(t.Context(), order{"k", 6}, v.place)
	ends(t, "Call with a field that was not declared", r, err, result{Value: 5, Replayed: true}, nil)
	if idempotent.Fingerprinted("a", "bc") == idempotent.Fingerprinted("ab", "c") || idempotent.Fingerprinted("") == idempotent.Fingerprinted() {
		t.Error("two lists of fields have one fingerprint")
	}

	odd := idempotent.Guard[chan int, int]{Store: g.Store, Key: func(chan int) string { return "k" }}
	_, err = odd.Call(t.Context(), nil, func(context.Context, chan int) (int, error) { t.Error("it ran"); return 0, nil })
	if !errors.Is(err, idempotent.ErrFingerprint) || retry.DefaultClassify(err) != retry.Permanent {
		t.Errorf("an argument that has no JSON: %v; want %v, permanent", err, idempotent.ErrFingerprint)
	}
	if s := idempotent.Fingerprinted().String(); s != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("the fingerprint of nothing is %s; want the SHA-256 of nothing", s)
	}
}

func TestGuardsDoNotMeet(t *testing.T) {
	s := &idempotenttest.Model{}
	v := &venue{}
	a, b := guard(s), guard(s)
	b.Name = "other"
	for _, g := range []*idempotent.Guard[order, int]{a, b} {
		r, err := g.Call(t.Context(), order{"k", 5}, v.place)
		ends(t, "Call", r, err, result{Value: 5}, nil)
	}
}

func TestRetentionEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, v := guard(&idempotenttest.Model{}), &venue{}
		g.Call(t.Context(), order{"k", 5}, v.place)
		time.Sleep(24 * time.Hour)
		r, err := g.Call(t.Context(), order{"k", 5}, v.place)
		ends(t, "Call", r, err, result{}, idempotent.ErrExpired)
		if retry.DefaultClassify(err) != retry.Ambiguous || v.count("k") != 1 {
			t.Errorf("%v, %v, %d effects; want ambiguous, 1 effect", err, retry.DefaultClassify(err), v.count("k"))
		}
	})
}

func TestCheck(t *testing.T) {
	if err := guard(&idempotenttest.Model{}).Check(); err != nil {
		t.Errorf("Check of a good guard = %v; want nil", err)
	}
	bad := idempotent.Guard[order, int]{Name: "a\x00" + strings.Repeat("n", idempotent.MaxKey), Lease: -1, Retain: -1, Patience: -1, Sentinels: []error{nil}}
	want := []string{"Name: ", "Name: ", "Store: ", "Key: ", "Lease: ", "Retain: ", "Patience: ", "Sentinels[0]: "}
	lines := strings.Split(bad.Check().Error(), "\n")
	if len(lines) != len(want) {
		t.Fatalf("Check found %q; want %q", lines, want)
	}
	for i := range want {
		if !strings.HasPrefix(lines[i], want[i]) {
			t.Errorf("mistake %d is %q; want %q", i, lines[i], want[i])
		}
	}
	short := guard(&idempotenttest.Model{})
	short.Lease = 1
	if err := short.Check(); err == nil || !strings.HasPrefix(err.Error(), "Lease: 1ns counts as 10ms") {
		t.Errorf("Check of a short lease = %v", err)
	}
}

func TestErrorTexts(t *testing.T) {
	for _, test := range []struct {
		e    idempotent.Error
		want string
	}{
		{idempotent.Error{Reason: idempotent.ErrNoKey}, "idempotent: idempotency key is missing"},
		{idempotent.Error{Name: "venue.place_order", Key: "k\x00", Reason: idempotent.ErrInProgress, Left: 1500 * time.Millisecond},
			`venue.place_order: key "k\x00": a call with this key is running: call again later with the same key, its lease ends in 1.5s`},
		{idempotent.Error{Key: strings.Repeat("k", 65), Reason: idempotent.ErrClaimLost, Err: errDown},
			`idempotent: key "` + strings.Repeat("k", 64) + `…": claim lost: somebody else has the key, or its lease ended: connection reset`},
	} {
		if got := test.e.Error(); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
	for s, want := range map[fmt.Stringer]string{
		idempotent.New: "new", idempotent.Running: "running", idempotent.Unknown: "unknown", idempotent.Done: "done", idempotent.Lapsed: "lapsed",
		idempotent.Status(9): "status(9)", idempotent.Undetermined: "undetermined", idempotent.Applied: "applied", idempotent.Absent: "absent",
		idempotent.Nonce{1}: "01000000000000000000000000000000",
	} {
		if s.String() != want {
			t.Errorf("%#v is %q; want %q", s, s.String(), want)
		}
	}
}
