package backoff_test

import (
	"math"
	"testing"
	"time"

	"github.com/relent-go/relent/backoff"
)

const (
	ms   = time.Millisecond
	sec  = time.Second
	ever = time.Duration(math.MaxInt64)
)

// waits returns the first n delays, each with the random number u.
func waits(s backoff.Strategy, n int, u float64) []time.Duration {
	var list []time.Duration
	var last time.Duration
	for i := range n {
		last = s.Delay(i+1, last, u)
		list = append(list, last)
	}
	return list
}

func TestSchedules(t *testing.T) {
	for _, test := range []struct {
		name string
		s    backoff.Strategy
		u    float64
		want []time.Duration
	}{
		{"the default doubles from 100 ms with full jitter", backoff.Default(), 0.5,
			[]time.Duration{50 * ms, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 12800 * ms, 15 * sec, 15 * sec}},
		{"D22 exponential from 1 s with a cap", backoff.Exponential{Base: sec, Max: 5 * time.Minute, Jitter: backoff.None}, 0.9,
			[]time.Duration{sec, 2 * sec, 4 * sec, 8 * sec, 16 * sec, 32 * sec, 64 * sec, 128 * sec, 256 * sec, 300 * sec}},
		{"B20 delay ceilings of the AWS SDKs", backoff.Exponential{Base: 50 * ms, Max: 20 * sec, Jitter: backoff.None}, 0,
			[]time.Duration{50 * ms, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 12800 * ms, 20 * sec, 20 * sec}},
		{"a multiplier that is no integer", backoff.Exponential{Base: sec, Multiplier: 1.5, Jitter: backoff.None}, 0,
			[]time.Duration{sec, 1500 * ms, 2250 * ms, 3375 * ms}},
		{"a multiplier below 1 does not shrink", backoff.Exponential{Base: sec, Multiplier: 0.5, Jitter: backoff.None}, 0, []time.Duration{sec, sec}},
		{"a multiplier of NaN is the default", backoff.Exponential{Base: sec, Multiplier: math.NaN(), Jitter: backoff.None}, 0, []time.Duration{sec, 2 * sec}},
		{"an infinite multiplier goes to the maximum", backoff.Exponential{Base: sec, Multiplier: math.Inf(1), Jitter: backoff.None}, 0, []time.Duration{sec, 30 * sec}},
		{"negative fields are the defaults", backoff.Exponential{Base: -1, Max: -1, Multiplier: -3, Jitter: backoff.None}, 0, []time.Duration{100 * ms, 200 * ms}},
		{"a base above the maximum is cut", backoff.Exponential{Base: time.Minute, Max: sec, Jitter: backoff.None}, 0, []time.Duration{sec, sec}},
		{"equal jitter keeps a half", backoff.Exponential{Base: sec, Jitter: backoff.Equal}, 0.5, []time.Duration{750 * ms, 1500 * ms, 3 * sec}},

		{"constant with full jitter", backoff.Constant{Wait: sec}, 0.25, []time.Duration{250 * ms, 250 * ms}},
		{"constant without jitter", backoff.Constant{Wait: sec, Jitter: backoff.None}, 0.25, []time.Duration{sec, sec}},
		{"constant zero value does not wait", backoff.Constant{}, 0.9, []time.Duration{0, 0}},
		{"constant negative does not wait", backoff.Constant{Wait: -sec, Jitter: backoff.None}, 0.9, []time.Duration{0, 0}},
		{"D32 constant capped is the cap", backoff.Linear{Base: 5 * sec, Max: 3 * sec, Jitter: backoff.None}, 0, []time.Duration{3 * sec, 3 * sec}},

		{"linear grows by its step to its maximum", backoff.Linear{Base: sec, Step: 2 * sec, Max: 6 * sec, Jitter: backoff.None}, 0,
			[]time.Duration{sec, 3 * sec, 5 * sec, 6 * sec, 6 * sec}},
		{"linear with step 0 is fixed", backoff.Linear{Base: sec, Jitter: backoff.None}, 0, []time.Duration{sec, sec, sec}},
		{"linear with a negative step is fixed", backoff.Linear{Base: sec, Step: -sec, Jitter: backoff.None}, 0, []time.Duration{sec, sec, sec}},

		{"fibonacci", backoff.Fibonacci{Base: sec, Max: 10 * sec, Jitter: backoff.None}, 0,
			[]time.Duration{sec, sec, 2 * sec, 3 * sec, 5 * sec, 8 * sec, 10 * sec, 10 * sec}},

		{"decorrelated at its shortest", backoff.Decorrelated{}, 0, []time.Duration{100 * ms, 100 * ms}},
		{"decorrelated half way", backoff.Decorrelated{Base: sec, Max: 10 * sec}, 0.5, []time.Duration{2 * sec, 3500 * ms, 5500 * ms, 5500 * ms}},

		{"custom", backoff.Func(func(n int, last time.Duration, _ float64) time.Duration { return last + time.Duration(n)*sec }), 0,
			[]time.Duration{sec, 3 * sec, 6 * sec}},
		{"custom negative counts as 0", backoff.Func(func(int, time.Duration, float64) time.Duration { return -sec }), 0, []time.Duration{0}},
		{"custom nil is the default", backoff.Func(nil), 0.5, []time.Duration{50 * ms, 100 * ms}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := waits(test.s, len(test.want), test.u)
			for i := range got {
				if got[i] != test.want[i] {
					t.Fatalf("%v with u = %v: waits %v; want %v", test.s, test.u, got, test.want)
				}
			}
		})
	}
}

