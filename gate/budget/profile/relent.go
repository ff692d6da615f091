package profile

import (
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

// Relent is relent's own budget, [budget.Budget] with all its fields, beside the others: for comparison, and for
// a configuration that names its budget. In its fields zero means zero by [budget.None]; with [New], by 0.
type Relent struct{ budget.Budget }

var _ Profile = (*Relent)(nil)

// Policy implements [Profile].
func (r *Relent) Policy() *retry.Policy { return &retry.Policy{Gates: []retry.Gate{r}} }

// Funding implements [Profile]: successes fund it, and a trickle if there is one.
func (r *Relent) Funding() (ratio, floorPerSecond float64) {
	return 0, max(0, r.Trickle) / max(1, float64(r.Load.Clients))
}

func (r *Relent) fields() []field {
	return []field{
		{name: "Ratio", at: &r.Ratio, high: 1, none: true, spelled: budget.None},
		{name: "Max", at: &r.Max, high: 1e9, none: true, spelled: budget.None},
		{name: "Ceiling", at: &r.Ceiling, high: 1, none: true, spelled: budget.None},
		{name: "CeilingMin", at: &r.CeilingMin, high: 1 << 31, none: true, spelled: budget.None},
	}
}
