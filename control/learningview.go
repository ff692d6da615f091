package control

import (
	"math"
	"slices"
	"time"

	"github.com/relent-go/relent/adaptive"
)

// A LearningView is what is learned about one operation. Shares and chances are 0 to 1; a success is worth 1.
type LearningView struct {
	Mode        string            `json:"mode"`        // shadow, active; mixed where processes differ
	By          string            `json:"by"`          // what stands behind the last advice: configured, cold, fallback, guard, control, model; shared: see adaptive.Others
	Fallback    bool              `json:"fallback"`    // the configured policy serves, since forecasts were bad
	Guard       bool              `json:"guard"`       // no call is stopped, since stops were found to do harm
	Down        float64           `json:"down"`        // belief that it is down
	DownFor     time.Duration     `json:"down_for"`    // 0 outside an outage
	Outages     int               `json:"outages"`     // seen
	Results     uint64            `json:"results"`     // seen
	Retries     uint64            `json:"retries"`     // among them
	Scored      uint64            `json:"scored"`      // forecasts
	Brier       float64           `json:"brier"`       // of the forecasts, lately: 0 is perfect
	Base        float64           `json:"base"`        // that of the base rate
	Calibration float64           `json:"calibration"` // expected error of the forecasts
	Proven      bool              `json:"proven"`      // many forecasts over a day, better than the base rate, and calibrated
	Stopped     uint64            `json:"stopped"`     // calls ended because a retry did not pay
	Against     uint64            `json:"against"`     // retries made although the advice was to stop
	Earned      float64           `json:"earned"`      // by those, less their cost: above 0, stops do harm
	Promotion   string            `json:"promotion"`   // why it was promoted, or what it waits for; empty where only operators set the mode
	GuardTrips  int               `json:"guard_trips"` // how often the guard came on
	Waiting     int               `json:"waiting"`     // retries that the model leads and that wait
	Open        float64           `json:"open"`        // share of retries that may go while failures follow our own load
	Odd         uint64            `json:"odd"`         // times that could not be, and were ignored
	Decisions   map[string]uint64 `json:"decisions"`   // retries by what stood behind them
	Choices     []ChoiceView      `json:"choices"`     // some of the last ones, the newest first
}

// A ChoiceView is one choice of a learner. At most one a second is kept, and the last few.
type ChoiceView struct {
	At         time.Time     `json:"at"`
	Kind       string        `json:"kind"`       // of the failure
	By         string        `json:"by"`         // as in LearningView
	Mode       string        `json:"mode"`       // at that time
	Advised    time.Duration `json:"advised"`    // wait, before jitter
	Configured time.Duration `json:"configured"` // wait
	Waited     time.Duration `json:"waited"`     // that was begun
	Stop       bool          `json:"stop"`       // advised to give up
	Stopped    bool          `json:"stopped"`    // and did
	Down       float64       `json:"down"`       // belief
	Net        float64       `json:"net"`        // value of going on
	Text       string        `json:"text"`       // all of it, for people
}

// learning is what is learned about an operation; nil if nothing is.
func (o *Operation) learning() *LearningView {
	mode := o.row().learning.mode()
	if mode == adaptive.Off {
		return nil
	}
	v := &LearningView{Mode: mode.String(), By: "shared", Decisions: map[string]uint64{}, Choices: []ChoiceView{}}
	learner := &o.registry.live.learner
	if learner.Mode(o.name) == adaptive.Off {
		return v
	}
	x, _ := learner.Explain(o.name)
	for by, n := range x.Decisions {
		v.Decisions[adaptive.By(by).String()] = n
	}
	v.By, v.Fallback, v.Guard, v.Down, v.DownFor, v.Outages = x.By.String(), o.lesson.fallback.Load(), o.lesson.guard.Load(), finite(x.PDown), x.DownFor, x.Outages
	v.Results, v.Retries, v.Scored, v.Brier, v.Base, v.Calibration, v.Proven = x.Results, x.Retries, x.Scored, finite(x.Brier), finite(x.BaseBrier), finite(x.Calibration), x.Proven
	v.Stopped, v.Against, v.Earned, v.GuardTrips, v.Waiting, v.Open, v.Odd = x.Stopped, x.Against, finite(x.Earned), x.GuardTrips, x.Waiting, finite(x.Open), x.Odd
	v.Promotion = o.promotion(&x)
	v.Choices = o.lesson.last()
	return v
}

// finite returns f, or the nearest number that JSON has; 0 for none.
func finite(f float64) float64 {
	if f != f {
		return 0
	}
	return max(-math.MaxFloat32, min(math.MaxFloat32, f))
}

// addLearnings is for processes that learn the same thing apart: what was counted is added, the worst belief counts, and the means
// are weighed by the forecasts they are of.
func addLearnings(a, b LearningView) LearningView {
	m := a
	if b.Down > a.Down {
		m = b
	}
	m.Mode, m.By = same(1, a.Mode, b.Mode), same(1, a.By, b.By)
	m.Promotion = same(1, a.Promotion, b.Promotion)
	m.Fallback, m.Guard, m.Proven = a.Fallback || b.Fallback, a.Guard || b.Guard, a.Proven && b.Proven
	m.Outages, m.Results, m.Retries, m.Scored = a.Outages+b.Outages, a.Results+b.Results, a.Retries+b.Retries, a.Scored+b.Scored
	share := 0.
	if m.Scored > 0 {
		share = float64(b.Scored) / float64(m.Scored)
	}
	m.Brier, m.Base, m.Calibration = mean(a.Brier, b.Brier, share), mean(a.Base, b.Base, share), mean(a.Calibration, b.Calibration, share)
	m.Stopped, m.Against, m.Earned, m.GuardTrips = a.Stopped+b.Stopped, a.Against+b.Against, a.Earned+b.Earned, a.GuardTrips+b.GuardTrips
	m.Waiting, m.Open, m.Odd = a.Waiting+b.Waiting, min(a.Open, b.Open), a.Odd+b.Odd
	m.Decisions = addCounts(a.Decisions, b.Decisions)
	m.Choices = append(append([]ChoiceView{}, a.Choices...), b.Choices...) // never nil, which JSON has as null
	slices.SortStableFunc(m.Choices, func(x, y ChoiceView) int { return y.At.Compare(x.At) })
	m.Choices = m.Choices[:min(len(m.Choices), mostChoices)]
	return m
}

// mean is that of a and b, of which b has a share.
func mean(a, b, share float64) float64 { return a + share*(b-a) }
