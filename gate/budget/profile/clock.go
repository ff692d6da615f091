package profile

import "time"

// A clock turns the times of attempts into the time since the first one it saw. It never goes
// back: attempts are not settled in the order of their times.
type clock struct {
	origin time.Time
	latest time.Duration
}

// at returns the time t, or the latest one seen if that is later or t is not known.
func (c *clock) at(t time.Time) time.Duration {
	if t.IsZero() {
		return c.latest
	}
	if c.origin.IsZero() {
		c.origin = t
	}
	c.latest = max(c.latest, t.Sub(c.origin))
	return c.latest
}
