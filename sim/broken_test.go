package sim_test

import (
	"testing"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/sim"
)

// generous is a relent bucket that earns by requests instead of successes.
type generous struct{ *budget.Budget }

func (g generous) Settle(a *retry.Attempt, o *retry.Outcome) {
	earned := *o
	if a.Number == 1 {
		earned.State = retry.Succeeded
	}
	g.Budget.Settle(a, &earned)
}

// find returns a row by its name.
func find(t *testing.T, name string) row {
	t.Helper()
	for _, r := range recoveries {
		if r.name == name {
			return r
		}
	}
	t.Fatalf("no row %q", name)
	panic("unreachable")
}

// The rows notice when what they are there for is taken away.
func TestRowsCanFail(t *testing.T) {
	for _, test := range []struct {
		name, row string
		broken    func(*sim.Scenario)
	}{
		{"request funding instead of success funding", "S4 relent bucket 0.1, capacity 10", func(s *sim.Scenario) {
			s.Policy = three(func(sim.Client) retry.Gate { return generous{&budget.Budget{}} })
		}},
		{"no budget", "S4 relent bucket 0.1, capacity 10", func(s *sim.Scenario) { s.Policy = three() }},
		{"capacity 10 in a fleet", "S5 relent bucket 0.1, capacity 2, 100 clients", func(s *sim.Scenario) { s.Policy = three(bucket(10)) }},
		{"V8 no deadline check", "relent bucket, deadline known to the server", func(s *sim.Scenario) { s.DropExpired = false }},
		{"V8 a deadline check without margin", "3 retries, expired work dropped with a margin of 50 ms", func(s *sim.Scenario) { s.Margin = -1 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := find(t, test.row)
			test.broken(&r.scenario)
			results := r.play(t)
			t.Log(summary(test.name, results))
			if len(r.misses(results)) == 0 {
				t.Errorf("the row %q holds with %s", test.row, test.name)
			}
		})
	}
}
