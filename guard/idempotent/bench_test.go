package idempotent_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
)

// still is a store that costs nothing: what is left is the guard.
type still struct {
	idempotent.Store
	done []byte // what a replay finds
}

func (s still) Claim(_ context.Context, b idempotent.Bid) (idempotent.Record, error) {
	r := idempotent.Record{Key: b.Key, Status: idempotent.Running, Owner: b.Owner, Fingerprint: b.Fingerprint, Fence: 1}
	if s.done != nil {
		r.Status, r.Owner, r.Result = idempotent.Done, idempotent.Nonce{}, s.done
	}
	return r, nil
}

func (still) Complete(context.Context, idempotent.Claim, []byte) error { return nil }

func work(context.Context, order) (int, error) { return 5, nil }

func plain(s idempotent.Store) *idempotent.Guard[order, int] {
	g := guard(s)
	g.Fingerprint = func(o order) idempotent.Fingerprint { return idempotent.Fingerprint{byte(o.Amount)} }
	return g
}

// What a guarded call allocates is small beside what any store does; it must not grow unseen.
func TestAllocations(t *testing.T) {
	for _, test := range []struct {
		name  string
		store still
		most  float64
	}{{"run", still{}, 24}, {"replay", still{done: []byte("v5")}, 6}} {
		g := plain(test.store)
		n := testing.AllocsPerRun(100, func() { g.Call(t.Context(), order{"k", 5}, work) })
		if n > test.most {
			t.Errorf("%s: %v allocations; want at most %v", test.name, n, test.most)
		}
	}
}

func BenchmarkGuard(b *testing.B) {
	for _, test := range []struct {
		name  string
		store still
	}{{"run", still{}}, {"replay", still{done: []byte("v5")}}} {
		g := plain(test.store)
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r, err := g.Call(b.Context(), order{"k", 5}, work); r.Value != 5 {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFingerprinted(b *testing.B) {
	fields := []string{"POST", "/orders", "", "application/json", fmt.Sprintf("%0200d", time.Second)}
	b.ReportAllocs()
	for b.Loop() {
		idempotent.Fingerprinted(fields...)
	}
}
