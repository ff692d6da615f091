package breaker

import "time"

// A Snapshot is what a breaker knows, for dashboards and audits. It is as of the last attempt seen.
type Snapshot struct {
	Key        string    `json:"key"`
	State      State     `json:"state"` // of this breaker; see [Breaker.State] for what those above make of it
	Since      time.Time `json:"since"` // the last change; the zero time if there was none
	Until      time.Time `json:"until"` // the end of Open, Isolated or ForcedClosed; else the zero time
	Generation uint64    `json:"generation"`
	CUSUM      float64   `json:"cusum"`
	Lagging    bool      `json:"lagging"`
	Counts     Counts    `json:"counts"`
	Probes     int       `json:"probes"`  // under way
	Permits    int       `json:"permits"` // how many may be, in HalfOpen
	Order      Order     `json:"order"`   // in Isolated and ForcedClosed
}

// Snapshot returns what b knows.
func (b *Breaker) Snapshot() Snapshot {
	h := &b.health
	h.mu.Lock()
	defer h.mu.Unlock()
	s := Snapshot{Key: b.Name, State: b.own(), Generation: b.generation, CUSUM: h.CUSUM(), Lagging: h.Lagging(), Order: b.order}
	if h.load() == 0 {
		return s
	}
	s.Counts = h.totals(h.seen())
	if b.generation > 0 {
		s.Since = h.epoch.Add(time.Duration(b.since))
	}
	switch s.State {
	case Open, Isolated, ForcedClosed:
		s.Until = h.epoch.Add(time.Duration(b.until))
	case HalfOpen:
		s.Probes, s.Permits = len(b.probes.leases), b.probes.limit
	}
	return s
}
