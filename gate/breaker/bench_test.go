package breaker_test

import (
	"context"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

// BenchmarkHealthy is Admit and Settle of a first attempt that succeeds in Closed: the target is 10 ns for both.
func BenchmarkHealthy(b *testing.B) {
	tree := &breaker.Tree{}
	for _, bench := range []struct {
		name string
		gate retry.Gate
	}{
		{"plain", &breaker.Breaker{}},
		{"in a tree", tree.Gate("binance", "orders", "BTC")},
		{"keyed", breaker.Keyed{Tree: tree}},
		{"classic", &breaker.Breaker{Rules: breaker.Rules{Classic: true}}},
		{"last 100 calls", &breaker.Breaker{Rules: breaker.Rules{Calls: 100}}},
		{"feed", breaker.Feed{Health: &breaker.Health{}}},
	} {
		p := &retry.Policy{Name: "binance.fetch_book"}
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			a := &retry.Attempt{Policy: p, Number: 1, At: time.Now(), Note: new(uint64)}
			o := &retry.Outcome{State: retry.Succeeded, Start: a.At}
			for b.Loop() {
				*a.Note = 0
				if err := bench.gate.Admit(ctx, a); err != nil {
					b.Fatal(err)
				}
				bench.gate.Settle(a, o)
			}
		})
		b.Run(bench.name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			var lane uint32
			lanes := make(chan uint32, 1024)
			for range cap(lanes) {
				lanes <- lane
				lane++
			}
			b.RunParallel(func(pb *testing.PB) {
				a := &retry.Attempt{Policy: p, Number: 1, At: time.Now(), Lane: <-lanes, Note: new(uint64)}
				o := &retry.Outcome{State: retry.Succeeded, Start: a.At}
				for pb.Next() {
					*a.Note = 0
					if err := bench.gate.Admit(context.Background(), a); err != nil {
						b.Fatal(err)
					}
					bench.gate.Settle(a, o)
				}
			})
		})
	}
}

// BenchmarkDo is the same through the engine, beside a policy with a gate that does nothing.
func BenchmarkDo(b *testing.B) {
	for _, bench := range []struct {
		name string
		gate retry.Gate
	}{
		{"idle gate", breaker.Feed{}},
		{"breaker", &breaker.Breaker{}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			p := &retry.Policy{Gates: []retry.Gate{bench.gate}}
			fn := func(context.Context) (int, error) { return 1, nil }
			for b.Loop() {
				if _, err := retry.Do(b.Context(), p, fn); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkUnwell is what attempts cost in other times.
func BenchmarkUnwell(b *testing.B) {
	b.Run("failure", func(b *testing.B) {
		b.ReportAllocs()
		g := &breaker.Breaker{Rules: breaker.Rules{Healthy: 0.9, Failing: 0.95, FailureRate: 1}}
		a := &retry.Attempt{Policy: &retry.Policy{}, Number: 1, At: time.Now(), Note: new(uint64)}
		good := &retry.Outcome{State: retry.Succeeded, Start: a.At}
		bad := &retry.Outcome{State: retry.Failed, Class: retry.Transient, Start: a.At, End: a.At}
		for b.Loop() {
			*a.Note = 0
			if err := g.Admit(b.Context(), a); err != nil {
				b.Fatal(err)
			}
			g.Settle(a, bad)
			*a.Note = 0
			g.Admit(b.Context(), a)
			g.Settle(a, good)
		}
	})
	b.Run("refusal", func(b *testing.B) {
		b.ReportAllocs()
		g := &breaker.Breaker{}
		at := time.Now()
		if err := g.Isolate(breaker.Order{Who: "me", Why: "test", At: at, For: time.Hour}); err != nil {
			b.Fatal(err)
		}
		a := &retry.Attempt{Policy: &retry.Policy{}, Number: 1, At: at, Note: new(uint64)}
		for b.Loop() {
			if g.Admit(b.Context(), a) == nil {
				b.Fatal("admitted")
			}
		}
	})
}
