package limit_test

import (
	"context"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/retry"
)

// What a gate adds to an attempt that succeeds: Admit, Start and Settle.
func BenchmarkUncontended(b *testing.B) {
	for _, test := range []struct {
		name string
		gate retry.Gate
	}{
		{"nothing", nothing{}},
		{"Concurrency", &limit.Concurrency{}},
		{"Retries", &limit.Retries{}},
		{"Rate", &limit.Rate{Tokens: 1 << 30}},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			ctx := context.Background()
			a, o := attempt(retry.Normal), &retry.Outcome{State: retry.Succeeded}
			s, _ := test.gate.(retry.Starter)
			for b.Loop() {
				a.At = a.At.Add(time.Microsecond)
				*a.Note = 0
				if test.gate.Admit(ctx, a) != nil || s != nil && s.Start(ctx, a) != nil {
					b.Fatal("refused")
				}
				test.gate.Settle(a, o)
			}
		})
	}
}

// A nothing gate is what the others are compared with.
type nothing struct{}

func (nothing) Admit(context.Context, *retry.Attempt) error { return nil }
func (nothing) Start(context.Context, *retry.Attempt) error { return nil }
func (nothing) Settle(*retry.Attempt, *retry.Outcome)       {}

// A refusal, with its error.
func BenchmarkRefusal(b *testing.B) {
	b.ReportAllocs()
	c := &limit.Concurrency{Max: 1}
	ctx := context.Background()
	c.Start(ctx, attempt(retry.Normal))
	a := attempt(retry.Normal)
	for b.Loop() {
		if c.Start(ctx, a) == nil {
			b.Fatal("not refused")
		}
	}
}

// A slot that goes from hand to hand.
func BenchmarkContended(b *testing.B) {
	b.ReportAllocs()
	c := &limit.Concurrency{Max: 1, MaxWait: limit.Forever}
	b.RunParallel(func(pb *testing.PB) {
		ctx := context.Background()
		a, o := attempt(retry.Normal), &retry.Outcome{State: retry.Succeeded}
		for pb.Next() {
			*a.Note = 0
			if c.Start(ctx, a) != nil {
				b.Error("refused")
			}
			c.Settle(a, o)
		}
	})
}
