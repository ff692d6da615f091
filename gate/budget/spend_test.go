package budget_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

func usd(micro int64) budget.Amount { return budget.Amount{Micro: micro, Currency: "USD"} }

// named is an attempt of a policy.
func named(operation string) *retry.Attempt {
	a := first(0)
	a.Policy = &retry.Policy{Name: operation}
	return a
}

func TestM2SpendStopsAtTheLimit(t *testing.T) {
	s := &budget.Spend{Name: "models", Currency: "USD", Limit: 1_000_000, Estimate: usd(300_000)}
	for range 3 {
		admit(t, s, first(0))
	}
	err := s.Admit(ctx, named("model.infer"))
	want := budget.Error{
		Budget: "models", Policy: "model.infer", Rule: budget.RuleSpend, Currency: "USD",
		Balance: 100_000, Cost: 300_000, Limit: 1_000_000,
	}
	if e := refused(t, err, budget.RuleSpend); *e != want || retry.DefaultClassify(err) != retry.Permanent {
		t.Errorf("%+v; want %+v, permanent", *e, want)
	}
	if got, want := s.Stats(), (budget.SpendStats{Currency: "USD", Limit: 1_000_000, Reserved: 900_000, Denied: 1}); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("Stats() = %+v; want %+v", got, want)
	}
}

func TestM3SettlementReplacesTheEstimate(t *testing.T) {
	for _, test := range []struct {
		name    string
		charges []budget.Amount
		state   retry.State
		want    int64
	}{
		{"reported", []budget.Amount{usd(100_000)}, retry.Succeeded, 100_000},
		{"reported in parts", []budget.Amount{usd(60_000), usd(40_000)}, retry.Failed, 100_000},
		{"reported in no currency", []budget.Amount{{Micro: 1}}, retry.Succeeded, 1},
		{"reported as free", []budget.Amount{{}}, retry.Succeeded, 0},
		{"above the estimate", []budget.Amount{usd(5_000_000)}, retry.Failed, 5_000_000},
		{"more than there is", []budget.Amount{usd(math.MaxInt64), usd(math.MaxInt64)}, retry.Failed, math.MaxInt64},
		{"not reported", nil, retry.Succeeded, 300_000},
		{"not reported, failed", nil, retry.Failed, 300_000},
		{"not reported, canceled", nil, retry.Canceled, 300_000},
		{"not reported, panicked", nil, retry.Panicked, 300_000},
		{"never began", nil, retry.NotStarted, 0},
		{"negative", []budget.Amount{usd(-1)}, retry.Succeeded, 300_000},
		{"in another currency", []budget.Amount{{Micro: 1, Currency: "EUR"}}, retry.Succeeded, 300_000},
	} {
		s := &budget.Spend{Currency: "USD", Limit: 1_000_000}
		ctx := budget.WithBill(ctx, budget.Amount{Micro: 300_000})
		a := first(0)
		if err := s.Admit(ctx, a); err != nil {
			t.Fatal(err)
		}
		for _, c := range test.charges {
			if err := budget.Charge(ctx, c); (err != nil) != (c.Micro < 0 || c.Currency == "EUR") {
				t.Errorf("%s: Charge(%v) = %v", test.name, c, err)
			}
		}
		s.Settle(a, ended(test.state))
		if got := s.Stats(); got.Spent != test.want || got.Reserved != 0 || got.Overruns != max(0, test.want-300_000) {
			t.Errorf("%s: %+v; want %d spent, nothing reserved", test.name, got, test.want)
		}
		s.Settle(a, ended(test.state))
		if got := s.Stats(); got.Spent != test.want || got.Reserved != 0 || got.Defects != 1 {
			t.Errorf("%s, settled again: %+v; want a defect and no other change", test.name, got)
		}
	}
}

// Through the engine: each attempt costs what it reports, and the sum is exact.
func TestSpendOfACall(t *testing.T) {
	s := &budget.Spend{Currency: "USD", Limit: 1_000_000}
	p := &retry.Policy{Name: "model.infer", Backoff: immediate, MaxAttempts: 10, Gates: []retry.Gate{s}}
	n := int64(0)
	err := retry.Run(budget.WithBill(ctx, usd(300_000)), p, func(ctx context.Context) error {
		if n++; n == 2 {
			return busy // reports nothing: the estimate stays
		}
		return errors.Join(budget.Charge(ctx, usd(n*50_000)), busy)
	})
	// 50 000, 300 000, 150 000, 200 000: 300 000 is then left for a fifth, whose 250 000 leave too little for a sixth.
	if e := refused(t, err, budget.RuleSpend); n != 5 || e.Balance != 50_000 || !errors.Is(err, errBusy) {
		t.Errorf("%d attempts, %v; want 5, and 50 000 left", n, err)
	}
	if got := s.Stats(); got.Spent != 950_000 || got.Reserved != 0 {
		t.Errorf("%+v; want 950 000 spent", got)
	}
}

