package control

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// An Endpoint answers what is asked of a process from outside:
//
//	/livez    200: the process serves requests; nothing is checked. If this fails, restart it
//	/readyz   200 or 503: work may be sent here, or not
//	/healthz  200 for ok and degraded, 503 for failing: look at it
//
// The answer is a word. With ?verbose come the components, circuits, budgets, stops and findings, with ?component=x one
// component. It is text, or JSON for Accept: application/json.
type Endpoint struct {
	Registry *Registry
	Details  func(*http.Request) bool // who may see more than the word; nil means nobody
}

// ServeHTTP implements [http.Handler] for the last element of the path.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if q.Method != http.MethodGet && q.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "GET or HEAD, please", http.StatusMethodNotAllowed)
		return
	}
	a := answer{request: q}
	switch q.URL.Path[strings.LastIndexByte(q.URL.Path, '/')+1:] {
	case "livez":
		a.Status = StatusOK
	case "readyz":
		a.health = e.Registry.Health(q.Context())
		if a.Status = "ready"; !a.health.Ready {
			a.Status, a.code = "not ready", http.StatusServiceUnavailable
		}
	case "healthz":
		a.health = e.Registry.Health(q.Context())
		if a.Status = a.health.Status; a.Status == StatusFailing {
			a.code = http.StatusServiceUnavailable
		}
	default:
		http.NotFound(w, q)
		return
	}
	query := q.URL.Query()
	name := query.Get("component")
	if name == "" && !query.Has("verbose") || a.health.Components == nil {
		a.write(w)
		return
	}
	if e.Details == nil || !e.Details(q) {
		http.Error(w, "details need the viewer's role", http.StatusForbidden)
		return
	}
	if name == "" {
		e.detail(&a)
	} else if err := a.only(name); err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	a.write(w)
}

// An answer is what an endpoint says.
type answer struct {
	request *http.Request
	health  Health
	code    int // 0 means 200

	V          int             `json:"v"`
	Status     string          `json:"status"`
	Causes     []string        `json:"causes,omitempty"`
	Components []ComponentView `json:"components,omitempty"`
	Circuits   []CircuitView   `json:"circuits,omitempty"`
	Budgets    []BudgetView    `json:"budgets,omitempty"`
	Stops      []StopView      `json:"stops,omitempty"`
	Findings   []FindingView   `json:"findings,omitempty"`
}

func (e *Endpoint) detail(a *answer) {
	v := e.Registry.View()
	a.Causes, a.Components = a.health.Causes, a.health.Components
	a.Circuits, a.Budgets, a.Stops, a.Findings = v.Circuits, v.Budgets, v.Stops, v.Findings
}

// only makes the answer one about a component.
func (a *answer) only(name string) error {
	var known []string
	for _, c := range a.health.Components {
		known = append(known, c.Name)
		if c.Name != name {
			continue
		}
		a.Status, a.Components, a.code = c.State, []ComponentView{c}, 0
		if c.State == StatusFailing {
			a.code = http.StatusServiceUnavailable
		}
		return nil
	}
	return unknown("component", name, known)
}

func (a *answer) write(w http.ResponseWriter) {
	code := cmp.Or(a.code, http.StatusOK)
	if strings.Contains(a.request.Header.Get("Accept"), "application/json") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		a.V = 1
		json.NewEncoder(w).Encode(a)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprintln(w, a.Status)
	for _, c := range a.Causes {
		fmt.Fprintf(w, "cause: %s\n", c)
	}
	for _, c := range a.Components {
		fmt.Fprintf(w, "component %s: %s\n", c.Name, describe(c, time.Now()))
	}
	for _, c := range a.Circuits {
		if c.State != circuitStates[0] || c.Forced {
			fmt.Fprintf(w, "circuit %s %s: %s: %s\n", c.Policy, c.Target, c.State, c.Cause)
		}
	}
	for _, b := range a.Budgets {
		fmt.Fprintf(w, "budget %s: %.1f of %.1f\n", b.Name, b.Level, b.Max)
	}
	for _, s := range a.Stops {
		fmt.Fprintf(w, "stop %s: %s: %s\n", s.Scope, s.State, s.Reason)
	}
	for _, f := range a.Findings {
		fmt.Fprintf(w, "finding %s %s: %s\n", f.Kind, f.Subject, f.Summary)
	}
}

// describe says in one line how a component is.
func describe(c ComponentView, now time.Time) string {
	s := c.State
	if c.Cause != "" {
		s += ": " + c.Cause
	}
	if c.Critical {
		s += " (critical)"
	}
	switch {
	case c.Running && c.Checked.IsZero():
		s += " (being checked for the first time)"
	case c.Running:
		s += fmt.Sprintf(" (being checked; the last answer is %v old)", now.Sub(c.Checked).Round(time.Millisecond))
	}
	return s
}
