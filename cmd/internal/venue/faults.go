package venue

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Faults are the rules of a venue. A request is tried against them in the order they were added, and the first that
// hits is the only one. It is safe for concurrent use.
type Faults struct {
	seed uint64

	mu    sync.Mutex
	rules []*rule // guarded by mu
}

type rule struct {
	Fault

	id    string // for the seeded decision: the place and the name
	added time.Time
	seen  int // requests the fixed part of Match selected
	hits  int
}

// Add appends rules. If one of them does not pass Validate, none is added and the error names all mistakes.
func (f *Faults) Add(faults ...Fault) error {
	if err := validate(faults); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range faults {
		n := len(f.rules) + 1
		if fault.Name == "" {
			fault.Name = fmt.Sprintf("%s-%d", kindName(fault), n)
		}
		f.rules = append(f.rules, &rule{Fault: fault, id: fmt.Sprintf("%d %s", n, fault.Name), added: time.Now()})
	}
	return nil
}

func kindName(f Fault) string {
	if f.Func != nil {
		return "func"
	}
	return string(f.Kind)
}

// Clear removes all rules. Requests that are held stay held.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// List returns the rules in the order they are tried.
func (f *Faults) List() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Fault, len(f.rules))
	for i, r := range f.rules {
		out[i] = r.Fault
	}
	return out
}

// restart makes the rules as new, for a reset of the venue.
func (f *Faults) restart(seed uint64, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seed = seed
	for _, r := range f.rules {
		r.added, r.seen, r.hits = now, 0, 0
	}
}

// A subject is what a rule is tried on.
type subject struct {
	seq                          uint64
	at                           time.Time
	method, path, client, symbol string
	route                        *route // nil if it is not a request, or one for no endpoint
}

func (c *call) subject() subject {
	return subject{c.seq, c.arrived, c.method, c.path, c.client, c.symbol, c.route}
}

// pick returns the rule of a stage that hits, with its delay drawn, or nil.
func (f *Faults) pick(s stage, c subject) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if stages[r.Kind] != s || (r.Count > 0 && r.hits >= r.Count) || !r.selects(c) {
			continue
		}
		r.seen++
		if !r.due() {
			continue
		}
		if p := r.Match.Probability; p > 0 && draw(f.seed, r.id, c.seq) >= p {
			continue
		}
		r.hits++
		hit := r.Fault
		if hit.DelayMax > hit.Delay {
			hit.Delay += time.Duration(draw(f.seed, r.id+" delay", c.seq) * float64(hit.DelayMax-hit.Delay))
		}
		return &hit
	}
	return nil
}

// selects tests the fixed part of Match, and whether the kind has a meaning for the subject.
func (r *rule) selects(c subject) bool {
	m, age := r.Match, c.at.Sub(r.added)
	switch {
	case m.Method != "" && !strings.EqualFold(m.Method, c.method),
		m.ClientID != "" && m.ClientID != c.client,
		m.Symbol != "" && m.Symbol != c.symbol,
		age < m.After, m.Until > 0 && age >= m.Until:
		return false
	}
	if prefix, ok := strings.CutSuffix(m.Path, "*"); ok {
		if !strings.HasPrefix(c.path, prefix) {
			return false
		}
	} else if m.Path != "" && m.Path != c.path {
		return false
	}
	switch r.Kind {
	case StaleRead, HideOrder:
		return c.route != nil && c.route.replica
	case PartialFills, TakeBalance:
		return c.route != nil && c.route.places
	case FillFirst:
		return c.route != nil && c.route.cancels
	case ClockSkew:
		return c.route != nil && c.route.signed
	}
	return true
}

// due tests Nth and Every.
func (r *rule) due() bool {
	nth, every := r.Match.Nth, r.Match.Every
	switch {
	case every > 0 && nth > 0:
		return r.seen >= nth && (r.seen-nth)%every == 0
	case every > 0:
		return r.seen%every == 0
	case nth > 0:
		return r.seen == nth
	}
	return true
}
