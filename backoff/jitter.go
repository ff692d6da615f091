package backoff

import (
	"math"
	"time"
)

// A Jitter spreads the waits of many callers, so that they do not come back together.
// The zero value is [Full]. A value from none of the names below is read as Full.
type Jitter float64 // above 0: the fraction of a proportional jitter

// The jitters without a parameter. For the one with, see [Proportional].
const (
	Full  Jitter = 0  // uniform in [0, d): the fewest calls under contention
	Equal Jitter = -1 // uniform in [d/2, d): never comes back at once
	None  Jitter = -2 // exactly d: only for a single caller, and for tests
)

// Proportional is uniform in [d*(1-f), d*(1+f)), and never above the strategy's maximum.
// f is cut to 1; 0, negative and NaN mean [None].
func Proportional(f float64) Jitter {
	if !(f > 0) {
		return None
	}
	return Jitter(min(f, 1))
}

// apply spreads d, at least 0, within [0, most].
func (j Jitter) apply(d, most time.Duration, u float64) time.Duration {
	if j == None {
		return d
	}
	u = unit(u)
	switch {
	case j == Equal:
		return d/2 + scale(d-d/2, u, d-d/2)
	case j > 0:
		f := min(float64(j), 1)
		return scale(d, 1-f+2*f*u, most)
	default:
		return scale(d, u, d)
	}
}

// unit cuts u to [0, 1). NaN becomes the largest value, because an odd random source should make
// callers slower, not faster.
func unit(u float64) float64 {
	const largest = 1 - 0x1p-53
	if math.IsNaN(u) || u > largest {
		return largest
	}
	return max(0, u)
}
