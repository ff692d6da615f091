package breaker_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

// The vectors of the specification, by their numbers.

func TestC8LateResults(t *testing.T) {
	for _, test := range []struct {
		name string
		o    retry.Outcome
	}{{"failure", bad}, {"success", good}, {"cancelled", canceled}} {
		t.Run(test.name, func(t *testing.T) {
			b := &breaker.Breaker{Rand: even}
			d := drive(t, b)
			late, _ := d.admit()
			earlier, _ := d.admit()
			d.ruin(b).wait(6 * time.Second)
			probe, err := d.admit()
			if err != nil {
				t.Fatal(err)
			}
			want(t, b, breaker.HalfOpen)
			before := b.Snapshot()
			d.settle(late, test.o)
			if got := b.Snapshot(); got != before {
				t.Errorf("a late result turned %+v into %+v", before, got)
			}
			// A probe that is still under way when others close the breaker is late, too.
			d.settle(probe, good)
			if s := b.Snapshot(); s.State != breaker.HalfOpen || s.Permits != 2 {
				t.Errorf("after the probe: %+v; want 2 permits", s)
			}
			probe, _ = d.admit()
			d.times(3, 0, good)
			want(t, b, breaker.Closed)
			d.settle(probe, test.o)
			d.settle(earlier, test.o)
			if s := b.Snapshot(); s.Counts != (breaker.Counts{}) || s.CUSUM != 0 {
				t.Errorf("%+v; want late results dropped in Closed, too", s)
			}
		})
	}
}

func TestC10CancelledProbe(t *testing.T) {
	for _, o := range []retry.Outcome{canceled, unbegun, permanent} {
		b, d := opened(t, breaker.Rules{})
		d.wait(5 * time.Second)
		probe, err := d.admit()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.admit(); !errors.Is(err, breaker.ErrOpen) {
			t.Fatalf("a second probe: %v; want a refusal", err)
		}
		d.settle(probe, o)
		want(t, b, breaker.HalfOpen)
		if _, err := d.admit(); err != nil {
			t.Errorf("after a probe that %v: %v; want its permit", o.State, err)
		}
	}
}

func TestC11OneProbe(t *testing.T) {
	b, d := opened(t, breaker.Rules{Probes: 1})
	d.wait(6 * time.Second)
	var attempts []*retry.Attempt
	for range 50 {
		attempts = append(attempts, d.attempt(1))
	}
	var admitted atomic.Int32
	var wg sync.WaitGroup
	for _, a := range attempts {
		wg.Go(func() {
			if b.Admit(context.Background(), a) == nil {
				admitted.Add(1)
			}
		})
	}
	wg.Wait()
	if n := admitted.Load(); n != 1 {
		t.Errorf("%d probes; want 1", n)
	}
}

func TestC13CUSUM(t *testing.T) {
	b := &breaker.Breaker{Rules: breaker.Rules{Healthy: 0.01, Failing: 0.1}}
	d := drive(t, b)
	for i, step := range []struct {
		o    retry.Outcome
		want float64
	}{
		{bad, 2.302585}, {bad, 4.605170}, {bad, 6.907755}, {good, 6.812445}, {good, 6.717135},
		{good, 6.621825}, {good, 6.526515}, {good, 6.431204}, {bad, 8.733789},
	} {
		d.do(step.o)
		if got := b.Health().CUSUM(); math.Abs(got-step.want) > 1.5e-6 { // a millionth is what fixed point rounds
			t.Errorf("step %d: CUSUM %.6f; want %.6f", i+1, got, step.want)
		}
	}
}

func TestC15OneShardOfEight(t *testing.T) {
	tree := &breaker.Tree{Rand: even}
	var shards []*driver
	for _, name := range []string{"0", "1", "2", "3", "4", "5", "6", "7"} {
		shards = append(shards, drive(t, tree.Gate("service", name)))
	}
	fired := false
	for round := range 600 {
		for i, d := range shards {
			if i == 3 && round >= 30 {
				d.do(bad)
			} else {
				d.do(good)
			}
			d.wait(10 * time.Millisecond)
		}
		fired = fired || tree.Group("service").Health().CUSUM() >= breaker.ThrottleLevel
		want(t, tree.Group("service"), breaker.Closed)
	}
	want(t, tree.Gate("service", "3"), breaker.Open)
	want(t, tree.Gate("service", "4"), breaker.Closed)
	if !fired {
		t.Error("the service's own test did not fire, so the rule about children was not tried")
	}
}

