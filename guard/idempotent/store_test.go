package idempotent_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/retry"
)

// The table of data.md §5: what happens while the store does not answer.
func TestStoreAway(t *testing.T) {
	for _, test := range []struct {
		name   string
		harm   func(f *faulty)
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
				test.harm(f)
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
