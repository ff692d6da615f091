package inference_test

import (
	"context"
	"testing"
	"time"

	"github.com/relent-go/relent/work/inference"
)

func benched() *inference.Ladder[string, float64] {
	predict := func(context.Context, string) (float64, error) { return 1, nil }
	return &inference.Ladder[string, float64]{
		Models: []inference.Model[string, float64]{{Name: "net", Version: "1", Quality: "full", Predict: predict}, {Name: "mean", Quality: "rough", Predict: predict}},
		Key:    func(s string) string { return s }, Cache: &inference.Cache[float64]{}, TTL: time.Hour,
	}
}

// An answer from the cache allocates nothing.
func TestHitAllocs(t *testing.T) {
	l := benched()
	defer l.Close()
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { l.Predict(ctx, "BTC/2026-03") }); n != 0 {
		t.Errorf("%v allocations per answer from the cache; want 0", n)
	}
}

func BenchmarkPredict(b *testing.B) {
	run := func(name string, change func(*inference.Ladder[string, float64])) {
		b.Run(name, func(b *testing.B) {
			l := benched()
			defer l.Close()
			change(l)
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Predict(ctx, "BTC/2026-03"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("hit", func(*inference.Ladder[string, float64]) {})
	run("hit of a simpler model", func(l *inference.Ladder[string, float64]) {
		l.Hold("net", "benchmark")
	})
	run("live, shared", func(l *inference.Ladder[string, float64]) { l.TTL = 0 })
	run("live, alone", func(l *inference.Ladder[string, float64]) { l.Key = nil })
	b.Run("hit/parallel", func(b *testing.B) {
		l := benched()
		defer l.Close()
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				l.Predict(b.Context(), "BTC/2026-03")
			}
		})
	})
}