func TestC16RemoteVotes(t *testing.T) {
	for _, test := range []struct {
		name  string
		votes int
		age   time.Duration
		open  bool
		want  breaker.State
	}{
		{"2 of 5", 2, 0, false, breaker.Closed},
		{"3 of 5", 3, 0, false, breaker.Throttling},
		{"3 of 5, may open", 3, 0, true, breaker.Open},
		{"3 stale ones", 3, 11 * time.Second, false, breaker.Closed},
		{"3 stale ones, may open", 3, 11 * time.Second, true, breaker.Closed},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := &breaker.Breaker{Name: "binance", Rand: even, Rules: breaker.Rules{Quorum: 3, QuorumOpen: test.open}}
			d := drive(t, b)
			d.times(500, 10*time.Millisecond, good)
			for i, node := range []string{"a", "b", "c", "d", "e"} {
				n := breaker.Counts{OK: 30}
				if i < test.votes {
					n = breaker.Counts{OK: 2, Transient: 28}
				}
				// Votes that came before the others, and are old when the third one could complete a quorum.
				b.Merge(d.at, breaker.Delta{Key: "binance", Node: node, Incarnation: 1, Bucket: 7, Counts: n})
				if test.age > 0 {
					d.wait(test.age)
				}
			}
			d.do(good)
			want(t, b, test.want)
		})
	}
}

func TestHV1MergedTwice(t *testing.T) {
	b := &breaker.Breaker{Name: "binance"}
	delta := breaker.Delta{Key: "binance", Node: "a", Incarnation: 1, Bucket: 4, Counts: breaker.Counts{OK: 5, Transient: 3}}
	b.Merge(start, delta)
	b.Merge(start, delta, delta)
	if got := b.Peers()["a"]; got != delta.Counts {
		t.Errorf("%+v; want it once, %+v", got, delta.Counts)
	}
	// Nor does it stay young by repetition.
	for i := range 12 {
		b.Merge(start.Add(time.Duration(i)*time.Second), delta)
	}
	if got := b.Peers(); len(got) != 0 {
		t.Errorf("after 11 s of repetition: %+v; want nothing", got)
	}
}

func TestHV2Order(t *testing.T) {
	view := func(order ...uint64) map[string]breaker.Counts {
		b := &breaker.Breaker{Name: "binance"}
		for _, n := range order {
			for _, c := range []breaker.Counts{{OK: n}, {OK: 2 * n, Transient: 1}, {OK: n}} {
				b.Merge(start, breaker.Delta{Key: "binance", Node: "a", Incarnation: 1, Bucket: n, Counts: c})
			}
		}
		return b.Peers()
	}
	first := view(6, 5, 7)
	if got := first["a"]; got != (breaker.Counts{OK: 36, Transient: 3}) {
		t.Errorf("%+v; want 36 and 3", got)
	}
	for _, order := range [][]uint64{{5, 6, 7}, {7, 6, 5}, {7, 5, 6, 5, 7}} {
		if got := view(order...); got["a"] != first["a"] {
			t.Errorf("in order %v: %+v; want %+v", order, got, first)
		}
	}
	// A bucket out of its sender's window is left out whenever it comes.
	if a, b := view(5, 20), view(20, 5); a["a"] != b["a"] || a["a"].Transient != 1 {
		t.Errorf("%+v and %+v; want 20 alone", a, b)
	}
}

