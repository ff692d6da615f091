package halt_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// BenchmarkGate is what an attempt pays for the gate: Admit, Start and Settle of one that succeeds.
func BenchmarkGate(b *testing.B) {
	for _, c := range []struct {
		name string
		tree *halt.Tree
	}{
		{"running", &halt.Tree{}},
		{"active counted", &halt.Tree{Active: true}},
	} {
		var g retry.Halter = c.tree.Gate("desk", "binance", "place_order")
		b.Run(c.name, func(b *testing.B) {
			ctx := context.Background()
			a, o := retry.Attempt{Number: 1, At: time.Now(), Note: new(uint64)}, retry.Outcome{State: retry.Succeeded}
			b.ReportAllocs()
			for b.Loop() {
				pass(b, ctx, g, &a, &o)
			}
		})
		b.Run(c.name+"/parallel", func(b *testing.B) {
			var lanes atomic.Uint32
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				ctx := context.Background()
				a, o := retry.Attempt{Number: 1, At: time.Now(), Note: new(uint64), Lane: lanes.Add(1)}, retry.Outcome{State: retry.Succeeded}
				for pb.Next() {
					pass(b, ctx, g, &a, &o)
				}
			})
		})
	}
}

func pass(tb testing.TB, ctx context.Context, g retry.Halter, a *retry.Attempt, o *retry.Outcome) {
	if g.Admit(ctx, a) != nil || g.Start(ctx, a) != nil {
		tb.Fatal("refused")
	}
	g.Settle(a, o)
}

// BenchmarkDo is a whole call with the gate.
func BenchmarkDo(b *testing.B) {
	p := &retry.Policy{Gates: []retry.Gate{new(halt.Tree).Gate("desk")}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := retry.Do(b.Context(), p, func(context.Context) (int, error) { return 1, nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRefusal is an attempt that a stop refuses.
func BenchmarkRefusal(b *testing.B) {
	var t halt.Tree
	var g retry.Gate = t.Gate("desk")
	t.Stop(halt.Command{})
	a := retry.Attempt{Number: 1}
	b.ReportAllocs()
	for b.Loop() {
		if g.Admit(b.Context(), &a) == nil {
			b.Fatal("admitted")
		}
	}
}

// BenchmarkStop measures Stop with 10 000 waiting calls. DESIGN section 7: p99 below 1 ms, and none attempts again.
func BenchmarkStop(b *testing.B) {
	const waiting = 10_000 // ns/op is of the whole round, the calls included
	var took []time.Duration
	for b.Loop() {
		var t halt.Tree
		w := wait(b, t.Gate("desk", "venue", "op"), waiting)
		began := time.Now()
		t.Stop(halt.Command{Scope: "desk", Who: "ops"})
		took = append(took, time.Since(began))
		if again := w.end(); again != 0 {
			b.Fatalf("%d attempts after the stop", again)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
	b.ReportMetric(float64(took[len(took)-1].Nanoseconds()), "max-ns")
}

// A crowd is calls that wait for their second attempt.
type crowd struct {
	calls  sync.WaitGroup
	begun  atomic.Int64
	halted atomic.Int64
	size   int64
}

func wait(tb testing.TB, g retry.Gate, n int) *crowd {
	c := &crowd{size: int64(n)}
	p := &retry.Policy{Gates: []retry.Gate{g}, Backoff: backoff.Constant{Wait: time.Hour, Jitter: backoff.None}}
	for range n {
		c.calls.Go(func() {
			err := retry.Run(context.Background(), p, func(context.Context) error {
				c.begun.Add(1)
				return transient
			})
			if isHalted(err) {
				c.halted.Add(1)
			}
		})
	}
	for c.begun.Load() < c.size {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(5 * time.Millisecond) // into their waits
	return c
}

// end returns how many attempts were made beyond the first ones, and how many calls ended otherwise.
func (c *crowd) end() int64 {
	c.calls.Wait()
	return c.begun.Load() - c.halted.Load()
}

// BenchmarkStopWide stops a tree that is as large as it may be, and says how long that took.
func BenchmarkStopWide(b *testing.B) {
	var t halt.Tree
	for i := range halt.DefaultMaxScopes - 2 {
		t.Gate("desk", strconv.Itoa(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		t.Stop(halt.Command{Who: "ops1"})
	}
}
