package exchange

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A Clock estimates a venue's clock. Each answer that names the venue's time bounds it from both sides; between answers
// the estimate follows the monotonic clock, and its error grows with the drift that is possible. The wall clock of this
// machine plays no part once the first answer is there, and may jump.
//
// The zero value has heard nothing: it shows this machine's time, with [UnheardError]. It is safe for concurrent use.
type Clock struct {
	mu   sync.Mutex
	at   time.Time // when the bounds held, by the monotonic clock; zero: nothing was heard
	low  time.Time // the venue's time was not before
	high time.Time // nor after

	dates atomic.Pointer[dated]
}

// UnheardError is how far a clock may be off, for pacing, that has heard nothing of the venue. It bounds nothing: no
// proof may rest on it.
const UnheardError = 5 * time.Second

// drift is how far a quartz clock may run off in a second: 100 millionths.
const drift = 10_000

// Observe learns the venue's time from an answer. sent and received are this machine's, with their monotonic readings;
// server is what the venue wrote in between, cut off to a multiple of resolution (1 s in a Date header). A time that
// contradicts what was heard before does not replace it: either may be wrong, and the bounds hold both until another answer
// says which. So one answer with a wrong time, such as an error page of a proxy, proves nothing to be over. It says whether
// the answer was used.
func (c *Clock) Observe(sent, received, server time.Time, resolution time.Duration) bool {
	took := received.Sub(sent)
	if server.IsZero() || resolution < 0 || took < 0 || took > maxWait {
		return false
	}
	low, high := server, server.Add(resolution+took)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() && received.Sub(c.at) >= 0 {
		l, h := c.bounds(received)
		if low.After(h) || high.Before(l) {
			low, high = earliest(low, l), latest(high, h)
		} else {
			low, high = latest(low, l), earliest(high, h)
		}
	} else if !c.at.IsZero() {
		return false // an answer that was overtaken
	}
	c.at, c.low, c.high = received, low, high
	return true
}

// ObserveDate learns from the Date header of an answer, if it has one and comes from no cache.
func (c *Clock) ObserveDate(sent, received time.Time, h http.Header) bool {
	if h.Get("Age") != "" {
		return false
	}
	t, ok := c.date(h)
	return ok && c.Observe(sent, received, t, time.Second)
}

// dated is a Date header that was read. Many answers have the same one.
type dated struct {
	text string
	time time.Time
	ok   bool
}

// date reads the Date header of an answer.
func (c *Clock) date(h http.Header) (time.Time, bool) {
	values := h["Date"]
	if len(values) == 0 {
		return time.Time{}, false
	}
	if d := c.dates.Load(); d != nil && d.text == values[0] {
		return d.time, d.ok
	}
	t, err := http.ParseTime(values[0])
	d := &dated{values[0], t, err == nil && inRange(t)}
	c.dates.Store(d)
	return d.time, d.ok
}

// bounds returns the bounds at a later moment. c.mu is held.
func (c *Clock) bounds(at time.Time) (low, high time.Time) {
	since := at.Sub(c.at)
	return c.low.Add(since - since/drift), c.high.Add(since + since/drift)
}

// Now returns the venue's time, and how far it may be off either way. heard is false if the venue's time is not known: then
// it is this machine's.
func (c *Clock) Now() (now time.Time, off time.Duration, heard bool) { return c.At(time.Now()) }

// Venue is Now under the name that the order machine knows, so that a Clock is an order.Clock.
func (c *Clock) Venue() (now time.Time, off time.Duration, heard bool) { return c.Now() }

// At returns the venue's time at a moment of this machine's, which must have its monotonic reading.
func (c *Clock) At(local time.Time) (t time.Time, off time.Duration, heard bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() {
		return local, UnheardError, false
	}
	low, high := c.bounds(local)
	off = high.Sub(low) / 2
	return low.Add(off), off + 1, true
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
