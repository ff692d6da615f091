package breaker

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
)

func TestWord(t *testing.T) {
	var w word
	if w.passes() || w.quiet() || w.number() != 0 {
		t.Error("the word of a breaker that has seen nothing says something")
	}
	w = word(0xabcd) << numberShift
	for s := Closed; s <= ForcedClosed; s++ {
		w = w.with(s).scored(scoreCap)
		if w.state() != s || w.score() != scoreCap || w.number() != 0xabcd || w.passes() != (s == Closed) || w.quiet() {
			t.Errorf("%x in %v", uint64(w), s)
		}
		if v := w.scored(0); v.quiet() != (s == Closed) || (v | watched).quiet() || v.state() != s {
			t.Errorf("%x in %v", uint64(v), s)
		}
	}
	// Generations wrap around, and stay in order over half of their range.
	first := w.generation()
	for i := range 1<<generationBits + 10 {
		v := w.next()
		if !v.since(w.generation()) || w.since(v.generation()) || v.state() != w.state() || v.score() != w.score() || v.number() != w.number() {
			t.Fatalf("generation %d: %x after %x", i, uint64(v), uint64(w))
		}
		w = v
	}
	if w.generation() != first+10 {
		t.Errorf("generation %d after one round and 10; want %d", w.generation(), first+10)
	}
}

// Permits never exceed the limit, with goroutines. The account is kept between Admit and Settle, so it never holds a
// probe that the breaker does not.
func TestHalfOpenInParallel(t *testing.T) {
	const limit = 3
	b := &Breaker{Rules: Rules{Classic: true, FailureRate: 0.05, Probes: limit, OpenFor: 20 * time.Millisecond, MinSamples: 5}}
	p := &retry.Policy{Idempotent: true}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var now atomic.Int64
	var mu sync.Mutex
	held := make(map[uint32]int) // by generation
	most, all := 0, 0
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(g), 3))
			account := func(a *retry.Attempt, by int) {
				note := word(a.Kept())
				if note.state() != HalfOpen {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				held[note.generation()] += by
				most, all = max(most, held[note.generation()]), all+max(0, by)
			}
			for range 1000 {
				var running []*retry.Attempt
				for range 1 + random.IntN(4) {
					a := &retry.Attempt{Policy: p, Number: 1, Lane: uint32(g), Note: new(uint64),
						At: start.Add(time.Duration(now.Add(int64(100 * time.Microsecond))))}
					if b.Admit(context.Background(), a) == nil {
						account(a, 1)
						running = append(running, a)
					}
				}
				runtime.Gosched()
				for _, a := range running {
					account(a, -1)
					o := &retry.Outcome{State: retry.Succeeded, Start: a.At}
					if random.IntN(12) == 0 {
						o.State, o.End = retry.Failed, a.At
					}
					b.Settle(a, o)
				}
			}
		})
	}
	wg.Wait()
	if most > limit || most < 2 {
		t.Errorf("%d probes at once, %d in all; want 2 to %d at once", most, all, limit)
	}
	if s := b.Snapshot(); s.Probes != 0 {
		t.Errorf("all are settled, and %d permits are held", s.Probes)
	}
	t.Logf("%d probes, %d at once", all, most)
}

// Counts of the window are those of a list of everything that happened.
func TestWindowAgainstAList(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		c := counters{shards: make([]shard, 1<<random.IntN(3))}
		type event struct {
			k    kind
			tick int64
		}
		var events []event
		tick := int64(1)
		for range 400 {
			switch random.IntN(8) {
			case 0:
				tick += int64(random.IntN(4))
			case 1:
				if random.IntN(10) == 0 {
					tick += int64(random.IntN(100))
				}
			}
			e := event{kind(random.IntN(int(kinds))), tick}
			c.count(e.k, random.Uint32(), e.tick)
			events = append(events, e)
			var want Counts
			for _, e := range events {
				if e.tick > tick-buckets {
					want = want.plus(only(e.k))
				}
			}
			if got := c.window(tick-buckets+1, tick); got != want {
				t.Fatalf("seed %d, tick %d: %+v; want %+v", seed, tick, got, want)
			}
		}
	}
}

func only(k kind) Counts {
	switch k {
	case ok:
		return Counts{OK: 1}
	case slow:
		return Counts{OK: 1, Slow: 1}
	case transient:
		return Counts{Transient: 1}
	case throttled:
		return Counts{Throttled: 1}
	case ambiguous:
		return Counts{Ambiguous: 1}
	}
	return Counts{Refused: 1}
}

