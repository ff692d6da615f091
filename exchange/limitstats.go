package exchange

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// LimitStats are how the limits of a venue stand at one moment.
type LimitStats struct {
	Ledgers []LedgerStats     // by limit, account and what is counted apart
	Waiting int               // requests
	Unread  map[string]uint64 // headers of usage that could not be applied, and how often
}

// LedgerStats are how one count of a limit stands.
type LedgerStats struct {
	Limit     string // its ID
	Account   string // empty for limits by IP
	Apart     string // symbol, endpoint or kind, where they are counted apart
	Used      float64
	Target    float64   // how much may be used: the limit less the margin, and less what refusals took off
	Max       float64   // the limit itself
	Headroom  float64   // what is left of the target, 0 to 1; 0 while it is blocked
	Blocked   time.Time // nothing goes before; zero if it is not blocked
	Throttled uint64    // refusals by the venue
}

// Stats returns how things stand.
func (l *Limits) Stats() LimitStats {
	var s LimitStats
	l.each(func(m moment, key ledgerKey, g *ledger) {
		g.turn(m)
		d := &l.Profile.draws[key.draw]
		e := LedgerStats{
			Limit: d.limit.ID, Account: key.account, Apart: key.apart, Used: g.used(m), Target: g.target(m, l.back(m, g)),
			Max: g.limit, Throttled: g.throttled,
		}
		if g.blocked.After(m.local) {
			e.Blocked = g.blocked
		} else {
			e.Headroom = max(0, 1-e.Used/e.Target)
		}
		s.Ledgers = append(s.Ledgers, e)
	})
	slices.SortFunc(s.Ledgers, func(a, b LedgerStats) int {
		return cmp.Or(cmp.Compare(a.Limit, b.Limit), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Apart, b.Apart))
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Waiting, s.Unread = l.lines.n, maps.Clone(l.unread)
	return s
}

// Headroom returns what is left of each limit, 0 to 1, by its ID: of the count that has the least left.
func (s LimitStats) Headroom() map[string]float64 {
	left := make(map[string]float64)
	for _, l := range s.Ledgers {
		if have, ok := left[l.Limit]; !ok || l.Headroom < have {
			left[l.Limit] = l.Headroom
		}
	}
	return left
}
