package profile

import (
	"sync"

	"github.com/relent-go/relent/retry"
)

// A concurrency counts what runs now, for the profiles of Envoy and failsafe-go.
type concurrency struct {
	mu      sync.Mutex
	active  int // attempts; guarded by mu
	retries int // that wait or run; guarded by mu
}

// What an attempt holds of a concurrency, as kept in its Note.
const (
	holdsActive = 1 << iota
	holdsRetry
)

// take counts what is to be held for an attempt. The caller holds mu.
func (c *concurrency) take(a *retry.Attempt, what uint64) {
	if what&holdsActive != 0 {
		c.active++
	}
	if what&holdsRetry != 0 {
		c.retries++
	}
	a.Keep(a.Kept() | what)
}

// free gives back all that is held for an attempt: once, if it has a Note. Without one, it is told
// from the attempt itself; active says that it then counts as such.
func (c *concurrency) free(a *retry.Attempt, active bool) {
	held := a.Kept()
	a.Keep(0)
	if a.Note == nil {
		if active {
			held |= holdsActive
		}
		if a.Number > 1 {
			held |= holdsRetry
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if held&holdsActive != 0 {
		c.active = max(0, c.active-1)
	}
	if held&holdsRetry != 0 {
		c.retries = max(0, c.retries-1)
	}
}

// inFlight returns both counts.
func (c *concurrency) inFlight() (active, retries int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.active, c.retries
}
