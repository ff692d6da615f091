package backoff

import "time"

// Exponential waits Base, Base*Multiplier, Base*Multiplier², … and never longer than Max.
// The zero value is the default: 100 ms, doubling, at most 30 s, full jitter.
type Exponential struct {
	Base       time.Duration // after the first failure; not positive means 100 ms
	Max        time.Duration // longest wait, jitter included; not positive means 30 s
	Multiplier float64       // 1 or more; not positive and NaN mean 2, between 0 and 1 means 1
	Jitter     Jitter        // default Full
}

// Delay implements [Strategy].
func (e Exponential) Delay(n int, _ time.Duration, u float64) time.Duration {
	base, most := limits(e.Base, e.Max)
	d := most
	if e.Multiplier == 0 || e.Multiplier == 2 { // the usual case, without floating point
		if k := uint(max(n, 1) - 1); base <= most>>(k&63) && k < 63 {
			d = base << (k & 63)
		}
	} else {
		d = scale(base, power(e.multiplier(), max(n, 1)-1), most)
	}
	if e.Jitter == Full && u >= 0 && u < 1 {
		return time.Duration(u * float64(d))
	}
	return e.Jitter.apply(d, most, u)
}

// largest is a factor that takes any duration, even 1 ns, to more than an int64 of nanoseconds.
const largest = 1e19

func (e Exponential) multiplier() float64 {
	if !(e.Multiplier > 0) { // NaN is not greater than anything
		return DefaultMultiplier
	}
	return min(max(1, e.Multiplier), largest)
}

// power returns m^k for m >= 1 by squaring, which for the exponents of a schedule is several
// times faster than math.Pow. It stops early once the result is beyond any duration.
func power(m float64, k int) float64 {
	r := 1.0
	for ; k > 0; k >>= 1 {
		if k&1 == 1 {
			r *= m
		}
		if m *= m; r >= largest {
			return r
		}
	}
	return r
}