func TestM5CurrenciesDoNotMix(t *testing.T) {
	mixed := &budget.Spend{Currency: "EUR", Limit: 1_000_000, Costs: map[string]budget.Amount{
		"venue.fetch": {Micro: 1, Currency: "EUR"}, "model.infer": usd(1),
	}}
	if err := mixed.Check(); !errors.Is(err, budget.ErrCurrency) || !strings.HasPrefix(err.Error(), `Costs["model.infer"]: amounts of different currencies: USD and EUR`) {
		t.Errorf("Check() = %v; want a mistake", err)
	}
	if err := mixed.Admit(ctx, named("venue.fetch")); err != nil {
		t.Errorf("the right currency: %v", err)
	}
	err := mixed.Admit(ctx, named("model.infer"))
	if refused(t, err, budget.RuleSpend); !errors.Is(err, budget.ErrCurrency) {
		t.Errorf("the wrong currency: %v; want %v", err, budget.ErrCurrency)
	}
	// A bill has one currency: of its estimate, or of the first gate that counts in it.
	dollars := &budget.Spend{Currency: "USD", Limit: 1_000_000, Estimate: usd(1)}
	bill := budget.WithBill(ctx, budget.Amount{})
	if err := dollars.Admit(bill, first(0)); err != nil {
		t.Fatal(err)
	}
	if err := mixed.Admit(bill, named("venue.fetch")); !errors.Is(err, budget.ErrCurrency) {
		t.Errorf("a bill in dollars under a limit in euros: %v", err)
	}
	if err := budget.Charge(bill, budget.Amount{Micro: 1, Currency: "EUR"}); !errors.Is(err, budget.ErrCurrency) {
		t.Errorf("Charge = %v; want %v", err, budget.ErrCurrency)
	}
	if err := budget.Charge(budget.WithBill(ctx, usd(1)), budget.Amount{Currency: "EUR"}); !errors.Is(err, budget.ErrCurrency) {
		t.Errorf("Charge = %v; want %v, before any gate has seen the bill", err, budget.ErrCurrency)
	}
	if err := budget.Charge(ctx, usd(1)); err != budget.ErrNoBill {
		t.Errorf("Charge = %v; want %v", err, budget.ErrNoBill)
	}
	if err := budget.Charge(bill, budget.Amount{Micro: -1500, Currency: "USD"}); err == nil || err.Error() != "a cost of -0.0015 USD is negative" {
		t.Errorf("Charge = %v; want a mistake", err)
	}
	for want, m := range map[string]budget.Amount{"0.25": {Micro: 250_000}, "3 USD": usd(3_000_000), "-9223372036854.775808 USD": usd(math.MinInt64)} {
		if m.String() != want {
			t.Errorf("String() = %q; want %q", m, want)
		}
	}
}

func TestSpendWhereEstimatesComeFrom(t *testing.T) {
	s := &budget.Spend{Currency: "USD", Limit: 1000, Estimate: usd(1), Costs: map[string]budget.Amount{"b": usd(2)}}
	for _, test := range []struct {
		ctx       context.Context
		operation string
		want      int64
	}{
		{ctx, "a", 1},
		{ctx, "b", 2},
		{budget.WithBill(ctx, budget.Amount{}), "b", 2},
		{budget.WithBill(ctx, usd(3)), "b", 3},
	} {
		before := s.Stats().Reserved
		if err := s.Admit(test.ctx, named(test.operation)); err != nil || s.Stats().Reserved-before != test.want {
			t.Errorf("%s: reserved %d, %v; want %d", test.operation, s.Stats().Reserved-before, err, test.want)
		}
	}
}

