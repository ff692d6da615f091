package budget

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// SpendStats is what a [Spend] holds and did, in micro-units.
type SpendStats struct {
	Currency   string
	Limit      int64
	Spent      int64            // in the present window, as of the last attempt
	Reserved   int64            // by attempts in flight
	Operations map[string]int64 // spent in the present window, by policy name; empty unless PerOperation is set
	Overruns   int64            // costs above their estimates, in all
	Denied     int64            // attempts refused
	Defects    int64            // attempts that were settled twice, or never admitted; always 0 under package retry
}

// Stats returns a snapshot.
func (s *Spend) Stats() SpendStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	operations := make(map[string]int64, len(s.names))
	for name, x := range s.names {
		operations[name] = x.spent
	}
	return SpendStats{
		Currency: s.Currency, Limit: s.Limit, Spent: s.total.spent, Reserved: s.total.reserved, Operations: operations,
		Overruns: s.overruns, Denied: s.denied, Defects: s.defects,
	}
}

// SpentBy returns what a parent has spent in all; 0 unless PerParent is set.
func (s *Spend) SpentBy(parent string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.parents[parent]; x != nil {
		return x.spent
	}
	return 0
}

// Check returns all mistakes in the fields, joined, each beginning with its field's name, or nil.
func (s *Spend) Check() error {
	var errs []error
	mistake := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if s.Currency == "" {
		mistake("Currency: not named")
	}
	if s.Limit == 0 && s.PerOperation == 0 && s.PerParent == 0 {
		mistake("Limit: %w", errNoLimit)
	}
	for _, f := range []struct {
		field string
		value int64
	}{{"Limit", s.Limit}, {"PerOperation", s.PerOperation}, {"PerParent", s.PerParent}} {
		if f.value < 0 {
			mistake("%s: %d is negative and admits nothing", f.field, f.value)
		}
	}
	if s.Window < 0 {
		mistake("Window: %v is negative and means one without end", s.Window)
	}
	if s.Remembered < 0 {
		mistake("Remembered: %d is negative and counts as 0", s.Remembered)
	}
	amount := func(field string, m Amount) {
		if m.Micro < 0 {
			mistake("%s: %v is negative and admits nothing", field, m)
		}
		if err := m.same(s.Currency); err != nil {
			mistake("%s: %w", field, err)
		}
	}
	amount("Estimate", s.Estimate)
	for _, name := range slices.Sorted(maps.Keys(s.Costs)) {
		amount(fmt.Sprintf("Costs[%q]", name), s.Costs[name])
	}
	return errors.Join(errs...)
}
