package adaptive

import (
	"math"
	"time"
)

// Learned is what a learner knows of one operation, for a simulator that rehearses it. The slices are copies.
type Learned struct {
	Operation   string
	Rate        float64       // calls per second, recently
	Up          float64       // share of first attempts that succeed while the operation is up, 0.4 to 1
	Gap         time.Duration // mean time from the end of an outage to the next one
	Throttling  float64       // share of the outages that are throttling, 0 to 1
	Kind        Kind          // the most frequent one of failures that are no throttling
	Pays        float64       // share of first retries after it that succeed while the operation is up
	AttemptCost float64       // of the last decision; 0 if none was asked for
	DelayCost   float64       // likewise, per second
	Snapshot    []byte        // for [Learner.Load]

	hazard        [groups]hazard
	pays, doesNot float64 // the guard's bets
}

// Lasts returns how long an outage is, in seconds, that outlasts the given share of all; throttling says of which group.
func (l *Learned) Lasts(share float64, throttling bool) float64 {
	h := &l.hazard[available]
	if throttling {
		h = &l.hazard[throttle]
	}
	want := -math.Log1p(-min(1, max(0, share)))
	low := 0.
	for i := range bins {
		high := firstEdge * math.Exp2(float64(i))
		if h.sum[i+1] >= want {
			return low + (want-h.sum[i])/(h.sum[i+1]-h.sum[i])*(high-low)
		}
		low = high
	}
	return low
}

// Learned returns what is known of an operation at a moment. It says no if nothing is.
func (l *Learner) Learned(operation string, at time.Time) (Learned, bool) {
	m := l.known(operation)
	if m == nil {
		return Learned{}, false
	}
	return m.learned(at), true
}

// Adopt begins with what another learner knows of an operation: its snapshot, whose error it returns, and what it found of its stops, which no snapshot holds.
func (l *Learner) Adopt(x Learned, at time.Time) error {
	if err := l.Load(x.Snapshot, at, x.Operation); err != nil {
		return err
	}
	m := l.model(x.Operation)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.guard.pays, m.guard.doesNot = max(leastWealth, x.pays), max(leastWealth, x.doesNot)
	return nil
}

func (m *model) learned(at time.Time) Learned {
	m.mu.Lock()
	defer m.mu.Unlock()
	x := Learned{
		Operation: m.name, Rate: m.rate(), Up: m.up, Gap: duration(1 / m.onset()), AttemptCost: m.attemptCost, DelayCost: m.delayCost,
		Snapshot: m.snapshot(nil, at), hazard: m.hazard, pays: m.guard.pays, doesNot: m.guard.doesNot,
	}
	known := [groups]float64{}
	for g := range known {
		known[g] = float64(m.hazard[g].risk[0]) - priorRisk
	}
	if all := known[available] + known[throttle]; all > 0 {
		x.Throttling = known[throttle] / all
	}
	most := float32(0)
	for k := range m.item {
		if it := &m.item[k][0]; Kind(k) != Throttled && m.seen(Kind(k)) > most {
			x.Kind, x.Pays, most = Kind(k), it.q(), m.seen(Kind(k))
		}
	}
	return x
}

// seen is how much is known of the first retries after a kind of failure.
func (m *model) seen(k Kind) float32 { return m.item[k][0].good + m.item[k][0].bad }