func TestSpendFailsClosed(t *testing.T) {
	est := usd(1)
	for _, test := range []struct {
		name  string
		spend *budget.Spend
		ctx   context.Context
		why   string // "" if it passes, "limit" if nothing is left
	}{
		{"zero value", &budget.Spend{}, ctx, "no limit is set, so nothing may be spent"},
		{"no estimate", &budget.Spend{Currency: "USD", Limit: 1}, ctx, "no estimate: set Estimate or Costs, or use budget.WithBill"},
		{"negative estimate", &budget.Spend{Currency: "USD", Limit: 1, Estimate: usd(-1)}, ctx, "the estimate is negative"},
		{"negative bill", &budget.Spend{Currency: "USD", Limit: 1, Estimate: est}, budget.WithBill(ctx, usd(-1)), "the estimate is negative"},
		{"negative limit", &budget.Spend{Currency: "USD", Limit: -1, Estimate: est}, ctx, "limit"},
		{"most negative limit", &budget.Spend{Currency: "USD", Limit: math.MinInt64, Estimate: est}, ctx, "limit"},
		{"negative limit of operations", &budget.Spend{Currency: "USD", PerOperation: -1, Estimate: est}, ctx, "limit"},
		{"largest estimate", &budget.Spend{Currency: "USD", Limit: math.MaxInt64, Estimate: usd(math.MaxInt64)}, ctx, ""},
		{"no parent", &budget.Spend{Currency: "USD", PerParent: 1, Estimate: est}, ctx, "the context has none: use budget.WithParent, or set Loose"},
		{"no parent, loose", &budget.Spend{Currency: "USD", PerParent: 1, Estimate: est, Loose: true}, ctx, ""},
		{"long parent", &budget.Spend{Currency: "USD", PerParent: 1, Estimate: est}, budget.WithParent(ctx, strings.Repeat("x", 257)), "the id is longer than 256 bytes"},
		{"no room for parents", &budget.Spend{Currency: "USD", PerParent: 1, Estimate: est, Remembered: -1}, budget.WithParent(ctx, "a"), "as many are remembered as may be, and none is forgotten; set Remembered higher"},
		{"no room for operations", &budget.Spend{Currency: "USD", PerOperation: 1, Estimate: est, Remembered: -1}, ctx, "as many are remembered as may be, and none is forgotten; set Remembered higher"},
	} {
		err := test.spend.Admit(test.ctx, first(0))
		if test.why == "" {
			if err != nil {
				t.Errorf("%s: %v; want nil", test.name, err)
			}
			if err = test.spend.Admit(test.ctx, first(0)); test.spend.Limit == math.MaxInt64 && err == nil {
				t.Errorf("%s: twice", test.name)
			}
			continue
		}
		e := refused(t, err, budget.RuleSpend)
		if why := "limit"; (e.Err != nil && e.Err.Error() != test.why) || (e.Err == nil && why != test.why) {
			t.Errorf("%s: %v; want because %s", test.name, err, test.why)
		}
		if test.spend.Stats().Denied != 1 {
			t.Errorf("%s: %+v; want one refusal", test.name, test.spend.Stats())
		}
	}
}

func TestSpendPerOperationAndParent(t *testing.T) {
	s := &budget.Spend{Currency: "USD", Limit: 100, PerOperation: 50, PerParent: 30, Window: time.Minute, Estimate: usd(10)}
	spend := func(operation, parent string, after time.Duration) *budget.Error {
		t.Helper()
		a := at(named(operation), after)
		err := s.Admit(budget.WithParent(ctx, parent), a)
		if err == nil {
			s.Settle(a, ended(retry.Succeeded))
			return nil
		}
		return refused(t, err, budget.RuleSpend)
	}
	for i := range 3 {
		if e := spend("a", "p", 0); e != nil {
			t.Fatalf("%d: %v", i, e)
		}
	}
	if e := spend("a", "p", 0); e == nil || e.Parent != "p" || e.Limit != 30 || e.Balance != 0 {
		t.Errorf("parent: %+v; want its limit of 30", e)
	}
	spend("a", "q", 0)
	spend("a", "q", 0)
	if e := spend("a", "q", 0); e == nil || e.Parent != "" || e.Limit != 50 {
		t.Errorf("operation: %+v; want its limit of 50", e)
	}
	for range 5 {
		if e := spend("b", fmt.Sprint("r", s.Stats().Spent), 0); e != nil {
			t.Fatal(e)
		}
	}
	if e := spend("c", "s", 59*time.Second); e == nil || e.Limit != 100 {
		t.Errorf("window: %+v; want its limit of 100", e)
	}
	if got := s.Stats().Operations; !maps.Equal(got, map[string]int64{"a": 50, "b": 50, "c": 0}) {
		t.Errorf("operations %v", got)
	}
	// A new window forgets what was spent, but not what parents spent.
	if e := spend("a", "q", time.Minute); e != nil {
		t.Errorf("next window: %v", e)
	}
	if e := spend("a", "p", time.Minute); e == nil || e.Parent != "p" {
		t.Errorf("next window: %+v; want the parent to have spent all", e)
	}
	if got := s.Stats(); got.Spent != 10 || !maps.Equal(got.Operations, map[string]int64{"a": 10}) || s.SpentBy("p") != 30 || s.SpentBy("unknown") != 0 {
		t.Errorf("%+v, p %d; want the new window only, p 30", got, s.SpentBy("p"))
	}
}

