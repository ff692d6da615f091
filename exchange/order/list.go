package order

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// counts are what happened since the machine was made.
type counts struct {
	resends, probes, guardTrips, reads, stale, foreign, unreadable, refused, parked, breaches, alarms, logErrors atomic.Uint64
}

// Stats are the figures of a machine. The first ones are of now, the others count since it was made.
type Stats struct {
	Open          int       // intents that are not closed
	Unknown       int64     // of unknown outcome, those that are parked not included
	OldestUnknown time.Time // since when the oldest order in doubt has been so, parked ones included; by the venue's clock
	Parked        int64
	Breaches      int64

	GuardTrips uint64 // resends that were not made, because a check, a rule or the number of attempts forbade it
	Resends    uint64 // after proof of absence
	Probes     uint64 // sent in doubt, because the venue dedupes for ever
	Reads      uint64 // to settle a fate
	Stale      uint64 // reports that said less than was known
	Foreign    uint64 // reports on orders that are not ours
	Unreadable uint64 // reports that could not be read
	Refused    uint64 // requests that belonged to no attempt
	EverParked uint64
	Alarms     uint64
	LogErrors  uint64
}

// Orders lists, by id, what is known of the intents that are not closed; with closed ones that are still remembered if all.
func (m *Machine) Orders(all bool) []Order {
	m.init()
	m.mu.Lock()
	list := make([]Order, 0, len(m.byID))
	for _, l := range m.byID {
		if o := l.order(); all || !o.Closed {
			list = append(list, *o)
		}
	}
	m.mu.Unlock()
	slices.SortFunc(list, func(a, b Order) int { return strings.Compare(a.Intent.ID, b.Intent.ID) })
	return list
}

// Stats returns the figures.
func (m *Machine) Stats() Stats {
	c := &m.counts
	s := Stats{
		GuardTrips: c.guardTrips.Load(), Resends: c.resends.Load(), Probes: c.probes.Load(), Reads: c.reads.Load(),
		Stale: c.stale.Load(), Foreign: c.foreign.Load(), Unreadable: c.unreadable.Load(), Refused: c.refused.Load(),
		EverParked: c.parked.Load(), Alarms: c.alarms.Load(), LogErrors: c.logErrors.Load(),
	}
	for _, o := range m.Orders(false) {
		s.Open++
		switch o.State {
		case Unknown, Verifying:
			s.Unknown++
		case Parked:
			s.Parked++
		case Breach:
			s.Breaches++
		}
		if d := o.Doubted; !d.IsZero() && (s.OldestUnknown.IsZero() || d.Before(s.OldestUnknown)) {
			s.OldestUnknown = d
		}
	}
	return s
}
