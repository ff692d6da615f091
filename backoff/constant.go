package backoff

import "time"

// Constant waits the same time after each failure. The zero value does not wait at all, which is
// right only for conflicts that are over at once: package retry still pauses 1 ms where the
// failed attempt may have reached the other side.
type Constant struct {
	Wait   time.Duration // negative means 0
	Jitter Jitter        // default Full: the wait is uniform in [0, Wait)
}

// Delay implements [Strategy].
func (c Constant) Delay(_ int, _ time.Duration, u float64) time.Duration {
	d := max(0, c.Wait)
	// Only proportional jitter can pass Wait, by as much again at the most.
	return c.Jitter.apply(d, add(d, d, 1<<63-1), u)
}
