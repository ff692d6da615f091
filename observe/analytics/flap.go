package analytics

import (
	"fmt"
	"time"
)

const (
	flapOn  = 25
	flapOff = 12
)

// flap remembers the last 21 states of a subject as bits, and when its circuit opened.
type flap struct {
	c      counts
	bad    bool
	states uint32 // a bit for each of the last 20 changes, the newest lowest
	known  int
	opened [4]int64 // seconds, a ring
	opens  int
}

func (f *flap) percent() float64 {
	sum := 0.0
	for i := 1; i <= 20; i++ {
		if f.states>>(20-i)&1 == 1 {
			sum += flapWeight(i)
		}
	}
	return 100 * sum / 20
}

// circuitOpened counts an opening, and says whether it was the fourth within ten minutes.
func (f *flap) circuitOpened(second int64) bool {
	f.opened[f.opens%4] = second
	f.opens++
	return f.opens >= 4 && second-f.opened[f.opens%4] <= 600
}

func (e *Engine) flapping(s *subject, at int64) {
	f := &s.flap
	f.c.add(&s.ten)
	if f.c.calls < 50 {
		return
	}
	bad := f.bad
	switch x := f.c.rate(); {
	case x > 0.3:
		bad = true
	case x < 0.1:
		bad = false
	}
	changed := uint32(0)
	if f.known > 0 && bad != f.bad {
		changed = 1
	}
	f.bad, f.known, f.c = bad, f.known+1, counts{}
	f.states = f.states<<1 | changed
	if pct := f.percent(); pct >= flapOn || pct >= flapOff && e.isOpen(Flapping, policy(s)) {
		e.flaps(s, "weighted_changes", pct, flapOn, at)
	}
}

func (e *Engine) flaps(s *subject, statistic string, value, threshold float64, at int64) {
	e.raise(alarm{kind: Flapping, subject: policy(s), severity: Ticket, started: at, at: at,
		evidence: func() Evidence {
			return Evidence{Statistic: statistic, Value: value, Threshold: threshold, N: uint64(s.flap.known), Window: 210 * time.Second, Samples: s.samples(e.second)}
		},
		action: Action{Kind: LengthenOpen},
		text: func() string {
			return fmt.Sprintf("%s is good and bad in turn: %s is %.3g; %.3g is much.", s.name, statistic, value, threshold)
		}})
}
