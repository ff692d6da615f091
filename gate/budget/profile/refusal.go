package profile

import (
	"fmt"
	"time"

	"github.com/relent-go/relent/gate/budget"
)

// A Refusal is the error with which a profile ends a call. It unwraps to [budget.ErrSpent].
type Refusal struct {
	Profile string        // its name
	Rule    string        // that refused: balance, ceiling, ratio, rate, throttle, no answer or body
	Balance float64       // what there was, in the unit of the profile
	Cost    float64       // what the attempt would have needed
	After   time.Duration // when the rate will allow an attempt again; 0 if that is not known
}

// Error says which rule refused, and what was missing.
func (r *Refusal) Error() string {
	s := fmt.Sprintf("%s: %v by %s: %.10g of %.10g", budget.ErrSpent, r.Profile, r.Rule, r.Balance, r.Cost)
	if r.After > 0 {
		s += fmt.Sprintf(", again in %v", r.After)
	}
	return s
}

// Unwrap returns [budget.ErrSpent].
func (r *Refusal) Unwrap() error { return budget.ErrSpent }

// refuse makes a refusal.
func refuse[T int | int64 | float64](profile, rule string, balance, cost T) *Refusal {
	return &Refusal{Profile: profile, Rule: rule, Balance: float64(balance), Cost: float64(cost)}
}
