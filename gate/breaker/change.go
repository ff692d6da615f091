package breaker

import "time"

// A Cause says why a breaker changed its state.
type Cause string

// The causes.
const (
	ByCUSUM       Cause = "cusum"             // close failures: to Suspect and Throttling
	ByStreak      Cause = "failures in a row" // few samples: to Throttling
	ByOpenTest    Cause = "open test"         // CUSUM, samples and lower bound: to Open
	ByFailureRate Cause = "failure rate"      // Classic: to Open
	BySlowRate    Cause = "slow rate"         // Classic: to Open
	ByLatency     Cause = "latency"           // to Suspect
	ByQuorum      Cause = "other processes"   // to Throttling or Open
	ByCalm        Cause = "calm"              // to Closed
	ByTime        Cause = "open time over"    // to HalfOpen
	ByProbe       Cause = "probe failed"      // to Open
	ByLease       Cause = "probe hung"        // its lease expired: to Open
	ByRamp        Cause = "probes succeeded"  // to Closed
	ByPerson      Cause = "set by a person"   // to Isolated and ForcedClosed
	ByExpiry      Cause = "override expired"  // to HalfOpen
	ByRelease     Cause = "override released" // to HalfOpen
)

// A Change is one transition of a breaker, with the evidence that caused it.
type Change struct {
	Key        string        `json:"key"`
	From       State         `json:"from"`
	To         State         `json:"to"`
	At         time.Time     `json:"at"`
	Generation uint64        `json:"generation"` // 1 for a breaker's first change, then one more for each
	Cause      Cause         `json:"cause"`
	Counts     Counts        `json:"counts"`            // of the window
	LowerBound float64       `json:"lower_bound"`       // of the failure rate
	CUSUM      float64       `json:"cusum"`             //
	Lagging    bool          `json:"lagging"`           // latency has risen
	Wait       time.Duration `json:"wait_ns,omitempty"` // how long Open, or an override, lasts
	Who        string        `json:"who,omitempty"`     // set an override
	Why        string        `json:"why,omitempty"`     // they did
}

// change goes to another state at ns. The lock is held.
func (b *Breaker) change(to State, cause Cause, ns int64) {
	h := &b.health
	w := h.load()
	from := w.state()
	if b.generation == 0 {
		from = Closed
	}
	n := h.totals(ns)
	b.generation++
	c := Change{
		Key: b.Name, From: from, To: to, At: h.epoch.Add(time.Duration(ns)), Generation: b.generation, Cause: cause,
		Counts: n, LowerBound: n.LowerBound(), CUSUM: h.CUSUM(), Lagging: h.Lagging(),
		Who: b.order.Who, Why: b.order.Why,
	}
	if to == Open || to == Isolated || to == ForcedClosed {
		c.Wait = time.Duration(b.until - ns)
	}
	b.since = ns
	b.calmFrom, b.lastFailure, b.wins = ns, ns, 0
	if !soft(from) || !soft(to) {
		b.floorAt = ns
		b.probes.clear()
	}
	if to == Closed {
		h.streak.Store(0)
		h.latency.calm()
		h.lagging.Store(false)
		if from == HalfOpen {
			b.rounds = 0
			h.clear(ns)
		}
	}
	for {
		w = h.load()
		n := w.next().with(to)
		if from == HalfOpen || to == Closed {
			n = n.scored(0)
		}
		if !soft(from) || !soft(to) {
			b.floor = n.generation()
		}
		if h.word.CompareAndSwap(uint64(w), uint64(n)) {
			break
		}
	}
	if b.OnChange != nil && len(b.pending) < mostPending {
		b.pending = append(b.pending, c)
	}
}

// mostPending is how many changes may wait for a listener that takes its time.
const mostPending = 256

// soft states differ in what they let through, but an attempt admitted in one is evidence in the others.
func soft(s State) bool { return s == Closed || s == Suspect || s == Throttling }
