package backoff

import "time"

// Linear waits Base, Base+Step, Base+2*Step, … and never longer than Max.
// With Step 0 the delay is fixed at Base.
type Linear struct {
	Base   time.Duration // after the first failure; not positive means 100 ms
	Step   time.Duration // added by each further failure; negative means 0
	Max    time.Duration // longest wait, jitter included; not positive means 30 s
	Jitter Jitter        // default Full
}

// Delay implements [Strategy].
func (l Linear) Delay(n int, _ time.Duration, u float64) time.Duration {
	base, most := limits(l.Base, l.Max)
	d := base
	if step := max(0, l.Step); step > 0 && n > 1 {
		if steps := time.Duration(n - 1); steps > (most-base)/step {
			d = most
		} else {
			d = base + steps*step
		}
	}
	return l.Jitter.apply(d, most, u)
}