func TestHV4SenderClock(t *testing.T) {
	// A sender whose clock is an hour ahead counts other buckets, if it counts them by the clock at all.
	for _, shift := range []uint64{0, 3600, math.MaxUint64 - 100} {
		b := &breaker.Breaker{Name: "binance", Rules: breaker.Rules{Quorum: 1}, Rand: even}
		d := drive(t, b)
		d.do(good)
		for i := range uint64(3) {
			b.Merge(d.at, breaker.Delta{Key: "binance", Node: "a", Incarnation: 1, Bucket: shift + i, Counts: breaker.Counts{Transient: 30}})
			d.wait(time.Second)
		}
		if got := b.Peers()["a"].Transient; got != 90 {
			t.Errorf("shift %d: %d failures; want 90", shift, got)
		}
		want(t, b, breaker.Throttling)
		if got := b.Health().Counts(); got != (breaker.Counts{OK: 1}) {
			t.Errorf("shift %d: local counts %+v; want them untouched", shift, got)
		}
		d.wait(8 * time.Second).do(good)
		if got := b.Peers()["a"].Transient; got != 30 {
			t.Errorf("shift %d: %d failures after 11 s; want those of the last 10 s, 30", shift, got)
		}
	}
}

func TestHV5ChannelLost(t *testing.T) {
	b := &breaker.Breaker{Name: "binance", Rules: breaker.Rules{Quorum: 1}, Rand: even}
	d := drive(t, b)
	d.do(good)
	b.Merge(d.at, breaker.Delta{Key: "binance", Node: "a", Incarnation: 1, Bucket: 1, Counts: breaker.Counts{Transient: 30}})
	want(t, b, breaker.Throttling)
	d.times(3600, time.Second, good)
	want(t, b, breaker.Closed)
	// And it is no less careful than one that never heard of others.
	alone := drive(t, &breaker.Breaker{Rand: even})
	alone.at = d.at
	alone.times(3600, time.Second, good)
	for i := range 4000 {
		x, y := d.do(bad), alone.do(bad)
		if x && !y {
			t.Fatalf("failure %d: let through by the one that lost its channel, and not by one that never had any", i)
		}
		d.wait(20 * time.Millisecond)
		alone.at = d.at
		if b.State() == breaker.Open {
			return
		}
	}
	t.Errorf("state %v after 80 s of failures; want open", b.State())
}

func TestHV7CancelledByCallers(t *testing.T) {
	b := &breaker.Breaker{}
	drive(t, b).times(1000, time.Millisecond, canceled)
	want(t, b, breaker.Closed)
	if n, s := b.Health().Counts(), b.Health().CUSUM(); n != (breaker.Counts{}) || s != 0 {
		t.Errorf("counts %+v, CUSUM %v; want none", n, s)
	}
}

func TestHV8LatencyAlarm(t *testing.T) {
	changes := 0
	b := &breaker.Breaker{Rules: breaker.Rules{Latency: true}, OnChange: func(breaker.Change) { changes++ }}
	d := drive(t, b)
	call := func(i int, took time.Duration) {
		a, err := d.admit()
		if err != nil {
			t.Fatalf("call %d: first attempt refused: %v", i, err)
		}
		took += time.Duration(i%7) * took / 50
		o := retry.Outcome{State: retry.Succeeded, Start: d.at, End: d.at.Add(took)}
		if i%1000 == 500 {
			o.State, o.Class, o.Err = retry.Failed, retry.Transient, errDown // 0.1 %
		}
		b.Settle(a, &o)
		d.wait(10 * time.Millisecond)
	}
	for i := range 3000 {
		call(i, 10*time.Millisecond)
	}
	want(t, b, breaker.Closed)
	if err := b.Hedge(); err != nil {
		t.Errorf("hedge refused in good times: %v", err)
	}
	for i := range 3000 {
		call(i, 100*time.Millisecond)
	}
	want(t, b, breaker.Suspect)
	if !b.Health().Lagging() || !b.Suspect() || !b.Health().Suspect() {
		t.Error("latency has risen, and nobody says so")
	}
	var refusal *breaker.Error
	if err := b.Hedge(); !errors.As(err, &refusal) || refusal.State != breaker.Suspect {
		t.Errorf("Hedge() = %v; want a refusal", err)
	}
	if a := d.attempt(2); b.Admit(t.Context(), a) != nil {
		t.Error("a retry refused in Suspect: that is the budget's business")
	}
	for i := range 3000 {
		call(i, 10*time.Millisecond)
	}
	want(t, b, breaker.Closed)
	if changes != 2 {
		t.Errorf("%d changes; want one alarm that lasts as long as the latency", changes)
	}
}

