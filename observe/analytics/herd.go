package analytics

import (
	"fmt"
	"time"
)

const (
	herdSlot    = int64(100 * time.Millisecond)
	herdSlots   = 64 // of the ring
	herdWatch   = 50 // slots after a recovery
	herdLeast   = 20 // attempts in a slot
	herdRelapse = 30 // seconds
)

// herd counts attempts by tenths of a second, and watches those that follow a recovery.
type herd struct {
	slots  [herdSlots]uint32
	newest int64   // slot
	out    bool    // something is wrong, or was until from
	bad    bool    // most calls of the last second failed
	usual  float64 // attempts in a slot before
	most   float64 // in the fullest slot of a second when nothing was wrong; fades within a minute or two
	from   int64   // the slot of the recovery that is watched; 0: none
	told   int64   // second of the last finding
	last   alarm   // that finding
}

// count adds n attempts that began in the time before at.
func (h *herd) count(at int64, over time.Duration, n uint32) {
	k := min(max(1, int64(over)/herdSlot), herdSlots)
	slot := at / herdSlot
	for i := range k {
		h.add(slot-i, uint32(int64(n)*(i+1)/k-int64(n)*i/k))
	}
}

func (h *herd) add(slot int64, n uint32) {
	for ; h.newest < slot; h.newest++ {
		if slot-h.newest > herdSlots {
			h.newest = slot - herdSlots
		}
		h.slots[mod(h.newest+1, herdSlots)] = 0
	}
	if slot > h.newest-herdSlots {
		h.slots[mod(slot, herdSlots)] += n
	}
}

// fullest returns the attempts of the fullest slot between two, and of all of them.
func (h *herd) fullest(from, to int64) (most, sum uint32) {
	for slot := max(from, h.newest-herdSlots+1); slot <= min(h.newest, to); slot++ {
		n := h.slots[mod(slot, herdSlots)]
		most, sum = max(most, n), sum+n
	}
	return most, sum
}

// outage notes that something began to be wrong, and what was usual in the minute before.
func (s *subject) outage(second int64) {
	if s.herd.out {
		return
	}
	s.herd.out, s.herd.from = true, 0
	attempts := 0.0
	for i := int64(1); i <= 60; i++ {
		attempts += float64(s.sec[mod(second-i, secs)].attempts)
	}
	s.herd.usual = attempts / 600
}

// recovers notes that it may be over.
func (s *subject) recovers(at int64) {
	if s.herd.out {
		s.herd.from = at / herdSlot
	}
}

// herding looks, at the end of a second, for a crowd after a recovery.
func (e *Engine) herding(s *subject, at int64) {
	h := &s.herd
	if s.now.calls > 0 {
		bad := s.now.rate() >= 0.5
		if h.bad && !bad && h.from == 0 {
			s.recovers(at - int64(time.Second))
		}
		h.bad = bad
	}
	if !h.out {
		most, _ := h.fullest(h.newest-19, h.newest)
		h.most = max(h.most*0.98, float64(most))
	}
	if h.from == 0 {
		return
	}
	most, sum := h.fullest(h.from, h.from+herdWatch-1)
	if at/herdSlot >= h.from+herdWatch {
		h.out, h.from = false, 0
	}
	p := herdWatch * poissonTail(1.5*max(h.usual, 0.1), int(most))
	least := max(herdLeast, 3*h.usual, 2*h.most) // where calls come in batches anyway, a batch is no crowd
	if float64(most) < least || p >= 1e-6 {
		return
	}
	usual := h.usual
	h.told, h.last = at/int64(time.Second), alarm{kind: Herd, subject: policy(s), severity: Ticket, started: at - int64(5*time.Second), at: at,
		evidence: func() Evidence {
			return Evidence{Statistic: "poisson_burst", Value: float64(most), Threshold: least, P: p, Effect: float64(most) / max(usual, 0.1),
				N: uint64(sum), Window: 5 * time.Second, Baseline: usual}
		},
		action: Action{Kind: AddJitter},
		text: func() string {
			return fmt.Sprintf("%d attempts of %s came within 100 ms of a recovery; %.3g are usual.", most, s.name, usual)
		}}
	e.raise(h.last)
}

// relapse pages if the crowd of a recovery brought the circuit down again.
func (e *Engine) relapse(s *subject, at int64) {
	h := &s.herd
	if h.told > 0 && e.second-h.told <= herdRelapse {
		h.last.severity, h.last.at = Page, at
		e.raise(h.last)
		h.told = 0
	}
}
