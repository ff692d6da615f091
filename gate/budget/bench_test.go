package budget_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

// BenchmarkFirstAttempt is what a budget adds to a call whose first attempt succeeds: its share of the 45 ns that
// DESIGN section 7 leaves to halt, breaker and budget together.
func BenchmarkFirstAttempt(b *testing.B) {
	ctx := context.Background()
	succeeded := &retry.Outcome{State: retry.Succeeded, Start: time.Now()}
	b.Run("full", func(b *testing.B) {
		g := &budget.Budget{}
		var gate retry.Gate = g
		a := &retry.Attempt{Policy: &retry.Policy{}, Number: 1, At: time.Now(), Note: new(uint64)}
		b.ReportAllocs()
		for b.Loop() {
			if gate.Admit(ctx, a) == nil {
				gate.Settle(a, succeeded)
			}
		}
	})
	b.Run("full/parallel", func(b *testing.B) {
		g := &budget.Budget{}
		var gate retry.Gate = g
		var lanes atomic.Uint32
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			a := &retry.Attempt{Policy: &retry.Policy{}, Number: 1, At: time.Now(), Note: new(uint64), Lane: lanes.Add(1)}
			for pb.Next() {
				if gate.Admit(ctx, a) == nil {
					gate.Settle(a, succeeded)
				}
			}
		})
	})
	b.Run("earning", func(b *testing.B) {
		g := &budget.Budget{Max: 1e9, Ratio: 0.001}
		var gate retry.Gate = g
		again := &retry.Attempt{Policy: &retry.Policy{Cost: 1e8}, Number: 2, At: time.Now(), Note: new(uint64)}
		if err := gate.Admit(ctx, again); err != nil {
			b.Fatal(err)
		}
		a := &retry.Attempt{Policy: &retry.Policy{}, Number: 1, At: time.Now(), Note: new(uint64)}
		b.ReportAllocs()
		for b.Loop() {
			if gate.Admit(ctx, a) == nil {
				gate.Settle(a, succeeded)
			}
		}
	})
	b.Run("Do", func(b *testing.B) {
		for _, c := range []struct {
			name  string
			gates []retry.Gate
		}{{"without", nil}, {"idle", []retry.Gate{idle{}}}, {"budget", []retry.Gate{&budget.Budget{}}}} {
			b.Run(c.name, func(b *testing.B) {
				p := &retry.Policy{Name: "venue.fetch_book", Gates: c.gates}
				fn := func(context.Context) (int, error) { return 1, nil }
				b.ReportAllocs()
				for b.Loop() {
					if _, err := retry.Do(ctx, p, fn); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

// BenchmarkRetry is a retry that the bucket pays for, and one that it refuses.
func BenchmarkRetry(b *testing.B) {
	ctx := context.Background()
	a := &retry.Attempt{Policy: &retry.Policy{}, Number: 2, At: time.Now(), Class: retry.Transient, Note: new(uint64)}
	b.Run("allowed", func(b *testing.B) {
		g := &budget.Budget{}
		o := &retry.Outcome{}
		b.ReportAllocs()
		for b.Loop() {
			if err := g.Admit(ctx, a); err != nil {
				b.Fatal(err)
			}
			g.Settle(a, o)
		}
	})
	b.Run("refused", func(b *testing.B) {
		g := &budget.Budget{Max: budget.None}
		b.ReportAllocs()
		for b.Loop() {
			if g.Admit(ctx, a) == nil {
				b.Fatal("admitted")
			}
		}
	})
}

// idle is a gate that does nothing.
type idle struct{}

func (idle) Admit(context.Context, *retry.Attempt) error { return nil }
func (idle) Settle(*retry.Attempt, *retry.Outcome)       {}
