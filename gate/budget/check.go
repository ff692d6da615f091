package budget

import (
	"errors"
	"fmt"
	"math"
)

// Check returns all mistakes in the fields, joined, each beginning with its field's name, or nil. A
// budget with mistakes still works, with fewer retries than were meant. A [*Warning] among them says
// that the settings are possible, but too much for the declared load.
func (b *Budget) Check() error {
	var errs []error
	mistake := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, f := range []struct {
		field string
		value float64
		most  float64
		none  bool
	}{
		{"Ratio", b.Ratio, 1, true},
		{"Max", b.Max, mostTokens, true},
		{"Ceiling", b.Ceiling, 1, true},
		{"Floors.Normal", b.Floors.Normal, 1, false},
		{"Floors.Sheddable", b.Floors.Sheddable, 1, false},
		{"Trickle", b.Trickle, mostTrickle, false},
	} {
		switch {
		case math.IsNaN(f.value):
			mistake("%s: not a number, and counts as the value that allows least", f.field)
		case f.value < 0 && !(f.none && f.value == None):
			mistake("%s: %g is negative and counts as 0", f.field, f.value)
		case f.value > f.most:
			mistake("%s: %g counts as %g, the most", f.field, f.value, f.most)
		}
	}
	for _, c := range []struct {
		field string
		value int64
	}{
		{"Costs.Transient", b.Costs.Transient},
		{"Costs.Ambiguous", b.Costs.Ambiguous},
		{"Costs.Throttled", b.Costs.Throttled},
	} {
		if c.value < 0 {
			mistake("%s: %d is negative and counts as %d", c.field, c.value, DefaultCost)
		}
	}
	if b.CeilingMin < None {
		mistake("CeilingMin: %d is negative and counts as 0", b.CeilingMin)
	}
	if b.Floors.Sheddable != 0 && b.Floors.Sheddable < b.Floors.Normal {
		mistake("Floors.Sheddable: %g is below Floors.Normal and counts as %g", b.Floors.Sheddable, b.Floors.Normal)
	}
	if b.Load.Clients < 0 {
		mistake("Load.Clients: %d is negative and counts as 1", b.Load.Clients)
	}
	if b.Trickle > 0 && b.Load.Clients == 0 {
		mistake("Trickle: %g/s is shared by Load.Clients, which is not set and counts as 1", b.Trickle)
	}
	if b.Load.Clients > LargeFleet && b.most() > DefaultFleetMax {
		errs = append(errs, &Warning{Load: b.Load, Max: b.most()})
	}
	// What only successes earn counts as 0: when all fail, only the trickle goes on.
	if err := b.Load.Check(0, b.Trickle/b.Load.clients()); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
