package idempotent_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/guard/idempotent/idempotenttest"
	"github.com/relent-go/relent/retry"
)

// bubble runs f in time that passes by itself.
func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// A faulty store fails as told: before the store hears of an operation, or after it was done.
type faulty struct {
	idempotent.Store
	mu     sync.Mutex
	before map[string][]error // by operation, one for each use; nil lets one pass
	after  map[string][]error
	calls  map[string]int
	delay  map[string]time.Duration // of an operation's answer
}

func newFaulty() *faulty {
	return &faulty{Store: &idempotenttest.Model{}, before: map[string][]error{}, after: map[string][]error{}, calls: map[string]int{}, delay: map[string]time.Duration{}}
}

var errDown = errors.New("connection reset") // says nothing about what was done

var errRefused = retry.Mark(errors.New("connection refused"), retry.Transient)

var errGone = retry.Mark(errors.New("gone"), retry.Permanent)

// always fails more often than anybody tries.
func always(err error) []error {
	errs := make([]error, 10000)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func (f *faulty) pop(m map[string][]error, op string) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if errs := m[op]; len(errs) > 0 {
		err, m[op] = errs[0], errs[1:]
	}
	return err
}

func (f *faulty) do(op string, g func() error) error {
	f.mu.Lock()
	f.calls[op]++
	f.mu.Unlock()
	if err := f.pop(f.before, op); err != nil {
		return err
	}
	err := g()
	time.Sleep(f.delay[op])
	if lost := f.pop(f.after, op); lost != nil {
		return lost
	}
	return err
}

func (f *faulty) set(m map[string][]error, op string, errs ...error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m[op] = errs
}

func (f *faulty) Claim(ctx context.Context, b idempotent.Bid) (r idempotent.Record, err error) {
	err = f.do("claim", func() error { r, err = f.Store.Claim(ctx, b); return err })
	if err != nil {
		r = idempotent.Record{}
	}
	return r, err
}

func (f *faulty) Renew(ctx context.Context, c idempotent.Claim, lease time.Duration) error {
	op := "renew"
	if lease <= 0 {
		op = "give up"
	}
	return f.do(op, func() error { return f.Store.Renew(ctx, c, lease) })
}

func (f *faulty) Complete(ctx context.Context, c idempotent.Claim, result []byte) error {
	return f.do("complete", func() error { return f.Store.Complete(ctx, c, result) })
}

func (f *faulty) Release(ctx context.Context, c idempotent.Claim) error {
	return f.do("release", func() error { return f.Store.Release(ctx, c) })
}

func (f *faulty) Get(ctx context.Context, key string) (r idempotent.Record, err error) {
	err = f.do("get", func() error { r, err = f.Store.Get(ctx, key); return err })
	return r, err
}

func (f *faulty) Unresolved(ctx context.Context, after string, limit int) (list []idempotent.Record, err error) {
	err = f.do("unresolved", func() error { list, err = f.Store.Unresolved(ctx, after, limit); return err })
	return list, err
}

// An order is what the tests guard.
type order struct {
	Key    string
	Amount int
}

// A venue has the effects.
type venue struct {
	mu     sync.Mutex
	orders map[string]int // by key
	fails  []error        // of the next calls, after the effect
	skip   []error        // of the next calls, before it
}

func (v *venue) place(_ context.Context, o order) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.skip) > 0 {
		err := v.skip[0]
		if v.skip = v.skip[1:]; err != nil {
			return 0, err
		}
	}
	if v.orders == nil {
		v.orders = make(map[string]int)
	}
	v.orders[o.Key]++
	if len(v.fails) > 0 {
		err := v.fails[0]
		if v.fails = v.fails[1:]; err != nil {
			return 0, err
		}
	}
	return o.Amount, nil
}

func (v *venue) count(key string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.orders[key]
}

// look is a reconciling read whose answers are current.
func (v *venue) look(_ context.Context, key string, o *order) (idempotent.Finding[int], error) {
	if v.count(key) == 0 {
		return idempotent.Finding[int]{Effect: idempotent.Absent}, nil
	}
	found := idempotent.Finding[int]{Effect: idempotent.Applied, Value: -1}
	if o != nil {
		found.Value = o.Amount
	}
	return found, nil
}

func guard(s idempotent.Store) *idempotent.Guard[order, int] {
	return &idempotent.Guard[order, int]{Name: "venue.place_order", Store: s, Key: func(o order) string { return o.Key }}
}

// ends compares how a call ended.
func ends(t *testing.T, what string, got idempotent.Result[int], err error, want idempotent.Result[int], reason error) {
	t.Helper()
	got.Fence, want.Fence = 0, 0
	if got != want || !errors.Is(err, reason) {
		t.Errorf("%s = %+v, %v; want %+v, %v", what, got, err, want, reason)
	}
}

func status(t *testing.T, s idempotent.Store, key string, want idempotent.Status) {
	t.Helper()
	r, err := s.Get(context.WithoutCancel(t.Context()), "venue.place_order\x00"+key)
	if err != nil || r.Status != want {
		t.Errorf("the key is %v, %v; want %v", r.Status, err, want)
	}
}
