package budget_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/budget"
)

func TestCheck(t *testing.T) {
	const currency = "USD"
	for _, test := range []struct {
		checked interface{ Check() error }
		want    string // fields of the mistakes
	}{
		{&budget.Budget{}, ""},
		{&budget.Budget{Ratio: budget.None, Max: budget.None, Ceiling: budget.None, CeilingMin: budget.None, Floors: budget.Trading(),
			Trickle: 10, Load: budget.Load{Offered: 80, Capacity: 100, Clients: 100}}, ""},
		{&budget.Budget{Ratio: 1.1, Max: 1e10, Ceiling: 1.1, Floors: budget.Floors{Normal: 1.1, Sheddable: 1.2}, Trickle: 1e7, Load: budget.Load{Clients: 1}},
			"Ratio Max Ceiling Floors.Normal Floors.Sheddable Trickle"},
		{&budget.Budget{Ratio: -2, Max: -2, Ceiling: -2, CeilingMin: -2, Floors: budget.Floors{Normal: -1, Sheddable: -1}, Trickle: -1},
			"Ratio Max Ceiling Floors.Normal Floors.Sheddable Trickle CeilingMin"},
		{&budget.Budget{Ratio: math.NaN(), Max: math.NaN(), Ceiling: math.NaN(), Floors: budget.Floors{Normal: math.NaN(), Sheddable: math.NaN()}, Trickle: math.NaN()},
			"Ratio Max Ceiling Floors.Normal Floors.Sheddable Trickle"},
		{&budget.Budget{Costs: budget.Costs{Transient: -1, Ambiguous: -1, Throttled: -1}}, "Costs.Transient Costs.Ambiguous Costs.Throttled"},
		{&budget.Budget{Floors: budget.Floors{Normal: 0.5, Sheddable: 0.2}}, "Floors.Sheddable"},
		{&budget.Budget{Load: budget.Load{Clients: -1}}, "Load.Clients"},
		{&budget.Budget{Trickle: 1}, "Trickle"},
		{&budget.Budget{Load: budget.Load{Clients: 20}}, ""},
		{&budget.Budget{Load: budget.Load{Clients: 21}}, ""},
		{&budget.Budget{Max: 2.1, Load: budget.Load{Clients: 20}}, ""},
		{&budget.Budget{Max: 2.1, Load: budget.Load{Clients: 21}}, "Max"},
		{&budget.Budget{Max: 2, Load: budget.Load{Clients: 21}}, ""},
		{&budget.Budget{Trickle: 20, Load: budget.Load{Offered: 80, Capacity: 100, Clients: 20}}, "Load"},
		{&budget.Parents{}, ""},
		{&budget.Parents{Max: 5, Remembered: 5}, ""},
		{&budget.Parents{Max: -1, Remembered: -1}, "Max Remembered"},
		{&budget.Window{}, ""},
		{&budget.Window{Max: -1, Per: -1}, "Max Per"},
		{&budget.Spend{}, "Currency Limit"},
		{&budget.Spend{Currency: currency, Limit: 1, PerOperation: 1, PerParent: 1, Window: time.Second, Remembered: 1,
			Estimate: budget.Amount{Micro: 1}, Costs: map[string]budget.Amount{"a": {Micro: 1, Currency: currency}}}, ""},
		{&budget.Spend{Currency: currency, Limit: -1, PerOperation: -1, PerParent: -1, Window: -1, Remembered: -1, Estimate: budget.Amount{Micro: -1}},
			"Limit PerOperation PerParent Window Remembered Estimate"},
		{&budget.Spend{Currency: currency, Limit: 1, Estimate: budget.Amount{Micro: 1, Currency: "EUR"},
			Costs: map[string]budget.Amount{"b": {Micro: 1, Currency: "EUR"}, "a": {Micro: -1, Currency: "GBP"}}},
			`Estimate Costs["a"] Costs["a"] Costs["b"]`},
	} {
		err := test.checked.Check()
		var fields []string
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				field, _, _ := strings.Cut(line, ": ")
				fields = append(fields, field)
			}
		}
		if got := strings.Join(fields, " "); got != test.want {
			t.Errorf("Check() of %T:\n%v\nwant mistakes in %q", test.checked, err, test.want)
		}
	}
}

func TestRB14StabilityWarning(t *testing.T) {
	for _, test := range []struct {
		offered, capacity float64
		clients           int
		ratio, floor      float64
		stable            bool
	}{
		{80, 100, 1, 0.25, 0, false},
		{80, 100, 1, 0.1, 0, true},
		{70, 100, 1, 0.2, 10, true},
		{80, 100, 1, 0.2, 10, false},
		{60, 100, 100, 0, 0.3, true},
		{60, 100, 100, 0, 0.4, false},
		{60, 100, 0, 0, 39, true}, // no fleet is one client
		{60, 100, -5, 0, 40, false},
		{100, 100, 1, 0, 0, false}, // not even without retries
		{0, 100, 1, 5, 5, true},    // not declared
		{80, 0, 1, 5, 5, true},
		{-80, 100, 1, 0, 0, false},
		{80, -100, 1, 0, 0, false},
		{math.NaN(), 100, 1, 0, 0, false},
		{80, math.NaN(), 1, 0, 0, false},
		{80, 100, 1, math.NaN(), 0, false},
		{80, 100, 1, 0, math.NaN(), false},
		{80, 100, 1, -1, -1, true},
		{80, math.Inf(1), 1, 1, 1, true},
	} {
		l := budget.Load{Offered: test.offered, Capacity: test.capacity, Clients: test.clients}
		err := l.Check(test.ratio, test.floor)
		if l.Stable(test.ratio, test.floor) != test.stable || (err == nil) != test.stable {
			t.Errorf("%+v with ratio %v, floor %v: %v; want stable: %v", l, test.ratio, test.floor, err, test.stable)
		}
	}
	// A ratio that only successes earn counts as 0.
	load := budget.Load{Offered: 80, Capacity: 100, Clients: 1}
	if err := (&budget.Budget{Ratio: 1, Load: load}).Check(); err != nil {
		t.Errorf("Check() = %v; want nil", err)
	}
	err := (&budget.Budget{Trickle: 20, Load: load}).Check()
	w, ok := errors.AsType[*budget.Warning](err)
	if want := (budget.Warning{Load: load, Floor: 20}); !ok || *w != want {
		t.Errorf("Check() = %+v; want %+v", err, want)
	}
}