// One who comes late adds to the bucket that has taken the place of his own.
func TestLateCount(t *testing.T) {
	c := counters{shards: make([]shard, 1)}
	c.count(transient, 0, 20)
	c.count(transient, 0, 4) // the same cell, sixteen buckets ago
	if n := c.window(20, 20); n.Transient != 2 {
		t.Errorf("%+v; want both", n)
	}
	c.count(transient, 0, 36)
	if n := c.window(20, 36); n.Transient != 1 {
		t.Errorf("%+v; want the new one", n)
	}
}

// Nothing is lost when many count at once, while time goes on.
func TestCountingInParallel(t *testing.T) {
	b := &Breaker{Rules: Rules{Window: 100 * time.Millisecond}}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const goroutines, each = 8, 5000
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			a := &retry.Attempt{Number: 1, Lane: uint32(g), Note: new(uint64)}
			for i := range each {
				a.At = start.Add(time.Duration(i) * 10 * time.Microsecond) // 50 ms: all in one window
				*a.Note = 0
				b.Admit(context.Background(), a)
				b.Settle(a, &retry.Outcome{State: retry.Succeeded, Start: a.At})
			}
		})
	}
	wg.Wait()
	if n := b.Health().Counts(); n != (Counts{OK: goroutines * each}) {
		t.Errorf("%+v; want %d successes", n, goroutines*each)
	}
}

func TestRecentAgainstAList(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	r := &recent{outcomes: make([]atomic.Uint32, 7)}
	var list []kind
	for i := range 500 {
		k := kind(random.IntN(int(refused)))
		r.put(k)
		if list = append(list, k); len(list) > 7 {
			list = list[1:]
		}
		if i == 300 {
			r.clear()
			list = nil
		}
		var want Counts
		for _, k := range list {
			want = want.plus(only(k))
		}
		if got := r.counts(); got != want {
			t.Fatalf("call %d: %+v; want %+v", i, got, want)
		}
	}
}

// The sum over many children is kept for a moment, and a new window forgets it.
func TestManyChildren(t *testing.T) {
	tree := &Tree{}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	call := func(name string, at time.Duration) {
		a := &retry.Attempt{Number: 1, Note: new(uint64), At: start.Add(at)}
		b := tree.Gate("v", name)
		if err := b.Admit(context.Background(), a); err != nil {
			t.Fatal(err)
		}
		b.Settle(a, &retry.Outcome{State: retry.Failed, Start: a.At, End: a.At})
	}
	names := "abcdefghijklmnopqrst"
	for i := range names {
		call(names[i:i+1], 0)
	}
	h := tree.Group("v").Health()
	sum := func(at time.Duration) uint64 {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.totals(h.see(int64(at))).Total()
	}
	before := sum(20 * time.Millisecond)
	call("a", 21*time.Millisecond)
	if got := sum(29 * time.Millisecond); before != 20 || got != before {
		t.Errorf("%d, then %d; want 20, kept for 10 ms", before, got)
	}
	if got := sum(32 * time.Millisecond); got != 21 {
		t.Errorf("%d after 12 ms more; want 21", got)
	}
	h.mu.Lock()
	h.clear(int64(32 * time.Millisecond))
	h.mu.Unlock()
	if got := sum(32 * time.Millisecond); got != 0 {
		t.Errorf("%d in a new window; want 0", got)
	}
}

// A success that is about to lower the CUSUM does not when the state has just changed.
func TestRelaxOnlyWhileAllPasses(t *testing.T) {
	var h Health
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	h.prepare(Rules{}, start, 0, Closed)
	h.step(transient)
	if before := h.CUSUM(); !h.relax() || h.CUSUM() >= before {
		t.Errorf("CUSUM %v, from %v; want it lower", h.CUSUM(), before)
	}
	h.word.Store(uint64(h.load().with(Suspect)))
	if before := h.CUSUM(); h.relax() || h.CUSUM() != before {
		t.Errorf("CUSUM %v, from %v; want it unchanged", h.CUSUM(), before)
	}
}

// pass makes an attempt that succeeds.
func pass(t *testing.T, b *Breaker, at time.Time, took time.Duration) {
	t.Helper()
	a := &retry.Attempt{Number: 1, At: at, Note: new(uint64)}
	if err := b.Admit(context.Background(), a); err != nil {
		t.Fatal(err)
	}
	b.Settle(a, &retry.Outcome{State: retry.Succeeded, Start: at, End: at.Add(took)})
}
