package venue

import (
	"net/http"
	"time"
)

// A meter is the state of one Ledger for one address or account.
type meter struct {
	window window
	used   float64 // of a bucket
	at     time.Time
}

type meterKey struct {
	ledger int
	who    string
}

// meters apply the ledgers of a profile. Venue.mu guards them.
type meters struct {
	ledgers []Ledger
	origin  time.Time
	state   map[meterKey]*meter
}

// admit counts a request and refuses it if one of the ledgers is used up. A refused one counts where there was room.
func (m *meters) admit(c *call, now time.Time) *apiError {
	for i, l := range m.ledgers {
		if l.OrdersOnly && (c.method != http.MethodPost || c.route == nil || !c.route.places) {
			continue
		}
		who := hostOf(c.remote)
		if l.PerAccount {
			who = c.key
		}
		k := meterKey{i, clip(who)}
		s := m.state[k]
		if s == nil {
			if len(m.state) >= maxAddresses {
				clear(m.state) // strangers with ever new names; their counts begin anew
			}
			s = &meter{window: window{length: l.Window, origin: m.origin}, at: now}
			m.state[k] = s
		}
		if wait := s.count(l, now); wait > 0 {
			c.decision = "limited"
			return tooMany("requests", l.Limit, "requests by the limit "+l.Name, wait)
		}
	}
	return nil
}

// count takes one from a ledger, or says how long to wait for it.
func (s *meter) count(l Ledger, now time.Time) time.Duration {
	if l.Window > 0 {
		s.window.roll(now)
		if s.window.used >= l.Limit {
			return s.window.left(now)
		}
		s.window.used++
		return 0
	}
	s.used = max(0, s.used-now.Sub(s.at).Seconds()*l.RefillPerSecond)
	s.at = now
	if over := s.used + 1 - float64(l.Limit); over > 0 {
		return time.Duration(over / l.RefillPerSecond * float64(time.Second))
	}
	s.used++
	return 0
}

// remaining tells of the first ledger by window and account, which is what Alpaca's headers are about. Without one
// nothing is used of 200 a minute.
func (m *meters) remaining(key string, now time.Time) (limit, left int, reset time.Time) {
	for i, l := range m.ledgers {
		if !l.PerAccount || l.Window <= 0 || l.OrdersOnly {
			continue
		}
		if s := m.state[meterKey{i, clip(key)}]; s != nil {
			s.window.roll(now)
			return l.Limit, max(0, l.Limit-s.window.used), now.Add(s.window.left(now))
		}
		return l.Limit, l.Limit, now.Add(l.Window)
	}
	return 200, 200, now.Add(time.Minute)
}