func TestLargeFleetsSaveUpLess(t *testing.T) {
	for clients, want := range map[int]int64{0: 10000, 20: 10000, 21: 2000, 1000: 2000} {
		if s := (&budget.Budget{Load: budget.Load{Clients: clients}}).Stats(); s.Capacity != want {
			t.Errorf("%d clients: %+v; want capacity %d", clients, s, want)
		}
	}
	load := budget.Load{Clients: 100}
	w, ok := errors.AsType[*budget.Warning]((&budget.Budget{Max: 10, Load: load}).Check())
	const text = "Max: 10 retries saved up by each of 100 clients are 1000 at once after an outage; use 2 in a fleet of more than 20"
	if want := (budget.Warning{Load: load, Max: 10}); !ok || *w != want || w.Error() != text {
		t.Errorf("%v; want %s", w, text)
	}
	if s := (&budget.Budget{Max: 10, Load: load}).Stats(); s.Capacity != 10000 {
		t.Errorf("%+v; want what was asked for", s)
	}
}

func ExampleLoad() {
	load := budget.Load{Offered: 80, Capacity: 100, Clients: 1}
	fmt.Println(load.Stable(0.1, 0))
	fmt.Println(load.Check(0.25, 0))
	load.Clients = 100
	fmt.Println(load.Check(0, 1))
	// Output:
	// true
	// Load: an outage would keep itself going: 80/s offered to a capacity of 100/s (80% used), with 0.25 retries earned by each request and 1 client free to make 0/s each, is 100/s
	// Load: an outage would keep itself going: 80/s offered to a capacity of 100/s (80% used), with 0 retries earned by each request and 100 clients free to make 1/s each, is 180/s
}

func TestErrorText(t *testing.T) {
	for _, test := range []struct {
		err  budget.Error
		want string
	}{
		{budget.Error{Balance: 400, Cost: 1000, Limit: 10000}, "0.4 of 10 tokens left, this retry costs 1; successes earn more"},
		{budget.Error{Budget: "binance", Balance: 1, Cost: 1050, Limit: 10000}, "binance: 0.001 of 10 tokens left, this retry costs 1.05; successes earn more"},
		{budget.Error{Rule: budget.RuleFloor, Balance: 5500, Limit: 10000, Kept: 5000}, "5.5 of 10 tokens left, and 5 of them are kept for calls of a higher priority; successes earn more"},
		{budget.Error{Rule: budget.RuleCeiling, Limit: 3}, "3 retries in flight, and no more may be; one more when one has ended"},
		{budget.Error{Rule: budget.RuleSuspect, Balance: 9000, Limit: 10000}, "the other side is suspect, and only a full bucket pays for a retry then; 9 of 10 tokens left"},
		{budget.Error{Rule: budget.RuleParent, Parent: "order 17", Limit: 5}, `parent "order 17" has had its 5 attempts; find out what they did, then go on under a new parent`},
		{budget.Error{Rule: budget.RuleParent, Err: errBusy}, "attempt of no parent: busy"},
		{budget.Error{Rule: budget.RuleParent, Parent: "order 17", Err: errBusy}, `attempt of parent "order 17" not counted, so not made: busy`},
		{budget.Error{Rule: budget.RuleSpend, Balance: 100000, Limit: 1000000, Cost: 300000, Currency: "USD"}, "0.1 of 1 USD left, this attempt may cost 0.3"},
		{budget.Error{Rule: budget.RuleSpend, Balance: -1, Limit: math.MinInt64, Cost: 300000, Currency: "USD", Parent: "job 3"}, `parent "job 3" has -0.000001 of -9223372036854.775808 USD left, this attempt may cost 0.3`},
		{budget.Error{Rule: budget.RuleSpend, Err: errBusy}, "attempt not accounted for, so not made: busy"},
		{budget.Error{Rule: budget.RuleWindow, Limit: 100}, "all 100 retries of this window made; more in the next"},
	} {
		if got, want := test.err.Error(), "retry budget spent: "+test.want; got != want {
			t.Errorf("Error() = %q; want %q", got, want)
		}
	}
	for rule, want := range []string{"tokens", "floor", "ceiling", "suspect", "parent", "spend", "window", "rule(7)"} {
		if got := budget.Rule(rule).String(); got != want {
			t.Errorf("Rule(%d) = %q; want %q", rule, got, want)
		}
	}
	if e := (&budget.Error{Err: errBusy}); !errors.Is(e, errBusy) || !errors.Is(e, budget.ErrSpent) || errors.Is(e, errors.ErrUnsupported) {
		t.Errorf("%v matches something else than %v and %v", e, budget.ErrSpent, errBusy)
	}
}
