package config

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/retry"
)

// learningOf returns the learning of a policy, which is its last gate.
func learningOf(t *testing.T, p *retry.Policy) *control.Learning {
	t.Helper()
	for i, g := range p.Gates {
		if l, ok := g.(*control.Learning); ok && i == len(p.Gates)-1 {
			return l
		}
	}
	t.Fatalf("%s has no learning at the end of its gates %v", p.Name, p.Gates)
	return nil
}

// What the text says of learning is what the policy has, and what a fleet is told.
func TestLearning(t *testing.T) {
	file, err := Read("testdata/good/adaptive.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	set, err := file.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	l := learningOf(t, set.Policies["binance.get_balance"])
	if l.Mode != adaptive.Active || l.Terms.Goal != adaptive.PreserveSuccess || l.Terms.AttemptCost != .05 || l.Terms.DelayCost != .01 || l.Terms.MaxWait.String() != "10s" {
		t.Errorf("%v", l)
	}
	for name, want := range map[string]string{
		"binance.get_balance": "active(attempt 0.05, second 0.01, max 10s, preserve-success)", "binance.get_account": "active", "binance.get_book": "shadow(promote)", "binance.place_order": "off",
	} {
		if got := file.Fields()[name]["adaptive"]; got != want || learningOf(t, set.Policies[name]).String() != want {
			t.Errorf("%s: %s for the fleet, and %s here; want %s", name, got, learningOf(t, set.Policies[name]), want)
		}
	}
	again, err := file.Build(set)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(set.Policies, again.Policies) {
		t.Error("the same text again makes other policies")
	}
}

// A mode in the file is in force after a reload; what was learned is kept in the file that it names.
func TestLearningReloads(t *testing.T) {
	state := filepath.Join(t.TempDir(), "learned")
	parse := func(mode string) *File {
		t.Helper()
		file, err := Parse("relent.yaml", []byte(strings.ReplaceAll(`version: 1
policies: { a.read: { idempotent: true, gates: [budget.b], adaptive: { mode: "MODE" } } }
budgets: { b: {} }
adaptive: { state_file: "`+state+`" }`, "MODE", mode)), nil)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	r := &control.Registry{Logger: slog.New(slog.DiscardHandler)}
	set, err := parse("shadow").Register(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	mode := func() string {
		o, err := r.Operation("a.read")
		if err != nil {
			t.Fatal(err)
		}
		return o.View().Learning.Mode
	}
	if mode() != "shadow" {
		t.Errorf("at first %s", mode())
	}
	next, err := parse("active").Build(set)
	if err != nil {
		t.Fatal(err)
	}
	changes := Diff(&set.File.Content, &next.File.Content)
	if len(changes) != 1 || changes[0].Path != "policies.a.read.adaptive.mode" || changes[0].Restart {
		t.Errorf("changes %+v", changes)
	}
	if err := next.Publish(t.Context(), r, set, Event{Changes: changes, Actor: "ann", Source: "file"}); err != nil || mode() != "active" {
		t.Errorf("after the reload %s, %v", mode(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.Run(ctx) // which writes at its end
	if info, err := os.Stat(state); err != nil || info.Size() == 0 {
		t.Errorf("nothing was kept: %v", err)
	}
	moved := *parse("active")
	moved.Adaptive = nil
	if changes := Diff(&next.File.Content, &moved.Content); len(changes) != 1 || !changes[0].Restart {
		t.Errorf("the file of what was learned: %+v", changes)
	}
}

// Without a budget among the gates, an active policy is a warning, and is refused where it becomes an operation.
func TestActiveWithoutABudget(t *testing.T) {
	file, err := Read("testdata/warn/adaptive.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.Register(t.Context(), &control.Registry{Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "a.read: adaptive: active needs a budget") {
		t.Errorf("Register = %v", err)
	}
}
