package analytics

import (
	"fmt"
	"time"

	"github.com/relent-go/relent/retry"
)

const (
	maxSeen   = 64
	unseenFor = 24 * 60 * 60 // seconds after which an error is new again
	newWithin = 5 * 60       // seconds in which there have to be
	newCount  = 20           // so many of it
	newAfter  = 60 * 60      // seconds that a policy has to be watched: at first every error is new
)

// sighting is one kind of error, and when it was seen.
type sighting struct {
	key         uint64
	since, last int64  // seconds: of this appearance
	count       uint32 // in its first five minutes
	told        bool
}

// sightings are the kinds of error of a policy that were seen last.
type sightings struct {
	list [maxSeen]sighting
	lost int64 // when one had to give way that was seen within a day; 0: never
}

// see counts an error.
func (l *sightings) see(key uint64, second int64, n uint32) {
	x := &l.list[0]
	for i := range l.list {
		if l.list[i].key == key && l.list[i].count > 0 {
			x = &l.list[i]
			break
		}
		if l.list[i].last < x.last {
			x = &l.list[i]
		}
	}
	recent := x.count > 0 && second-x.last <= unseenFor
	if x.key != key || !recent {
		if recent {
			l.lost = second
		}
		*x = sighting{key: key, since: second}
	}
	if x.last = second; second-x.since <= newWithin {
		x.count = min(x.count+n, 1<<30)
	}
}

// newErrors looks, at the end of a minute, for errors that were not seen before. Those of an outage are evidence of that.
func (e *Engine) newErrors(s *subject, at int64) {
	watched := e.second - s.born
	lost := s.seen.lost > 0 && e.second-s.seen.lost <= unseenFor // what seems new may be what gave way
	quiet := lost || watched < newAfter || e.isOpen(ErrorShift, policy(s)) || s.shift.s > shiftAlarm/2 || s.quick.s > quickAlarm/2
	for i := range s.seen.list {
		x := &s.seen.list[i]
		if x.told || x.count < newCount {
			continue
		}
		x.told = true
		if p := s.prints.of(x.key); p != nil && !quiet {
			e.newError(s, x, p, watched, at)
		}
	}
}

func (e *Engine) newError(s *subject, x *sighting, p *print, watched, at int64) {
	severity := Info
	if p.class == retry.Permanent {
		severity = Ticket
	}
	window := time.Duration(min(watched, unseenFor)) * time.Second
	name, count := p.class.String()+" "+p.code, x.count
	e.raise(alarm{kind: NewError, subject: policy(s), severity: severity, started: x.since * int64(time.Second), at: at,
		evidence: func() Evidence {
			return Evidence{Statistic: "count", Value: float64(count), Threshold: newCount, N: uint64(count), Window: newWithin * time.Second, Fingerprints: []string{name}}
		},
		action: Action{Kind: LookAtErrors},
		text: func() string {
			return fmt.Sprintf("%s fails with %s, which it did not do in the %v before.", s.name, name, window.Round(time.Hour))
		}})
}