func TestHighAttemptNumbersSaturate(t *testing.T) {
	for _, s := range []backoff.Strategy{
		backoff.Exponential{Base: sec, Max: 5 * time.Minute, Jitter: backoff.None},
		backoff.Linear{Base: sec, Step: sec, Max: 5 * time.Minute, Jitter: backoff.None},
		backoff.Fibonacci{Base: sec, Max: 5 * time.Minute, Jitter: backoff.None},
	} {
		for _, n := range []int{1000, math.MaxInt32, math.MaxInt} {
			if got := s.Delay(n, 0, 0); got != 5*time.Minute {
				t.Errorf("%v.Delay(%d) = %v; want 5m", s, n, got)
			}
		}
	}
	for _, n := range []int{63, 128} { // D22
		if got := (backoff.Exponential{Base: sec, Max: 5 * time.Minute, Jitter: backoff.None}).Delay(n+1, 0, 0); got != 5*time.Minute {
			t.Errorf("exponential attempt %d waits %v; want 5m", n, got)
		}
	}
	huge := backoff.Exponential{Base: ever, Max: ever, Jitter: backoff.None}
	if got := huge.Delay(40, 0, 0); got != ever {
		t.Errorf("%v.Delay(40) = %v; want the longest duration", huge, got)
	}
}

func TestFirstAttemptNumbersBelowOne(t *testing.T) {
	for _, s := range []backoff.Strategy{
		backoff.Exponential{Jitter: backoff.None},
		backoff.Linear{Step: sec, Jitter: backoff.None},
		backoff.Fibonacci{Jitter: backoff.None},
	} {
		for _, n := range []int{0, -1, math.MinInt} {
			if got := s.Delay(n, 0, 0); got != 100*ms {
				t.Errorf("%v.Delay(%d) = %v; want 100ms", s, n, got)
			}
		}
	}
}

