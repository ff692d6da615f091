package sim

import (
	"math"
	"slices"
	"time"

	"github.com/relent-go/relent/adaptive"
)

// Marks are what became of a [Trial].
type Marks struct {
	Calls    int     `json:"calls"`
	Utility  float64 `json:"utility"`  // of a call: 1 if it succeeds, less its attempts and the time until its end
	Success  float64 `json:"success"`  // share of calls
	Wasted   float64 `json:"wasted"`   // retries that failed, per 100 calls
	Attempts float64 `json:"attempts"` // per call
	Mean     float64 `json:"mean_s"`   // time to the success of calls whose first attempt failed
	P99      float64 `json:"p99_s"`    // likewise, of the slowest 1 %

	Scored    uint64             `json:"scored,omitempty"` // forecasts of a learner
	Brier     float64            `json:"brier,omitempty"`  // of the last of them
	Base      float64            `json:"base,omitempty"`   // of the base rate
	Off       float64            `json:"ece,omitempty"`    // expected calibration error
	Trips     int                `json:"guard_trips,omitempty"`
	Decisions map[string]float64 `json:"decisions,omitempty"` // share of them by what stood behind them
}

// tallies count while a trial is played.
type tallies struct {
	errands  []Errand
	cost     float64
	calls    int
	good     int
	attempts int
	wasted   int
	utility  float64
	late     []float64 // successes whose first attempt failed
}

func (s *tallies) begin(errands []Errand, cost float64) { s.errands, s.cost = errands, cost }

// failed counts an attempt.
func (s *tallies) failed(k *task) {
	if k.attempts > 1 {
		s.wasted++
	}
}

// ended counts a call.
func (s *tallies) ended(k *task, now time.Duration) {
	elapsed := (now - k.started).Seconds()
	s.calls++
	s.attempts += k.attempts
	s.utility -= s.cost*float64(k.attempts) + s.errands[k.op].DelayCost*elapsed
	if k.reason == nil {
		s.good++
		s.utility++
		if k.attempts > 1 {
			s.late = append(s.late, elapsed)
		}
	}
}

func (s *tallies) marks(l *adaptive.Learner) Marks {
	n := float64(max(1, s.calls))
	m := Marks{
		Calls: s.calls, Utility: s.utility / n, Success: float64(s.good) / n, Wasted: 100 * float64(s.wasted) / n,
		Attempts: float64(s.attempts) / n,
	}
	if slices.Sort(s.late); len(s.late) > 0 {
		for _, t := range s.late {
			m.Mean += t / float64(len(s.late))
		}
		m.P99 = s.late[int(math.Ceil(.99*float64(len(s.late))))-1]
	}
	if l != nil {
		m.learned(l)
	}
	return m
}

// learned adds what a learner says of itself.
func (m *Marks) learned(l *adaptive.Learner) {
	var served [adaptive.Model + 1]uint64
	total := uint64(0)
	for _, name := range l.Operations() {
		e, _ := l.Explain(name)
		w := float64(e.Scored)
		m.Scored += e.Scored
		m.Brier, m.Base, m.Off = m.Brier+w*e.Brier, m.Base+w*e.BaseBrier, m.Off+w*e.Calibration
		m.Trips += e.GuardTrips
		for by, n := range e.Decisions {
			served[by] += n
			total += n
		}
	}
	if m.Scored > 0 {
		w := float64(m.Scored)
		m.Brier, m.Base, m.Off = m.Brier/w, m.Base/w, m.Off/w
	}
	for by, n := range served {
		if n > 0 {
			if m.Decisions == nil {
				m.Decisions = map[string]float64{}
			}
			m.Decisions[adaptive.By(by).String()] = float64(n) / float64(total)
		}
	}
}

// An Interval is a mean over seeds and half the width of its interval of about 95 %: two standard errors.
type Interval struct {
	Mean float64 `json:"mean"`
	Half float64 `json:"half"`
}

// Gain is what a rival is worth beside another one, in thousandths of a success per call, paired by seed. The lists are in the order
// of the seeds, and as long as each other.
func Gain(rival, reference []Marks) Interval {
	n := float64(len(rival))
	d := make([]float64, len(rival))
	var i Interval
	for k := range rival {
		d[k] = 1000 * (rival[k].Utility - reference[k].Utility)
		i.Mean += d[k] / n
	}
	if n < 2 {
		return i
	}
	sum := 0.
	for _, x := range d {
		sum += (x - i.Mean) * (x - i.Mean)
	}
	i.Half = 2 * math.Sqrt(sum/(n-1)/n)
	return i
}

// Average is the mean of each mark over seeds; Calls, Scored and Trips are sums.
func Average(all []Marks) (m Marks) {
	n := float64(max(1, len(all)))
	for _, x := range all {
		m.Calls += x.Calls
		m.Trips += x.Trips
		m.Scored += x.Scored
		for _, f := range []struct{ to, from *float64 }{
			{&m.Utility, &x.Utility}, {&m.Success, &x.Success}, {&m.Wasted, &x.Wasted}, {&m.Attempts, &x.Attempts},
			{&m.Mean, &x.Mean}, {&m.P99, &x.P99}, {&m.Brier, &x.Brier}, {&m.Base, &x.Base}, {&m.Off, &x.Off},
		} {
			*f.to += *f.from / n
		}
		for by, share := range x.Decisions {
			if m.Decisions == nil {
				m.Decisions = map[string]float64{}
			}
			m.Decisions[by] += share / n
		}
	}
	return m
}
