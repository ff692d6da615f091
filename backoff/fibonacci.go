package backoff

import "time"

// Fibonacci waits Base times 1, 1, 2, 3, 5, 8, … and never longer than Max. It grows by about
// 1.6 a step, more gently than doubling.
type Fibonacci struct {
	Base   time.Duration // after the first failure; not positive means 100 ms
	Max    time.Duration // longest wait, jitter included; not positive means 30 s
	Jitter Jitter        // default Full
}

// Delay implements [Strategy].
func (f Fibonacci) Delay(n int, _ time.Duration, u float64) time.Duration {
	base, most := limits(f.Base, f.Max)
	previous, d := time.Duration(0), base
	for i := 1; i < n && d < most; i++ {
		previous, d = d, add(d, previous, most)
	}
	return f.Jitter.apply(d, most, u)
}