func TestHV10ThreeFailures(t *testing.T) {
	b := &breaker.Breaker{}
	d := drive(t, b)
	worst := breaker.Closed
	for i := range 3 {
		d.do(bad)
		worst = max(worst, b.State())
		d.wait(time.Duration(i) * time.Second)
	}
	d.wait(time.Hour)
	if _, err := d.admit(); err != nil || worst > breaker.Throttling || b.State() > breaker.Throttling {
		t.Errorf("%v, at worst %v, now %v; want Throttling at most", err, worst, b.State())
	}
}

// HV11: however many gates are stacked on an attempt, it is one sample.
func TestHV11OneSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaker.Breaker{}
		p := &retry.Policy{Idempotent: true, Gates: []retry.Gate{&reader{health: b.Health()}, b, breaker.Feed{Health: b.Health()}, &reader{health: b.Health()}}}
		calls := 0
		err := retry.Run(t.Context(), p, func(context.Context) error {
			if calls++; calls == 1 {
				return retry.Mark(errDown, retry.Transient)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := b.Health().Counts(), (breaker.Counts{OK: 1, Transient: 1}); got != want {
			t.Errorf("counts %+v; want %+v", got, want)
		}
		if got := b.Health().CUSUM(); math.Abs(got-(2.302585-0.095310)) > 1e-6 {
			t.Errorf("CUSUM %v; want that of one failure and one success", got)
		}
	})
}

// reader is a gate that reads a health, as a budget does.
type reader struct {
	health  interface{ Suspect() bool }
	suspect bool
}

func (r *reader) Admit(context.Context, *retry.Attempt) error {
	r.suspect = r.health.Suspect()
	return nil
}
func (r *reader) Settle(*retry.Attempt, *retry.Outcome) {}

func TestHV13Jitter(t *testing.T) {
	const processes = 1000
	slots := make(map[time.Duration]int)
	var shortest, longest time.Duration
	for i := range processes {
		b := &breaker.Breaker{} // with true chance
		d := drive(t, b).ruin(b)
		var e *breaker.Error
		_, err := d.admit()
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		s := b.Snapshot()
		open := s.Until.Sub(s.Since)
		if i == 0 {
			shortest = open
		}
		shortest, longest = min(shortest, open), max(longest, open)
		slots[open/(100*time.Millisecond)]++
	}
	if shortest < 4*time.Second || longest > 6*time.Second || longest-shortest < 1800*time.Millisecond {
		t.Errorf("open from %v to %v; want about 4 s to 6 s", shortest, longest)
	}
	for slot, n := range slots {
		if n > processes*12/100 {
			t.Errorf("%d of %d open for %v to 100 ms more; want at most 12 %%", n, processes, slot*100*time.Millisecond)
		}
	}
}

func TestHV14PageHinkley(t *testing.T) {
	p := breaker.PageHinkley{Delta: 0.5, Lambda: 5}
	var values []float64
	for i, x := range []float64{10, 10, 10, 10, 15, 15} {
		if alarm := p.Add(x); alarm != (i == 5) {
			t.Errorf("sample %d: alarm %v", i+1, alarm)
		}
		values = append(values, math.Round(p.Value()*1e6)/1e6)
	}
	if want := []float64{0, 0, 0, 0, 3.5, 6.333333}; !slices.Equal(values, want) {
		t.Errorf("%v; want %v", values, want)
	}
	p.Add(math.NaN())
	p.Add(math.Inf(1))
	if got := math.Round(p.Value()*1e6) / 1e6; got != 6.333333 {
		t.Errorf("after what is no number: %v; want it unchanged", got)
	}
}
