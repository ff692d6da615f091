package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/relent-go/relent/control"
)

// wholeView serves the view as the source gives it.
func (h *Handler) wholeView(w http.ResponseWriter, _ *http.Request, _ Identity) {
	v, _, _ := h.sampler.now()
	reply(w, v)
}

// topic serves one topic as the stream has it.
func (h *Handler) topic(w http.ResponseWriter, r *http.Request, _ Identity) {
	name := r.PathValue("topic")
	if !slices.Contains(topics[:], name) {
		fail(w, http.StatusNotFound, fmt.Sprintf("no topic %q: there are %s", name, strings.Join(topics[:], ", ")))
		return
	}
	h.hub.mu.Lock()
	b := object(nil, h.hub.state[name])
	h.hub.mu.Unlock()
	reply(w, json.RawMessage(b))
}

// history serves the past of one policy, or of all: ?policy=…&range=5m.
func (h *Handler) history(w http.ResponseWriter, r *http.Request, _ Identity) {
	q := r.URL.Query()
	span, err := time.ParseDuration(q.Get("range"))
	if err != nil && q.Get("range") != "" {
		fail(w, http.StatusBadRequest, "range: "+err.Error())
		return
	}
	past, ok := h.sampler.history(q.Get("policy"), span)
	if !ok {
		fail(w, http.StatusNotFound, fmt.Sprintf("no history of the policy %q", q.Get("policy")))
		return
	}
	reply(w, past)
}

// limit reads how many of something a request asks for.
func limit(r *http.Request, most int) int {
	n, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || n <= 0 {
		return min(most, 200)
	}
	return min(n, most)
}

// events serves the last events: ?filter=…&limit=200.
func (h *Handler) events(w http.ResponseWriter, r *http.Request, _ Identity) {
	reply(w, h.hub.recent(parseFilter(r.URL.Query().Get("filter")), limit(r, ringNotes)))
}

// scopes serves what can be stopped, widest first.
func (h *Handler) scopes(w http.ResponseWriter, _ *http.Request, _ Identity) {
	v, _, _ := h.sampler.now()
	set := map[string]bool{}
	for _, p := range v.Policies {
		path := scopeOf(&p)
		for i := range path {
			if path[i] == '/' {
				set[path[:i]] = true
			}
		}
		set[path] = true
	}
	for _, s := range v.Stops {
		set[s.Scope] = true
	}
	delete(set, "global")
	names := []string{}
	for s := range set {
		names = append(names, s)
	}
	slices.Sort(names)
	reply(w, append([]string{"global"}, names...))
}

// scopeOf returns the scope of a policy.
func scopeOf(p *control.PolicyView) string {
	if p.Component == "" {
		return p.Name
	}
	return p.Component + "/" + p.Name
}

// covers reports whether a stop of a scope stops what is at a path.
func covers(scope, path string) bool {
	return scope == "global" || scope == path || strings.HasPrefix(path, scope+"/")
}

// A Radius is what a stop of a scope would meet.
type Radius struct {
	Scope    string             `json:"scope"`
	Policies []string           `json:"policies"`
	InFlight int64              `json:"in_flight"`
	Waiting  int64              `json:"waiting"`
	Unknown  int64              `json:"unknown"`  // orders of unknown outcome
	Everyone bool               `json:"everyone"` // Unknown is of all venues, because none has the scope's name
	Below    []control.StopView `json:"below"`    // stops inside it, which a release leaves
}

// radius serves a Radius: ?scope=….
func (h *Handler) radius(w http.ResponseWriter, r *http.Request, _ Identity) {
	v, _, _ := h.sampler.now()
	reply(w, radiusOf(v, r.URL.Query().Get("scope")))
}

func radiusOf(v control.View, scope string) Radius {
	d := Radius{Scope: scope, Policies: []string{}, Everyone: true, Below: []control.StopView{}}
	for i := range v.Policies {
		if p := &v.Policies[i]; covers(scope, scopeOf(p)) {
			d.Policies = append(d.Policies, p.Name)
			d.InFlight += p.InFlight
			d.Waiting += p.Waiting
		}
	}
	parts := strings.Split(scope, "/")
	var all int64
	for _, x := range v.Venues {
		all += x.Unknown
		if slices.Contains(parts, x.Name) {
			d.Unknown += x.Unknown
			d.Everyone = false
		}
	}
	if d.Everyone {
		d.Unknown = all
	}
	for _, s := range v.Stops {
		if s.Scope != scope && !s.Drill && s.State != "running" && covers(scope, s.Scope) {
			d.Below = append(d.Below, s)
		}
	}
	return d
}
