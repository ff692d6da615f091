package control_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
)

// Drills are shown beside what is stopped, as drills, until they end.
func TestDrillsAreShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _ := stoppable(t)
		stop := func(c control.Stop) {
			t.Helper()
			c.Actor, c.Reason = "ann", "monthly"
			if _, err := r.Stop(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		shown := func() string {
			var all []string
			for _, s := range r.View().Stops {
				all = append(all, strings.TrimSpace(fmt.Sprint(s.Scope, " ", s.State, " ", map[bool]string{true: "drill"}[s.Drill])))
			}
			return strings.Join(all, ", ")
		}
		check := func(want string) {
			t.Helper()
			if got := shown(); got != want {
				t.Errorf("shown: %s; want %s", got, want)
			}
		}
		stop(control.Stop{Scope: "desk", State: "drain"})
		stop(control.Stop{Scope: "other", State: "drain", Drill: true, Expires: time.Hour})
		stop(control.Stop{Scope: "desk", State: "no-retries", Drill: true})
		stop(control.Stop{Scope: "desk", State: "stopped", Drill: true})
		check("desk drain, desk stopped drill, other drain drill")
		if v := control.Merge(r.View(), r.View()); len(v.Stops) != 3 || v.Stops[0].Drill || !v.Stops[1].Drill {
			t.Errorf("of a fleet: %+v", v.Stops)
		}
		if h := r.Health(t.Context()); len(h.Causes) != 1 {
			t.Errorf("health %+v; want the stop alone to degrade it", h.Causes)
		}
		r.Stop(t.Context(), control.Stop{Scope: "refused", State: "stopped", Drill: true, Expires: time.Hour})
		time.Sleep(control.DrillShown)
		check("desk drain, other drain drill")
		time.Sleep(time.Hour)
		check("desk drain")
		for i := range 50 {
			stop(control.Stop{Scope: fmt.Sprint("d", i), State: "stopped", Drill: true})
		}
		if n := strings.Count(shown(), "drill"); n != 20 {
			t.Errorf("%d drills are shown; want a bound of 20", n)
		}
		for i := range control.MostScopes {
			stop(control.Stop{Scope: fmt.Sprint("s", i), State: "no-retries"})
		}
		if got := r.View().Stops; len(got) != control.MostScopes+20 || !got[len(got)-1].Drill {
			t.Errorf("%d scopes with drills; want %d", len(got), control.MostScopes+20)
		}
	})
}

func TestRemove(t *testing.T) {
	r := &control.Registry{}
	one, two := &breaker.Breaker{Name: "venue"}, &breaker.Breaker{Name: "venue"}
	for _, b := range []*breaker.Breaker{one, two} {
		if err := r.AddCircuit(control.Circuit{Policy: "place", Breaker: b}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.AddBudget("orders", control.BudgetOf(&budget.Budget{})); err != nil {
		t.Fatal(err)
	}
	if err := two.Isolate(breaker.Order{Who: "ann", Why: "test", At: time.Now(), For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if v := r.View().Circuits; len(v) != 1 || v[0].State != "isolated" {
		t.Errorf("two of one name: %+v; want one, as the worse is", v)
	}
	for i, want := range []bool{true, false} {
		if got := r.RemoveCircuit(control.Circuit{Breaker: two}); got != want {
			t.Errorf("RemoveCircuit %d = %v; want %v", i, got, want)
		}
		if got := r.RemoveBudget("orders"); got != want {
			t.Errorf("RemoveBudget %d = %v; want %v", i, got, want)
		}
	}
	if v := r.View(); len(v.Circuits) != 1 || v.Circuits[0].State != "closed" || len(v.Budgets) != 0 {
		t.Errorf("circuits %+v, budgets %+v", v.Circuits, v.Budgets)
	}
	if err := r.AddBudget("orders", control.BudgetOf(&budget.Budget{})); err != nil {
		t.Error(err)
	}
}
