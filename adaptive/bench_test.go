package adaptive

import (
	"context"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
)

func benchAsk() ask {
	return ask{left: 8, expected: .15, ceiling: 1, longest: 30, kind: Unavailable, retry: 1, cost: .02, delayCost: .05}
}

func TestHotPathsAllocateNothing(t *testing.T) {
	m := newModel()
	at := day
	if n := testing.AllocsPerRun(200, func() {
		at = at.Add(time.Millisecond)
		m.settle(&result{ok: true, took: .1}, time.Time{}, at)
		q := benchAsk()
		m.decide(&q, &retry.Attempt{At: at, Wait: time.Second}, &Terms{}, false, .5)
	}); n != 0 {
		t.Errorf("a result and a decision allocate %v times; want 0", n)
	}
	s := new(Learner).Source(&retry.Policy{Name: "venue.get"}, Terms{})
	ctx := context.Background()
	if n := testing.AllocsPerRun(200, func() {
		retry.Run(ctx, s, func(context.Context) error { return nil })
	}); n != 0 {
		t.Errorf("a call that succeeds allocates %v times; want 0", n)
	}
}

func BenchmarkDecide(b *testing.B) {
	b.Run("alone", func(b *testing.B) {
		m := newModel()
		m.belief[available] = belief{down: .95, in: true}
		b.ReportAllocs()
		for b.Loop() {
			q := benchAsk()
			m.decide(&q, &retry.Attempt{At: day, Wait: time.Second}, &Terms{}, false, .5)
		}
	})
	b.Run("contended", func(b *testing.B) {
		m := newModel()
		m.belief[available] = belief{down: .95, in: true}
		b.ReportAllocs()
		b.SetParallelism(4) // eight goroutines on two processors
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				q := benchAsk()
				m.decide(&q, &retry.Attempt{At: day, Wait: time.Second}, &Terms{}, false, .5)
			}
		})
	})
}

func BenchmarkObserve(b *testing.B) {
	b.Run("alone", func(b *testing.B) {
		m := newModel()
		at := day
		b.ReportAllocs()
		for b.Loop() {
			at = at.Add(time.Millisecond)
			m.settle(&result{ok: true, took: .1}, time.Time{}, at)
		}
	})
	b.Run("contended", func(b *testing.B) {
		m := newModel()
		b.ReportAllocs()
		b.SetParallelism(4)
		b.RunParallel(func(pb *testing.PB) {
			at := day
			for pb.Next() {
				at = at.Add(time.Microsecond)
				m.settle(&result{ok: true, took: .1}, time.Time{}, at)
			}
		})
	})
}

func BenchmarkCall(b *testing.B) {
	p := &retry.Policy{Name: "venue.get"}
	for _, c := range []struct {
		name string
		s    retry.Source
	}{{"plain", p}, {"shadow", new(Learner).Source(p, Terms{})}} {
		b.Run(c.name, func(b *testing.B) {
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				retry.Run(ctx, c.s, func(context.Context) error { return nil })
			}
		})
	}
}
