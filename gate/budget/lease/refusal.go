package lease

import (
	"fmt"

	"github.com/relent-go/relent/gate/budget"
)

// A Refusal is the error with which a lease ends a call. It unwraps to [budget.ErrSpent].
type Refusal struct {
	Budget string
	Left   int64 // that the process may spend, in milli-tokens
	Cost   int64 // of the retry, in milli-tokens
	CutOff bool  // the coordinator does not answer
}

// Error says what was missing.
func (r *Refusal) Error() string {
	s := fmt.Sprintf("%v: lease of %q: %d of %d milli-tokens", budget.ErrSpent, r.Budget, r.Left, r.Cost)
	if r.CutOff {
		s += ", coordinator not heard of"
	}
	return s
}

// Unwrap returns [budget.ErrSpent].
func (r *Refusal) Unwrap() error { return budget.ErrSpent }
