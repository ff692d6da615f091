package control_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
)

func TestEndpoint(t *testing.T) {
	viewer := func(*http.Request) bool { return true }
	down := func(t *testing.T, r *control.Registry) {
		add(t, r, control.Component{Name: "db", Critical: true, Check: new(check).fail(errDown).run},
			control.Component{Name: "slow", Check: (&check{takes: time.Second}).run})
	}
	degraded := func(t *testing.T, r *control.Registry) {
		add(t, r, control.Component{Name: "model", Check: new(check).fail(errDown).run})
		r.AddStops(&halt.Tree{})
		r.Stop(t.Context(), control.Stop{Scope: "desk", State: "drain", Actor: "ann", Reason: "test"})
		isolated(t, r, control.Circuit{Policy: "a", Target: "venue"})
		r.AddBudget("orders", control.BudgetOf(&budget.Budget{}))
		r.SetFindings(func() []control.FindingView {
			return []control.FindingView{{Kind: "hot_retry", Subject: "a", Summary: "many retries"}}
		})
	}
	for _, test := range []struct {
		name    string
		prepare func(*testing.T, *control.Registry)
		details func(*http.Request) bool
		target  string
		code    int
		body    string
	}{
		{"livez, whatever else", down, nil, "/livez", 200, "ok\n"},
		{"livez has no details", down, nil, "/livez?verbose", 200, "ok\n"},
		{"ready", nil, nil, "/readyz", 200, "ready\n"},
		{"not ready", down, nil, "/readyz", 503, "not ready\n"},
		{"draining", func(t *testing.T, r *control.Registry) { r.Drain() }, nil, "/readyz", 503, "not ready\n"},
		{"draining is degraded", func(t *testing.T, r *control.Registry) { r.Drain() }, nil, "/healthz", 200, "degraded\n"},
		{"ok", nil, nil, "/healthz", 200, "ok\n"},
		{"degraded", degraded, nil, "/healthz", 200, "degraded\n"},
		{"degraded is ready", degraded, nil, "/readyz", 200, "ready\n"},
		{"failing", down, nil, "/a/prefix/healthz", 503, "failing\n"},
		{"elsewhere", nil, nil, "/", 404, "404 page not found\n"},
		{"details for nobody", down, nil, "/healthz?verbose", 403, "details need the viewer's role\n"},
		{"details not for this one", down, func(*http.Request) bool { return false }, "/healthz?component=db", 403, "details need the viewer's role\n"},
		{"verbose", degraded, viewer, "/healthz?verbose", 200, "degraded\ncause: model: connection refused\ncause: circuit venue is isolated\ncause: stopped: desk\n" +
			"component model: failing: connection refused\ncircuit a venue: isolated: set by a person: ann (test)\nbudget orders: 10.0 of 10.0\nstop desk: drain: test\n" +
			"finding hot_retry a: many retries\n"},
		{"verbose, failing", down, viewer, "/readyz?verbose", 503, "not ready\ncause: db: connection refused\ncause: slow: never checked\n" +
			"component db: failing: connection refused (critical)\ncomponent slow: unknown: never checked (being checked for the first time)\n"},
		{"one that is down", down, viewer, "/healthz?component=db", 503, "failing\ncomponent db: failing: connection refused (critical)\n"},
		{"one that is not", down, viewer, "/readyz?component=slow", 200, "unknown\ncomponent slow: unknown: never checked (being checked for the first time)\n"},
		{"one that is none", down, viewer, "/healthz?component=dv", 404, "unknown component \"dv\"; did you mean \"db\"?\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &control.Registry{}
				if test.prepare != nil {
					test.prepare(t, r)
				}
				defer shut(t, r)
				w := httptest.NewRecorder()
				(&control.Endpoint{Registry: r, Details: test.details}).ServeHTTP(w, httptest.NewRequest("GET", test.target, nil))
				if w.Code != test.code || w.Body.String() != test.body {
					t.Errorf("%d %q; want %d %q", w.Code, w.Body, test.code, test.body)
				}
				if w.Header().Get("Cache-Control") != "no-store" {
					t.Error("an answer may be cached")
				}
			})
		})
	}
}

func TestEndpointJSON(t *testing.T) {
	r := &control.Registry{}
	add(t, r, control.Component{Name: "db", Critical: true, Check: new(check).fail(errDown).run})
	e := &control.Endpoint{Registry: r, Details: func(*http.Request) bool { return true }}
	for target, want := range map[string]string{
		"/livez":                `{"status":"ok","v":1}`,
		"/healthz":              `{"status":"failing","v":1}`,
		"/healthz?component=db": `"components":[{"cause":"connection refused","checked":"`,
	} {
		w := httptest.NewRecorder()
		q := httptest.NewRequest("GET", target, nil)
		q.Header.Set("Accept", "application/json")
		e.ServeHTTP(w, q)
		var parsed map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &parsed); err != nil {
			t.Errorf("%s: %q: %v", target, w.Body, err)
		}
		text, _ := json.Marshal(parsed)
		if !strings.Contains(string(text), want) || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s; want %s", target, text, want)
		}
	}
}

func TestEndpointMethods(t *testing.T) {
	for method, code := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "DELETE": 405} {
		w := httptest.NewRecorder()
		(&control.Endpoint{Registry: &control.Registry{}}).ServeHTTP(w, httptest.NewRequest(method, "/livez", nil))
		if w.Code != code {
			t.Errorf("%s: %d; want %d", method, w.Code, code)
		}
	}
}

// An answer that is not of now says how old it is.
func TestEndpointShowsTheAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &control.Registry{}
		add(t, r, control.Component{Name: "db", Check: (&check{takes: time.Second}).run})
		r.Health(t.Context())
		time.Sleep(7 * time.Second)
		w := httptest.NewRecorder()
		e := &control.Endpoint{Registry: r, Details: func(*http.Request) bool { return true }}
		e.ServeHTTP(w, httptest.NewRequest("GET", "/healthz?verbose", nil))
		if want := "component db: up (being checked; the last answer is 6.16s old)"; !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s; want %s", w.Body, want)
		}
		shut(t, r)
	})
}

func ExampleEndpoint() {
	r := &control.Registry{}
	r.AddComponents(control.Component{Name: "dns", Check: new(check).fail(errDown).run}, control.Component{Name: "binance", DependsOn: []string{"dns"}})
	health := &control.Endpoint{Registry: r, Details: func(*http.Request) bool { return true }}
	for _, path := range []string{"/livez", "/readyz", "/healthz"} {
		http.Handle(path, health)
	}
	w := httptest.NewRecorder()
	http.DefaultServeMux.ServeHTTP(w, httptest.NewRequest("GET", "/healthz?verbose", nil))
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// 200 degraded
	// cause: dns: connection refused
	// component binance: degraded: because of dns
	// component dns: failing: connection refused
}
