package backoff

import "time"

// Decorrelated waits between Base and three times the previous wait, never longer than Max. Each
// wait depends on the last one instead of the number of failures (Brooker, "Exponential Backoff
// And Jitter", AWS Architecture Blog, 2015). Its chance is its own, so it has no Jitter.
type Decorrelated struct {
	Base time.Duration // shortest wait; not positive means 100 ms
	Max  time.Duration // longest wait; not positive means 30 s
}

// Delay implements [Strategy].
func (d Decorrelated) Delay(_ int, last time.Duration, u float64) time.Duration {
	base, most := limits(d.Base, d.Max)
	last = min(max(last, base), most)
	upper := add(add(last, last, most), last, most)
	return base + scale(upper-base, unit(u), upper-base)
}
