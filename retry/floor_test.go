package retry_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
)

// BenchmarkGuardedParts measures what a guarded first attempt is made of, each part by itself: what a call with
// a stop, a breaker and a budget cannot be cheaper than. See docs/decisions.
func BenchmarkGuardedParts(b *testing.B) {
	began := time.Now()
	gates := []retry.Gate{&stopLike{}, &breakerLike{}, &budgetLike{}}
	a, o := &retry.Attempt{Number: 1}, &retry.Outcome{State: retry.Succeeded}
	ctx := b.Context()
	state := sync.Pool{New: func() any { return new([300]byte) }}
	var elapsed time.Duration
	starters := 0
	for _, part := range []struct {
		name string
		do   func()
	}{
		{"nothing", func() {}},
		{"time.Now", func() { clock = time.Now() }},
		{"monotonic clock", func() { elapsed = time.Since(began) }},
		{"monotonic clock as a time", func() { clock = began.Add(time.Since(began)) }},
		{"state from a pool and back", func() { state.Put(state.Get()) }},
		{"a deferred call", func() { defer func() { elapsed++ }() }},
		{"three gates asked whether they are Starters", func() {
			for _, g := range gates {
				if _, ok := g.(retry.Starter); ok {
					starters++
				}
			}
		}},
		{"seven calls of gates that count", func() {
			for _, g := range gates {
				g.Admit(ctx, a)
			}
			gates[0].(*stopLike).Start(ctx, a)
			for i := len(gates) - 1; i >= 0; i-- {
				gates[i].Settle(a, o)
			}
		}},
	} {
		b.Run(part.name, func(b *testing.B) {
			for b.Loop() {
				part.do()
			}
		})
	}
}

// Gates that do as little as a stop, a breaker and a budget can do for a first attempt that succeeds.
type (
	stopLike    struct{ begun atomic.Int64 }
	breakerLike struct {
		state atomic.Uint32
		ok    atomic.Int64
	}
	budgetLike struct{ inFlight, missing atomic.Int64 }
)

func (g *stopLike) Admit(context.Context, *retry.Attempt) error { return g.check(g.begun.Load()) }
func (g *stopLike) Start(context.Context, *retry.Attempt) error { return g.check(g.begun.Add(1)) }
func (g *stopLike) Settle(*retry.Attempt, *retry.Outcome)       {}
func (g *stopLike) Halted(*retry.Attempt) context.Context       { return context.Background() }
func (g *stopLike) check(n int64) error {
	if n < 0 {
		return refused
	}
	return nil
}

func (g *breakerLike) Admit(context.Context, *retry.Attempt) error {
	if g.state.Load() != 0 {
		return refused
	}
	return nil
}
func (g *breakerLike) Settle(*retry.Attempt, *retry.Outcome) { g.ok.Add(1) }

func (g *budgetLike) Admit(context.Context, *retry.Attempt) error { g.inFlight.Add(1); return nil }
func (g *budgetLike) Settle(_ *retry.Attempt, o *retry.Outcome) {
	if g.inFlight.Add(-1); o.State == retry.Succeeded && g.missing.Load() != 0 {
		g.missing.Store(0)
	}
}

// BenchmarkGuarded is the whole of it: Do with such gates.
func BenchmarkGuarded(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.Run("bare, clock", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if ctx.Err() == nil {
				clock = time.Now()
				sink, _ = fetch(ctx)
			}
		}
	})
	b.Run("Do", func(b *testing.B) {
		p := &retry.Policy{Gates: []retry.Gate{&stopLike{}, &breakerLike{}, &budgetLike{}}}
		b.ReportAllocs()
		for b.Loop() {
			sink, _ = retry.Do(ctx, p, fetch)
		}
	})
}
