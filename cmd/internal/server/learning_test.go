package server

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

// A mode goes down to the processes, and what they learn comes up.
func TestModeOfALearner(t *testing.T) {
	watch, viewer := dashboard.NewToken("vera", dashboard.Viewer)
	steer, operator := dashboard.NewToken("ann", dashboard.Operator)
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte(viewer.String()+"\n"+operator.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := serve(t, Config{Store: file(t), TokenFile: tokens})
	p := join(t, s, "p1", watch)
	led, err := p.registry.AddOperation("venue", &retry.Policy{Name: "venue.get", Idempotent: true, Gates: []retry.Gate{&budget.Budget{}, &control.Learning{}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.registry.AddOperation("venue", &retry.Policy{Name: "venue.bare"}); err != nil {
		t.Fatal(err)
	}
	n := 0
	retry.Run(t.Context(), led, func(context.Context) error {
		if n++; n < 3 {
			return errors.New("reset")
		}
		return nil
	})
	seen := func(name string) (v control.PolicyView) {
		var all control.View
		ask(t, s, "GET", "/api/v1/view", watch, nil, &all)
		for _, one := range all.Policies {
			if one.Name == name {
				return one
			}
		}
		return v
	}
	until(t, "the server has heard what is learned", func() bool { l := seen("venue.get").Learning; return l != nil && l.Retries == 2 && len(l.Choices) > 0 })
	tune := func(who, operation, mode string) int {
		return ask(t, s, "POST", "/api/v1/tune", who, control.Tune{Operation: operation, Fields: map[string]string{"adaptive": mode}, Reason: "proven"}, nil)
	}
	for _, test := range []struct {
		name, who, operation, mode string
		want                       int
	}{
		{"a viewer", watch, "venue.get", "active", http.StatusForbidden}, {"no such operation", steer, "venue.git", "active", http.StatusConflict},
		{"no such mode", steer, "venue.get", "on", http.StatusConflict}, {"no budget", steer, "venue.bare", "active", http.StatusConflict},
		{"an operator", steer, "venue.get", "active", http.StatusOK},
	} {
		if got := tune(test.who, test.operation, test.mode); got != test.want {
			t.Errorf("%s: %d; want %d", test.name, got, test.want)
		}
	}
	until(t, "the process is active", func() bool { v := led.View(); return v.Learning.Mode == "active" && v.Override["adaptive"] == "active" })
	until(t, "the server says so", func() bool { return seen("venue.get").Learning.Mode == "active" })
	var records []audit.Record
	ask(t, s, "GET", "/api/v1/audit?limit=50", watch, nil, &records)
	if !slices.ContainsFunc(records, func(r audit.Record) bool {
		return r.Decision == "tune" && r.Actor == "ann" && r.Operation == "venue.get" && strings.Contains(r.Validation, "adaptive: active") && r.Why == "proven"
	}) {
		t.Errorf("not on record: %+v", records)
	}

	// A configuration is judged by what the processes have, as far as they were heard.
	err = s.Configure(t.Context(), Settings{Hash: "h1", Policies: map[string]map[string]string{"venue.bare": {"adaptive": "active"}}})
	if err == nil || !strings.Contains(err.Error(), "policies.venue.bare: adaptive: active needs a budget") {
		t.Errorf("Configure = %v", err)
	}
	err = s.Configure(t.Context(), Settings{Hash: "h2", Policies: map[string]map[string]string{"venue.bare": {"adaptive": "shadow"}, "venue.other": {"adaptive": "active"}}})
	if err != nil {
		t.Errorf("Configure = %v", err)
	}
	until(t, "the process learns what it did not before", func() bool { return seen("venue.bare").Learning != nil })
}
