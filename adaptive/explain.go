package adaptive

import (
	"fmt"
	"math"
	"time"
)

// A By says what stands behind an explanation.
type By uint8

// The ways. Only [Model] is advice that counts; in the other cases the configured policy serves in every mode.
const (
	Configured By = iota // the terms have a mistake
	Cold                 // too little is known, or too little of it is recent
	Fallback             // the forecasts came true less often than the base rate's
	Guard                // stops were found to do harm
	Control              // this call is left as configured, for comparison
	Model
)

// String returns the name in lower case.
func (b By) String() string {
	switch b {
	case Cold:
		return "cold"
	case Fallback:
		return "fallback"
	case Guard:
		return "guard"
	case Control:
		return "control"
	case Model:
		return "model"
	}
	return "configured"
}

// said is the last advice as a model keeps it.
type said struct {
	advice
	elapsed    float64
	configured time.Duration
	kind       Kind
	group      group
	by         By
	asked      bool
}

// An Explanation is the last advice about an operation, and how good advice about it was.
type Explanation struct {
	Operation  string
	Mode       Mode
	Kind       Kind          // of the failure
	By         By            // whether the advice counts
	Delay      time.Duration // advised, before jitter
	Configured time.Duration // as the policy said
	Stop       bool          // advised to give up
	P          float64       // chance that the retry succeeds, 0 to 1
	PDown      float64       // that the operation is down
	PBack      float64       // that it is up again after Delay
	DownFor    time.Duration // 0 outside an outage
	Outages    int           // seen
	Price      float64       // of a success; +Inf if none can be had
	Net        float64       // value of going on; -Inf if there is no time

	Results     uint64            // seen
	Retries     uint64            // among them
	Scored      uint64            // forecasts
	Brier       float64           // of the forecasts, recently: 0 is perfect
	BaseBrier   float64           // of the base rate
	Calibration float64           // expected calibration error since the last change of mode, 0 to 1
	Proven      bool              // since the last change of mode at least 500 forecasts over a day, 10 % better than the base rate, calibrated to 0.1
	Promoted    bool              // to Active by a [Promotion]
	Stopped     uint64            // calls ended because a retry did not pay
	Against     uint64            // retries made although the advice was to stop: in Shadow, of the control arm, or while the guard is on
	Earned      float64           // by those, in successes less their cost: above 0, stops do harm
	GuardTrips  int               // how often stops were found to do harm
	Waiting     int               // retries that wait now, of calls that the model leads
	Open        float64           // share of retries that may go while failures follow our own load
	Decisions   [Model + 1]uint64 // retries by what stood behind them
	Odd         uint64            // times that could not be, and were ignored
}

// String says it in one line.
func (e Explanation) String() string {
	s := fmt.Sprintf("%s %v: down %.0f %%", e.Operation, e.Kind, 100*e.PDown)
	if e.DownFor > 0 {
		s += fmt.Sprintf(" for %v", short(e.DownFor))
	}
	s += fmt.Sprintf(" (%d outages seen)", e.Outages)
	if e.Stop {
		s += fmt.Sprintf("; stop, worth %.2f", e.Net)
	} else {
		s += fmt.Sprintf("; back within %v: %.0f %%; wait %v at price %.2f", short(e.Delay), 100*e.PBack, short(e.Delay), e.Price)
	}
	if e.Waiting > 0 {
		s += fmt.Sprintf("; %d wait", e.Waiting)
	}
	return s + fmt.Sprintf("; configured %v; by %v", short(e.Configured), e.By)
}

func short(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}

// Explain returns what was last advised about an operation. It says no if nothing was ever asked.
func (l *Learner) Explain(operation string) (Explanation, bool) {
	m := l.known(operation)
	if m == nil {
		return Explanation{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s, c := &m.said, &m.score
	return Explanation{
		Operation: m.name, Mode: Mode(m.mode.Load()), Kind: s.kind, By: s.by,
		Delay: duration(s.delay), Configured: s.configured, Stop: s.stop,
		P: s.success, PDown: s.down, PBack: s.back, DownFor: duration(s.elapsed), Outages: int(m.belief[s.group].seen),
		Price: s.price, Net: s.net,
		Results: m.results, Retries: m.retries, Scored: uint64(c.n), Brier: c.model, BaseBrier: c.base,
		Calibration: c.calibration(), Proven: c.proven(), Promoted: m.promoted, Stopped: m.guard.stopped, Against: m.guard.observed, Earned: m.guard.earned, GuardTrips: int(m.guard.trips), Odd: m.odd,
		Waiting: m.waiters[available] + m.waiters[throttle], Open: m.pressure.open, Decisions: m.decisions,
	}, s.asked
}

func duration(seconds float64) time.Duration {
	return time.Duration(math.Round(seconds * float64(time.Second)))
}
