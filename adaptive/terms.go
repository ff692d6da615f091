package adaptive

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/relent-go/relent/retry"
)

// A Goal says which retries are to be given up.
type Goal uint8

// The goals.
const (
	Utility         Goal = iota // those that cost more than they bring
	PreserveSuccess             // only those that cannot succeed
)

// Terms say what a call is worth. The zero value is ready: a success is worth 1, an attempt costs 0.02, and waiting for all
// of MaxElapsed costs 0.5.
type Terms struct {
	AttemptCost float64                       // of an attempt, in successes; 0 means 0.02
	DelayCost   float64                       // of a second until the result, in successes; 0 means 0.5 over the policy's MaxElapsed, or over a minute without one
	Goal        Goal                          // Utility by default
	MaxWait     time.Duration                 // longest wait that is considered; not positive means 30 s
	Kind        func(error, retry.Class) Kind // tells failures apart; nil means DefaultKind
	Control     retry.Source                  // policies of the control arm, whose budget is a slice of the usual one, so that neither arm starves the other; nil leaves both in one
	Without     Levers                        // of the learner's that are not used; none by default
	Rand        func() float64                // uniform in [0, 1), for jitter, safe for concurrent use; nil means math/rand/v2
	Revise      func(Advice) Advice           // has the last word on an advice, for experiments; a pure function that calls nothing of the learner's; nil leaves it
}

// Levers are the ways in which a learner acts on calls and is kept from harm.
type Levers uint8

// The levers.
const (
	Waits    Levers = 1 << iota // chooses the wait before a retry
	Stops                       // ends calls whose retry does not pay
	Parking                     // lets few of those that wait probe during an outage, and the others begin apart after it
	Pressure                    // holds retries back while failures follow our own load
	Guarding                    // leaves stops away that do harm
	Falling                     // falls back to the configured policy while forecasts are bad
	Learning                    // learns more than a snapshot said; beliefs move in any case
)

// An Advice is what the model makes of a retry.
type Advice struct {
	Delay time.Duration // before the retry, before jitter
	Stop  bool          // give up
	P     float64       // chance that the retry succeeds
	PDown float64       // that the operation is down
	Net   float64       // value of going on
}

// revise lets the terms have the last word.
func (t *Terms) revise(v *advice) {
	if t.Revise != nil {
		r := t.Revise(Advice{duration(v.delay), v.stop, v.success, v.down, v.net})
		v.delay, v.stop, v.success = max(0, r.Delay.Seconds()), r.Stop, min(1, max(0, r.P))
	}
}

// chance returns the forecast of a retry as the terms revise it.
func (t *Terms) chance(p, down float64) float64 {
	if t.Revise != nil {
		p = min(1, max(0, t.Revise(Advice{P: p, PDown: down}).P))
	}
	return p
}

func (t *Terms) random() float64 {
	if t.Rand == nil {
		return rand.Float64()
	}
	return t.Rand()
}

// uses says that a lever is in use.
func (t *Terms) uses(l Levers) bool { return t.Without&l == 0 }

// Check returns all mistakes in t, joined, each beginning with its field's name, or nil. With a mistake in a cost nothing is
// advised: the configured policy stands.
func (t Terms) Check() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value float64
	}{{"AttemptCost", t.AttemptCost}, {"DelayCost", t.DelayCost}} {
		if !valid(f.value) {
			errs = append(errs, fmt.Errorf("%s: %v is no cost, which is finite and not negative; nothing is advised", f.name, f.value))
		}
	}
	if t.Goal > PreserveSuccess {
		errs = append(errs, fmt.Errorf("Goal: %d counts as Utility", t.Goal))
	}
	if t.MaxWait < 0 {
		errs = append(errs, fmt.Errorf("MaxWait: %v is negative and counts as 30s", t.MaxWait))
	}
	return errors.Join(errs...)
}

func valid(cost float64) bool { return cost >= 0 && !math.IsInf(cost, 0) } // not NaN either

// sound says that a value can be computed from t.
func (t *Terms) sound() bool { return valid(t.AttemptCost) && valid(t.DelayCost) }

func (t *Terms) cost() float64 {
	if t.AttemptCost == 0 {
		return .02
	}
	return t.AttemptCost
}

func (t *Terms) delayCost(p *retry.Policy) float64 {
	switch {
	case t.DelayCost != 0:
		return t.DelayCost
	case p != nil && p.MaxElapsed > 0:
		return .5 / p.MaxElapsed.Seconds()
	}
	return .5 / 60
}

func (t *Terms) longest() float64 {
	if t.MaxWait <= 0 {
		return 30
	}
	return t.MaxWait.Seconds()
}
