package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/relent-go/relent/control"
)

const registered = `version: 1
policies:
  venue.read: {idempotent: true, component: venue, gates: [halt, breaker.venue, budget.reads]}
budgets: {reads: {max: 5}, other: {profile: grpc}}
breakers: {venue: {readiness: critical}, old: {profile: hystrix}}
components: {venue: {critical: true, depends_on: [clock, base]}, base: {critical: true}}
`

// A registry gets the parts of the first file, and the policies of each one after it.
func TestRegisterAndPublish(t *testing.T) {
	name := filepath.Join(t.TempDir(), "relent.yaml")
	write(t, name, registered)
	var r control.Registry
	f, err := Read(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, err := f.Register(t.Context(), &r)
	if err != nil {
		t.Fatal(err)
	}
	v := r.View()
	if len(v.Policies) != 1 || v.Policies[0].Component != "venue" || len(v.Circuits) != 1 || !v.Circuits[0].Critical || len(v.Budgets) != 1 || !slices.Equal(v.Budgets[0].Policies, []string{"venue.read"}) || len(v.Components) != 2 || v.Config.Hash != f.Hash {
		t.Errorf("view %+v", v)
	}
	if _, err := f.Register(t.Context(), &r); err == nil {
		t.Error("registered twice without an error")
	}

	w := &Watcher{Name: name}
	w.Adopt(first)
	w.Publish = func(next *Set, e Event) error { return next.Publish(t.Context(), &r, w.Current(), e) }
	write(t, name, strings.NewReplacer("max: 5", "max: 6", "idempotent: true", "idempotent: true, max_attempts: 7", "old: {profile: hystrix}", "new: {}", "other: {profile: grpc}", "next: {}").Replace(registered))
	if e := w.Reload("api", "ops1"); e.Result != Applied {
		t.Fatalf("event %+v", e)
	}
	o, err := r.Operation("venue.read")
	if err != nil || o.Current().MaxAttempts != 7 {
		t.Errorf("the operation has %d attempts, %v; want 7", o.Current().MaxAttempts, err)
	}
	if v := r.View(); len(v.Circuits) != 2 || len(v.Budgets) != 2 || v.Budgets[1].Max != 6 {
		t.Errorf("circuits %+v, budgets %+v", v.Circuits, v.Budgets)
	}
	text, _ := os.ReadFile(name)
	write(t, name, strings.Replace(string(text), "base: {critical: true}", "base: {critical: true, timeout: 1s}", 1))
	if e := w.Reload("api", "ops1"); e.Result != Refused || !strings.Contains(e.Err.Error(), "components.base.timeout: needs restart") {
		t.Errorf("event %+v; want a refusal", e)
	}
	// What a registry refuses is not in force.
	write(t, name, strings.Replace(string(text), "version: 1", "version: 1 #", 1))
	no := errors.New("no")
	w.Publish = func(*Set, Event) error { return no }
	if e := w.Reload("api", "ops1"); e.Err != no {
		t.Errorf("event %+v", e)
	}
}

// What the registry has already is an error that names the part.
func TestRegisterTwice(t *testing.T) {
	for what, text := range map[string]string{
		"breakers.one": "version: 1\nbreakers: {one: {}}\n",
		"budgets.one":  "version: 1\nbudgets: {one: {}}\n",
	} {
		var r control.Registry
		f := file(t, text)
		s, err := f.Register(t.Context(), &r)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Publish(t.Context(), &r, &Set{}, Event{}); err == nil || !strings.HasPrefix(err.Error(), what) {
			t.Errorf("%v; want one about %s", err, what)
		}
	}
	var r control.Registry
	r.AddComponents(control.Component{Name: "one"})
	if _, err := file(t, "version: 1\ncomponents: {one: {}}\n").Register(t.Context(), &r); err == nil {
		t.Error("a component that is there already: no error")
	}
}

// published writes a file, gives its parts to a registry, and publishes there what it says after each reload.
func published(t *testing.T, name, text string, r *control.Registry) *Watcher {
	t.Helper()
	write(t, name, text)
	f, err := Read(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, err := f.Register(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	w := &Watcher{Name: name}
	w.Adopt(first)
	w.Publish = func(next *Set, e Event) error { return next.Publish(t.Context(), r, w.Current(), e) }
	return w
}

// What a file no longer has is no longer shown, and a breaker with other rules is shown once.
func TestPublishRemoves(t *testing.T) {
	name := filepath.Join(t.TempDir(), "relent.yaml")
	text := "version: 1\npolicies: { p: { gates: [breaker.a, budget.x] } }\nbreakers: { a: {}, b: {} }\nbudgets: { x: {}, y: {} }\n"
	var r control.Registry
	w := published(t, name, text, &r)
	reload := func(text string, want Result, circuits, budgets int) {
		t.Helper()
		write(t, name, text)
		if e := w.Reload("api", ""); e.Result != want {
			t.Errorf("%s: %+v; want %s", text, e, want)
		}
		if v := r.View(); len(v.Circuits) != circuits || len(v.Budgets) != budgets {
			t.Errorf("%s: circuits %+v, budgets %+v; want %d and %d", text, v.Circuits, v.Budgets, circuits, budgets)
		}
	}
	reload(strings.NewReplacer(", b: {}", "", ", y: {}", "").Replace(text), Applied, 1, 1)
	reload(strings.NewReplacer("a: {}, b: {}", "a: {probes: 3}", "y: {}", "y: {profile: grpc}").Replace(text), Applied, 1, 1)
	reload(strings.Replace(text, "y: {}", "y: {max: 3}", 1), Applied, 2, 2)

	// What the registry refuses leaves nothing behind, and works once it is right.
	if err := r.AddBudget("z", func() control.BudgetView { return control.BudgetView{} }); err != nil {
		t.Fatal(err)
	}
	more := strings.NewReplacer("b: {}", "b: {}, c: {}", "y: {}", "y: {max: 3}, w: {}").Replace(text)
	reload(strings.Replace(more, "w: {}", "w: {}, z: {}", 1), Refused, 2, 3)
	reload(more, Applied, 3, 4)
}

// A budget that stays is shown with the policies that draw on it now, and with those of before if the registry refuses the rest.
func TestPublishRenamesUsers(t *testing.T) {
	name := filepath.Join(t.TempDir(), "relent.yaml")
	text := "version: 1\npolicies: { p: { gates: [budget.x] }, q: {} }\nbudgets: { x: {} }\n"
	var r control.Registry
	w := published(t, name, text, &r)
	if err := r.AddBudget("z", func() control.BudgetView { return control.BudgetView{} }); err != nil {
		t.Fatal(err)
	}
	both := strings.Replace(text, "q: {}", "q: { gates: [budget.x] }", 1)
	for _, test := range []struct {
		text string
		want Result
		are  string
	}{
		{strings.Replace(both, "x: {}", "x: {}, z: {}", 1), Refused, "[p]"},
		{both, Applied, "[p q]"},
		{strings.Replace(both, "[budget.x] }, q", "[] }, q", 1), Applied, "[q]"},
		{strings.Replace(both, "x: {}", "x: { max: 7 }", 1), Applied, "[p q]"},
	} {
		write(t, name, test.text)
		if e := w.Reload("api", ""); e.Result != test.want {
			t.Errorf("%s: %+v; want %s", test.text, e, test.want)
		}
		v := r.View().Budgets
		if len(v) != 2 || v[0].Name != "x" || fmt.Sprint(v[0].Policies) != test.are {
			t.Errorf("%s: %+v; want x with %s", test.text, v, test.are)
		}
	}
}

// What a control plane sends to its processes is what the file gives, without what only their code may say.
func TestFields(t *testing.T) {
	f := file(t, `version: 1
policies:
  all: { max_attempts: 4, max_elapsed: 9s, attempt_timeout: 2s, expected: 20ms, backoff: "constant(1s, none)", max_hint: 3s, priority: critical, cost: 2, idempotent: true, nested: true, scope: a/b }
  ours: { idempotent: true, max_attempts: unlimited, max_elapsed: 1m, expected: 0s, max_hint: 0s }
  many: { max_attempts: 100000, cost: 3 }
  none: {}
`)
	got := f.Fields()
	want := map[string]map[string]string{
		"all": {
			"max_attempts": "4", "max_elapsed": "9s", "attempt_timeout": "2s", "expected": "20ms", "backoff": "constant(1s, none)", "max_hint": "3s",
			"priority": "critical", "cost": "2",
		},
		"ours": {"max_elapsed": "1m0s"},
		"many": {"cost": "3"},
	}
	if !maps.EqualFunc(got, want, maps.Equal) {
		t.Errorf("Fields() = %v; want %v", got, want)
	}
}
