package memory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/guard/idempotent/idempotenttest"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/store/memory"
)

func TestIdempotent(t *testing.T) {
	idempotenttest.Run(t, func(*testing.T) idempotent.Store { return &memory.Idempotent{} }, idempotenttest.Options{})
}

func bid(key string) idempotent.Bid {
	return idempotent.Bid{Key: key, Owner: idempotent.NewNonce(), Lease: 1 << 40}
}

func TestIdempotentIsBounded(t *testing.T) {
	ctx := t.Context()
	s := &memory.Idempotent{MaxKeys: 2}
	first, err := s.Claim(ctx, bid("a"))
	if _, err2 := s.Claim(ctx, bid("b")); err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	_, err = s.Claim(ctx, bid("c"))
	if !errors.Is(err, memory.ErrFull) || retry.DefaultClassify(err) != retry.Transient {
		t.Errorf("Claim of a third key = %v; want %v, transient", err, memory.ErrFull)
	}
	if r, err := s.Claim(ctx, bid("a")); err != nil || r.Status != idempotent.Running {
		t.Errorf("Claim of a key that is held = %v, %v; want it running", r.Status, err)
	}
	if err := s.Release(ctx, first.Claim()); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Forget(ctx, 0, 10); n != 1 || err != nil {
		t.Errorf("Forget = %d, %v; want 1", n, err)
	}
	if _, err := s.Claim(ctx, bid("c")); err != nil {
		t.Errorf("Claim when there is room again = %v; want no error", err)
	}
}

func TestIdempotentHasADefaultBound(t *testing.T) {
	s := &memory.Idempotent{}
	for i := range memory.DefaultMaxKeys {
		if _, err := s.Claim(t.Context(), bid(fmt.Sprint(i))); err != nil {
			t.Fatal(i, err)
		}
	}
	if _, err := s.Claim(t.Context(), bid("one more")); !errors.Is(err, memory.ErrFull) {
		t.Errorf("Claim = %v; want %v", err, memory.ErrFull)
	}
}

// A store in memory says so wherever it is logged.
func ExampleIdempotent() {
	store := &memory.Idempotent{}
	place := func(context.Context) (string, error) { return "order 4711", nil }

	for range 2 {
		id, err := idempotent.Do(context.Background(), store, "intent-1", place)
		fmt.Println(id, err)
	}
	fmt.Println(store)
	// Output:
	// order 4711 <nil>
	// order 4711 <nil>
	// idempotency keys in memory, not durable: 1
}

func BenchmarkIdempotent(b *testing.B) {
	s := &memory.Idempotent{MaxKeys: 1 << 30}
	b.Run("claim and complete", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			bid := idempotent.Bid{Key: fmt.Sprint(i), Owner: idempotent.Nonce{1}, Lease: 1 << 40, Retain: 0}
			r, err := s.Claim(b.Context(), bid)
			if err != nil || s.Complete(b.Context(), r.Claim(), nil) != nil {
				b.Fatal(err)
			}
			if i%1024 == 0 {
				s.Forget(b.Context(), 0, 1<<20)
			}
		}
	})
	b.Run("replay", func(b *testing.B) {
		b.ReportAllocs()
		idempotent.Do(b.Context(), s, "k", func(context.Context) (int, error) { return 1, nil })
		for b.Loop() {
			if v, err := idempotent.Do(b.Context(), s, "k", func(context.Context) (int, error) { return 2, nil }); v != 1 {
				b.Fatal(v, err)
			}
		}
	})
}
