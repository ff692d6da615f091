package chaos

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
)

// A Switch is an http.Handler that shows and changes the rules of an Injector while the program runs:
//
//	GET      the rules, and how many operations met which fault, as JSON
//	PUT      the body is the new rules, as Parse reads them; an empty one switches the faults off
//	DELETE   switches them off
//
// A text with mistakes changes nothing and is answered with 400. A Switch asks nobody who they are: put it where only those
// come who may make things fail. It is safe for concurrent use.
type Switch struct{ Injector *Injector }

// A Status is what a [Switch] answers.
type Status struct {
	Rules  []string  `json:"rules"`
	Counts []Counted `json:"counts"` // by operation and fault
}

// Counted is how many operations met a fault.
type Counted struct {
	Op    string `json:"op"`
	Fault string `json:"fault"`
	Count int    `json:"count"`
}

// mostText is how long rules may be.
const mostText = 64 << 10

// ServeHTTP implements http.Handler.
func (s *Switch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPut:
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostText))
		if _, long := errors.AsType[*http.MaxBytesError](err); long {
			http.Error(w, "the rules are longer than 64 KiB", http.StatusRequestEntityTooLarge)
			return
		}
		var rules []Rule
		if err == nil {
			rules, err = Parse(string(text))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.Injector.Set(rules...)
	case http.MethodDelete:
		s.Injector.Set()
	default:
		w.Header().Set("Allow", "GET, HEAD, PUT, DELETE")
		http.Error(w, "the faults can be read, put and deleted", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(s.Injector.status())
}

// status is what the Injector does, in text.
func (i *Injector) status() Status {
	s := Status{Rules: []string{}, Counts: []Counted{}}
	for _, r := range i.Rules() {
		s.Rules = append(s.Rules, r.String())
	}
	for c, n := range i.Counts() {
		s.Counts = append(s.Counts, Counted{c.Op, c.Fault.String(), n})
	}
	slices.SortFunc(s.Counts, func(a, b Counted) int { return cmp.Or(cmp.Compare(a.Op, b.Op), cmp.Compare(a.Fault, b.Fault)) })
	return s
}