// D27 and D31: where each jitter puts the wait.
func TestJitterRanges(t *testing.T) {
	exponential := func(j backoff.Jitter) backoff.Strategy {
		return backoff.Exponential{Base: 500 * ms, Max: 5 * sec, Jitter: j}
	}
	plain := []time.Duration{500 * ms, sec, 2 * sec, 4 * sec, 5 * sec, 5 * sec}
	for _, test := range []struct {
		jitter    backoff.Jitter
		low, high float64 // as a share of the plain wait
	}{
		{backoff.Full, 0, 1},
		{backoff.Equal, 0.5, 1},
		{backoff.None, 1, 1},
		{backoff.Proportional(0.1), 0.9, 1.1},
		{backoff.Proportional(1), 0, 2},
		{backoff.Proportional(7), 0, 2},
		{backoff.Proportional(0), 1, 1},
		{backoff.Proportional(-1), 1, 1},
		{backoff.Proportional(math.NaN()), 1, 1},
		{backoff.Jitter(-7), 0, 1},
		{backoff.Jitter(math.NaN()), 0, 1},
	} {
		t.Run(test.jitter.String(), func(t *testing.T) {
			s := exponential(test.jitter)
			for i, d := range plain {
				low, high := s.Delay(i+1, 0, 0), s.Delay(i+1, 0, 1)
				wantLow := time.Duration(float64(d) * test.low)
				wantHigh := min(time.Duration(float64(d)*test.high), 5*sec)
				if !near(low, wantLow) || !near(high, wantHigh) {
					t.Errorf("failure %d waits from %v to %v; want %v to %v", i+1, low, high, wantLow, wantHigh)
				}
				for _, u := range []float64{0.1, 0.5, 0.9} {
					if got := s.Delay(i+1, 0, u); got < low || got > high {
						t.Errorf("u = %v waits %v, outside %v to %v", u, got, low, high)
					}
				}
			}
		})
	}
}

func near(a, b time.Duration) bool { return (a - b).Abs() <= 2*time.Nanosecond }

func TestOddRandomNumbersMakeItSlower(t *testing.T) {
	for _, u := range []float64{math.NaN(), 1, 2, math.Inf(1)} {
		if got := (backoff.Exponential{}).Delay(1, 0, u); got < 99*ms || got >= 100*ms {
			t.Errorf("u = %v waits %v; want just below 100ms", u, got)
		}
	}
	for _, u := range []float64{-1, math.Inf(-1)} {
		if got := (backoff.Exponential{}).Delay(1, 0, u); got != 0 {
			t.Errorf("u = %v waits %v; want 0", u, got)
		}
	}
}

// Whatever the fields and arguments, a delay is neither negative nor above the maximum.
func FuzzDelay(f *testing.F) {
	f.Add(int64(0), int64(0), int64(0), 0.0, 0.0, 1, int64(0), 0.5)
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), math.Inf(1), 1.0, math.MaxInt, int64(math.MaxInt64), 1.0)
	f.Add(int64(math.MinInt64), int64(math.MinInt64), int64(math.MinInt64), math.NaN(), -1.0, math.MinInt, int64(math.MinInt64), math.NaN())
	f.Fuzz(func(t *testing.T, base, step, most int64, multiplier, jitter float64, n int, last int64, u float64) {
		b, s, m, j := time.Duration(base), time.Duration(step), time.Duration(most), backoff.Jitter(jitter)
		limit := m
		if m <= 0 {
			limit = backoff.DefaultMax
		}
		for _, strategy := range []backoff.Strategy{
			backoff.Exponential{Base: b, Max: m, Multiplier: multiplier, Jitter: j},
			backoff.Linear{Base: b, Step: s, Max: m, Jitter: j},
			backoff.Fibonacci{Base: b, Max: m, Jitter: j},
			backoff.Decorrelated{Base: b, Max: m},
		} {
			if d := strategy.Delay(n, time.Duration(last), u); d < 0 || d > limit {
				t.Errorf("%v.Delay(%d, %d, %v) = %v; want 0 to %v", strategy, n, last, u, d, limit)
			}
		}
		if d := (backoff.Constant{Wait: b, Jitter: j}).Delay(n, time.Duration(last), u); d < 0 {
			t.Errorf("constant %v waits %v", b, d)
		}
	})
}

func BenchmarkDelay(b *testing.B) {
	for _, s := range []struct {
		name string
		s    backoff.Strategy
	}{
		{"exponential", backoff.Exponential{}},
		{"exponential/no jitter", backoff.Exponential{Jitter: backoff.None}},
		{"decorrelated", backoff.Decorrelated{}},
		{"fibonacci", backoff.Fibonacci{}},
	} {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				s.s.Delay(n&7+1, sec, 0.5)
			}
		})
	}
}
