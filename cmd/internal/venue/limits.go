package venue

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// A window counts within fixed pieces of time that begin at origin.
type window struct {
	length time.Duration
	origin time.Time
	start  time.Time
	used   int
}

// roll begins a new piece if the present one is over.
func (w *window) roll(now time.Time) {
	start := w.origin.Add(now.Sub(w.origin) / w.length * w.length)
	if !start.Equal(w.start) {
		w.start, w.used = start, 0
	}
}

// left is the time until the piece ends.
func (w *window) left(now time.Time) time.Duration { return w.start.Add(w.length).Sub(now) }

var orderWindows = [2]struct {
	length       time.Duration
	text         string
	interval     string
	num          int
	usageHeaders string
}{
	{10 * time.Second, "10 SECOND", "SECOND", 10, "X-Mbx-Order-Count-10s"},
	{24 * time.Hour, "1 DAY", "DAY", 1, "X-Mbx-Order-Count-1d"},
}

// maxAddresses bounds the memory of limits; the venue is for a handful of clients on loopback.
const maxAddresses = 4096

// limits are the counters of the addresses. Venue.mu guards them.
type limits struct {
	cfg       Limits
	origin    time.Time
	addresses map[string]*address
	ledger    *ledger
	meters    meters
}

// An address is what the venue knows of one client IP.
type address struct {
	weight, requests, refusals, connects window
	bans                                 int
	ban                                  time.Duration // length of the present or latest one
	until                                time.Time
	inside                               int // requests made inside the present ban
}

func newLimits(cfg Limits, ledgers []Ledger, ledger *ledger, now time.Time) *limits {
	return &limits{
		cfg: cfg, origin: now, addresses: map[string]*address{}, ledger: ledger,
		meters: meters{ledgers: ledgers, origin: now, state: map[meterKey]*meter{}},
	}
}

// hostOf is an address without its port.
func hostOf(remote string) string {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		return host
	}
	return remote
}

func (l *limits) address(remote string, now time.Time) *address {
	host := hostOf(remote)
	a := l.addresses[host]
	if a == nil {
		if len(l.addresses) >= maxAddresses {
			for h, old := range l.addresses {
				if now.After(old.until) && old.requests.left(now) < 0 {
					delete(l.addresses, h)
				}
			}
		}
		a = &address{
			weight:   window{length: time.Minute, origin: l.origin},
			requests: window{length: 5 * time.Minute, origin: l.origin},
			refusals: window{length: time.Minute, origin: l.origin},
			connects: window{length: 5 * time.Minute, origin: l.origin},
		}
		l.addresses[host] = a
	}
	return a
}

// admit counts a request and refuses it inside a ban or beyond a limit. Refused requests count as well.
func (l *limits) admit(c *call, cost int, now time.Time) *apiError {
	a := l.address(c.remote, now)
	if err := l.inside(c, a, now); err != nil {
		return err
	}
	a.weight.roll(now)
	a.requests.roll(now)
	a.refusals.roll(now)
	a.weight.used += cost
	a.requests.used++
	c.weight = a.weight.used
	l.ledger.weight(c, a.weight.used, l.cfg.WeightPerMinute)

	var err *apiError
	switch {
	case l.cfg.WeightPerMinute != Unlimited && a.weight.used > l.cfg.WeightPerMinute:
		err = tooMany("request weight used", l.cfg.WeightPerMinute, "request weight per 1 MINUTE", a.weight.left(now))
	case l.cfg.RequestsPer5Min != Unlimited && a.requests.used > l.cfg.RequestsPer5Min:
		err = tooMany("requests", l.cfg.RequestsPer5Min, "requests per 5 MINUTE", a.requests.left(now))
	default:
		if err = l.meters.admit(c, now); err == nil {
			return nil
		}
	}
	c.decision = "limited"
	a.refusals.used++
	if l.cfg.RefusalsUntilBan != Unlimited && a.refusals.used > l.cfg.RefusalsUntilBan {
		// Bans grow with each repetition (Binance spot REST docs, "IP Limits": 2 minutes to 3 days).
		a.bans++
		length := l.cfg.FirstBan
		for range min(a.bans-1, 40) {
			length = min(2*length, l.cfg.MaxBan)
		}
		a.refusals.used, a.inside = 0, 0
		l.banFor(a, length, now)
		c.decision = "banned"
		return banned(a.until, now)
	}
	return err
}

// inside refuses a request inside a ban, and lengthens the ban by each tenth of them.
func (l *limits) inside(c *call, a *address, now time.Time) *apiError {
	if !now.Before(a.until) {
		return nil
	}
	a.inside++
	if a.inside%10 == 0 {
		l.banFor(a, 2*a.ban, now)
	}
	c.decision = "banned"
	l.ledger.insideBan(c, a.until)
	return banned(a.until, now)
}

// connect counts a standing connection that is asked for, and refuses it inside a ban or beyond the limit.
func (l *limits) connect(c *call, cost int, now time.Time) *apiError {
	a := l.address(c.remote, now)
	if err := l.inside(c, a, now); err != nil {
		return err
	}
	a.connects.roll(now)
	a.connects.used++
	l.ledger.connected(c, a.connects.used, l.cfg.ConnectsPer5Min)
	if l.cfg.ConnectsPer5Min != Unlimited && a.connects.used > l.cfg.ConnectsPer5Min {
		c.decision = "limited"
		return tooMany("connections", l.cfg.ConnectsPer5Min, "connections per 5 MINUTE", a.connects.left(now))
	}
	if c.path == "/ws-api/v3" {
		return l.admit(c, cost, now)
	}
	return nil
}

// ban bans an address because a fault says so.
func (l *limits) ban(c *call, length time.Duration, now time.Time) *apiError {
	a := l.address(c.remote, now)
	a.bans++
	a.inside = 0
	if length <= 0 {
		length = l.cfg.FirstBan
	}
	l.banFor(a, length, now)
	c.decision = "banned"
	return banned(a.until, now)
}

func (l *limits) banFor(a *address, length time.Duration, now time.Time) {
	a.ban = min(length, l.cfg.MaxBan)
	a.until = now.Add(a.ban)
}

func tooMany(what string, limit int, per string, wait time.Duration) *apiError {
	return &apiError{
		status: http.StatusTooManyRequests, code: -1003, retryAfter: wait,
		msg: fmt.Sprintf("Too much %s; current limit is %d %s. Please use WebSocket Streams for live updates to avoid polling the API.", what, limit, per),
	}
}

func banned(until, now time.Time) *apiError {
	return &apiError{
		status: http.StatusTeapot, code: -1003, retryAfter: until.Sub(now),
		msg: fmt.Sprintf("Way too much request weight used; IP banned until %d. Please use WebSocket Streams for live updates to avoid bans.", until.UnixMilli()),
	}
}
