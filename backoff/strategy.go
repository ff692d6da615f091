package backoff

import (
	"math"
	"time"
)

// A Strategy says how long to wait before the attempt after the n-th failure: n is 1 after the
// first failed attempt. last is the wait before the attempt that just failed, 0 for the first. u is uniform
// in [0, 1) and is the only source of chance. Same input, same output.
//
// Implementations must be safe for concurrent use. Callers treat a negative result as 0.
type Strategy interface {
	Delay(n int, last time.Duration, u float64) time.Duration
}

// What zero fields mean.
const (
	DefaultBase       = 100 * time.Millisecond
	DefaultMultiplier = 2.0
	DefaultMax        = 30 * time.Second
)

// Default returns the strategy that relent uses where none is named:
// 100 ms doubling to at most 30 s, with full jitter.
func Default() Strategy { return Exponential{} }

// A Func is a custom strategy. A nil Func behaves as [Default]; a negative result counts as 0.
type Func func(n int, last time.Duration, u float64) time.Duration

// Delay calls f.
func (f Func) Delay(n int, last time.Duration, u float64) time.Duration {
	if f == nil {
		return Exponential{}.Delay(n, last, u)
	}
	return max(0, f(n, last, u))
}

// String returns "custom": a function has no text that [Parse] could read back.
func (f Func) String() string { return "custom" }

// limits returns base and max with the defaults in place of what is not positive,
// and base cut to max.
func limits(base, most time.Duration) (time.Duration, time.Duration) {
	if base <= 0 {
		base = DefaultBase
	}
	if most <= 0 {
		most = DefaultMax
	}
	return min(base, most), most
}

// scale returns d*f, cut to [0, most]. It compares as floating point first, because converting a
// float beyond the range of int64 is undefined.
func scale(d time.Duration, f float64, most time.Duration) time.Duration {
	x := float64(d) * f
	switch {
	case x >= float64(most) || math.IsNaN(x): // NaN is 0*Inf: too large rather than too small
		return most
	case x <= 0:
		return 0
	}
	return time.Duration(x)
}

// add returns a+b for a, b >= 0, cut to most.
func add(a, b, most time.Duration) time.Duration {
	if a > most-b {
		return most
	}
	return min(a+b, most)
}
