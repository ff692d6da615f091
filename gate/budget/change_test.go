package budget_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

func TestChangeKeepsTheBalanceAndMintsNothing(t *testing.T) {
	b := &budget.Budget{}
	balance := func(step string, want int64) {
		t.Helper()
		if s := b.Stats(); s.Balance != want {
			t.Fatalf("%s: %+v; want balance %d", step, s, want)
		}
	}
	b.Change(nil)
	balance("nothing changed", 10000)
	b.Change(&budget.Budget{Max: 20})
	balance("a larger bucket", 10000)
	earn(b, 10)
	balance("ten successes", 11000)
	b.Change(&budget.Budget{Max: 4, Ratio: 0.5})
	balance("a smaller bucket", 4000)
	b.Change(&budget.Budget{Max: 20, Ratio: 0.5})
	balance("the larger one again", 4000)
	earn(b, 1)
	balance("a success at the new ratio", 4500)
	b.Change(&budget.Budget{Max: budget.None})
	balance("none", 0)
	earn(b, 10)
	balance("none earns nothing", 0)
	b.Change(&budget.Budget{})
	balance("defaults", 0)
	refused(t, run(b, again(retry.Transient), retry.Failed), budget.RuleTokens)
}

func TestChangeWhileRetriesAreReserved(t *testing.T) {
	b := &budget.Budget{Ceiling: budget.None}
	var held []*retry.Attempt
	for range 3 {
		held = append(held, admit(t, b, again(retry.Transient)))
	}
	b.Change(&budget.Budget{Max: 2, Costs: budget.Costs{Transient: 1}, CeilingMin: 1})
	if s := b.Stats(); s.Balance != 2000 || s.Retries != 3 || s.Ceiling != 1 {
		t.Fatalf("%+v; want the balance cut, and the retries in flight", s)
	}
	refused(t, run(b, again(retry.Transient), retry.Failed), budget.RuleCeiling)
	b.Settle(held[0], ended(retry.Failed))
	b.Settle(held[1], ended(retry.NotStarted)) // does not fit
	if s := b.Stats(); s.Balance != 2000 || s.Consumed[retry.Transient] != 1000 {
		t.Errorf("%+v; want a full bucket, and the old price consumed", s)
	}
	b.Change(&budget.Budget{})
	b.Settle(held[2], ended(retry.NotStarted))
	if s := b.Stats(); s.Balance != 3000 || s.Retries != 0 || s.Defects != 0 {
		t.Errorf("%+v; want what the last one took, back", s)
	}
}

func TestChangeTakesHealthFloorsAndTrickle(t *testing.T) {
	b := &budget.Budget{Trickle: 1}
	run(b, again(retry.Transient), retry.Failed)
	h := health(true)
	b.Change(&budget.Budget{Health: &h, Floors: budget.Floors{Normal: 0.5}, Trickle: 100})
	// The hour before the change belongs to neither trickle.
	refused(t, run(b, at(again(retry.Transient), time.Hour), retry.Failed), budget.RuleSuspect)
	if s := b.Stats(); s.Balance != 9000 {
		t.Errorf("%+v; want nothing to have trickled in", s)
	}
	if err := run(b, at(again(retry.Transient), time.Hour+10*time.Millisecond), retry.Failed); err != nil {
		t.Errorf("full again: %v", err)
	}
	h = false
	if n := count(b, func() *retry.Attempt { return prio(retry.Normal) }); n != 4 {
		t.Errorf("%d normal retries; want 4 above the floor", n)
	}
}

func ExampleBudget_Change() {
	b := &budget.Budget{}
	next := &budget.Budget{Max: 2, Load: budget.Load{Clients: 100}}
	if err := next.Check(); err == nil {
		b.Change(next)
	}
	s := b.Stats()
	fmt.Println(s.Balance, s.Capacity)

	p := &retry.Policy{Backoff: immediate, Gates: []retry.Gate{b}}
	retry.Run(context.Background(), p, func(context.Context) error { return busy })
	fmt.Println(b.Stats().Consumed)
	// Output:
	// 2000 2000
	// map[transient:2000]
}