// What is reserved in one window and ends in another is paid for in the later one.
func TestSpendAcrossWindows(t *testing.T) {
	s := &budget.Spend{Currency: "USD", Limit: 30, PerOperation: 30, Window: time.Minute, Estimate: usd(10)}
	held := admit(t, s, named("a"))
	if err := run(s, named("a"), retry.Failed); err != nil { // forgotten with the first window
		t.Fatal(err)
	}
	if err := run(s, at(named("a"), 10*time.Minute+time.Second), retry.Failed); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats(); got.Reserved != 10 || got.Spent != 10 || got.Operations["a"] != 10 {
		t.Errorf("%+v; want 10 reserved and 10 spent in the new window", got)
	}
	s.Settle(held, ended(retry.Succeeded))
	if got := s.Stats(); got.Reserved != 0 || got.Spent != 20 || got.Operations["a"] != 20 {
		t.Errorf("%+v; want 20 spent", got)
	}
	if err := run(s, named("a"), retry.Failed); err != nil { // asked for long ago: no window begins again
		t.Error(err)
	}
	refused(t, run(s, at(named("a"), 10*time.Minute+59*time.Second), retry.Failed), budget.RuleSpend)
	if err := run(s, at(named("a"), 11*time.Minute), retry.Failed); err != nil {
		t.Errorf("next window: %v", err)
	}
}

// Without a note nobody can say later what was reserved, so the estimate is booked at once.
func TestSpendWithoutNote(t *testing.T) {
	s := &budget.Spend{Currency: "USD", Limit: 20, Estimate: usd(10)}
	bare := &retry.Attempt{Number: 1, At: epoch}
	admit(t, s, bare)
	s.Settle(bare, ended(retry.NotStarted))
	if got := s.Stats(); got.Spent != 10 || got.Reserved != 0 {
		t.Errorf("%+v; want the estimate spent", got)
	}
	s.Settle(first(0), ended(retry.Failed)) // never admitted
	if got := s.Stats(); got.Spent != 10 || got.Defects != 1 {
		t.Errorf("%+v; want a defect", got)
	}
}

func TestSpendHoldsUnderConcurrency(t *testing.T) {
	s := &budget.Spend{Currency: "USD", Limit: 100_000, PerOperation: 60_000, PerParent: 30_000}
	var calls sync.WaitGroup
	for i := range uint64(8) {
		calls.Go(func() {
			r := rand.New(rand.NewPCG(i, 4))
			for range 500 {
				estimate := 1 + r.Int64N(1000)
				ctx := budget.WithBill(budget.WithParent(ctx, fmt.Sprint(r.IntN(6))), usd(estimate))
				a := named(fmt.Sprint(r.IntN(3)))
				if s.Admit(ctx, a) != nil {
					continue
				}
				if got := s.Stats(); got.Spent+got.Reserved > 100_000+got.Overruns {
					t.Errorf("%+v; want at most 100 000, and what came above the estimates", got)
				}
				budget.Charge(ctx, usd(r.Int64N(2*estimate)))
				s.Settle(a, ended(retry.State(r.IntN(5))))
			}
		})
	}
	calls.Wait()
	got := s.Stats()
	parents, operations := int64(0), int64(0)
	for p := range 6 {
		parents += s.SpentBy(fmt.Sprint(p))
	}
	for _, n := range got.Operations {
		operations += n
	}
	if got.Reserved != 0 || parents != got.Spent || operations != got.Spent || got.Defects != 0 || got.Spent < 90_000 {
		t.Errorf("%+v; parents spent %d, operations %d; want the same, nearly all, nothing reserved", got, parents, operations)
	}
}

func ExampleSpend() {
	models := &budget.Spend{
		Currency: "USD",
		Limit:    1_000_000, // one dollar in each hour
		Window:   time.Hour,
		Costs:    map[string]budget.Amount{"model.infer": {Micro: 300_000}},
	}
	p := &retry.Policy{Name: "model.infer", Gates: []retry.Gate{models}}

	ctx := budget.WithBill(context.Background(), budget.Amount{})
	retry.Run(ctx, p, func(ctx context.Context) error {
		return budget.Charge(ctx, budget.Amount{Micro: 120_000, Currency: "USD"})
	})
	fmt.Println(budget.Amount{Micro: models.Stats().Spent, Currency: "USD"})
	// Output:
	// 0.12 USD
}
