package profile

import (
	"time"

	"github.com/relent-go/relent/gate/breaker"
)

// Hystrix is Netflix Hystrix's circuit breaker. Fields that are not positive mean defaults.
type Hystrix struct {
	Requests     int           // least in the window; default 20
	ErrorPercent int           // at least; default 50
	Window       time.Duration // default 10 s, in 10 buckets
	Snapshot     time.Duration // how long one look at the window serves; default 500 ms
	Sleep        time.Duration // default 5 s
}

// New returns a breaker with a name for its refusals.
func (h Hystrix) New(name string) *Breaker {
	return open(name, limits{open: or(h.Sleep, 5*time.Second), strict: true, permits: 1}, &hystrix{
		requests: int64(or(h.Requests, 20)),
		percent:  int64(or(h.ErrorPercent, 50)),
		every:    int64(or(h.Snapshot, 500*time.Millisecond)),
		window:   newSpan(or(h.Window, 10*time.Second)),
	})
}

type hystrix struct {
	requests, percent, every int64
	window                   *span
	next                     int64 // when the window is looked at again
}

func (h *hystrix) clear(now int64) { h.window.clear(); h.next = now }

func (h *hystrix) look(now int64) (trip breaker.Cause, fresh bool) {
	if now < h.next {
		return "", false
	}
	h.next = now + h.every
	c := h.window.sum(now)
	return because(breaker.ByFailureRate, c.Calls >= h.requests && atLeast(c.Failed, c.Calls, h.percent)), false
}

func (h *hystrix) record(now int64, e evidence) breaker.Cause {
	h.window.add(now, e)
	trip, _ := h.look(now)
	return trip
}

func (h *hystrix) counts(now int64) (Counts, bool) {
	c := h.window.sum(now)
	return c, c.Calls >= h.requests
}

func (h *hystrix) judge(probes Counts) verdict { return one(probes) }
