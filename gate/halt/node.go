package halt

import (
	"slices"
	"strings"
	"time"
)

// A node is a scope of a tree. All of it is guarded by the tree's mu.
type node struct {
	scope     Scope
	parent    *node
	below     map[string]*node
	kind      Kind // as marked; 0 if not
	effective Kind // its own or that of the scopes above
	epoch     uint64
	held      [states]*entry // the stops in force, by state
	stoppers  []string       // who commanded them: the latest ones, without repetition
	ramp      *ramp
	watch     *Watch
	views     [kinds]*view
	leaf      *leaf // nil if nobody asked for a gate
}

// mostStoppers is how many of them a scope remembers.
const mostStoppers = 64

// An entry is a stop in force, or several of one state on one scope.
type entry struct {
	Who    string    `json:"who"`
	Why    string    `json:"why,omitempty"`
	Ticket string    `json:"ticket,omitempty"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"`   // the zero time for never
	Cancel bool      `json:"cancel,omitempty"` // running attempts, too
	Trip   string    `json:"trip,omitempty"`   // the limit that did it; empty for a command
	Held   bool      `json:"held,omitempty"`   // only a designated person may approve its end

	err *Error
}

// engage puts a stop in force, merged with one of the same state if there is one, and raises the epoch. What was
// being let go again begins anew with the first step, whenever the stop ends.
func (n *node) engage(s State, e entry) {
	if old := n.held[s]; old != nil {
		if old.Until.IsZero() || e.Until.IsZero() {
			e.Until = time.Time{}
		} else if old.Until.After(e.Until) {
			e.Until = old.Until
		}
		e.Since = old.Since
		e.Cancel = e.Cancel || old.Cancel
		e.Held = e.Held || old.Held
		if e.Trip == "" {
			e.Trip = old.Trip
		}
	}
	n.epoch++
	n.hold(s, e)
	n.stoppers = slices.DeleteFunc(n.stoppers, func(who string) bool { return samePerson(who, e.Who) })
	n.stoppers = append(n.stoppers, e.Who)
	n.stoppers = n.stoppers[max(0, len(n.stoppers)-mostStoppers):]
	n.ramp = n.ramp.anew()
}

// hold sets an entry with the error that its refusals are.
func (n *node) hold(s State, e entry) {
	e.err = &Error{
		Scope: n.scope, State: s, Who: e.Who, Why: e.Why, Ticket: e.Ticket,
		Epoch: n.epoch, Since: e.Since, Until: e.Until,
	}
	n.held[s] = &e
}

// stopped says whether any stop is in force on the scope itself.
func (n *node) stopped() bool { return n.held != [states]*entry{} }

// stops returns the stops in force; nil if there are none.
func (n *node) stops() map[State]*entry {
	if !n.stopped() {
		return nil
	}
	stops := make(map[State]*entry)
	for s, e := range n.held {
		if e != nil {
			stops[State(s)] = e
		}
	}
	return stops
}

// lifts returns what the end of all stops on a scope opens. mu is held.
func (t *Tree) lifts(n *node) (lifted [kinds]doors) {
	for s := range n.stops() {
		for k := range lifted {
			lifted[k] |= s.closed()
		}
	}
	if n == t.root {
		for k, d := range t.conditions[damaged].lifts() {
			lifted[k] |= d
		}
	}
	return lifted
}

// letGo begins a ramp for what was lifted, and for what an earlier ramp had not yet let go.
func (n *node) letGo(lifted [kinds]doors, r Ramp) {
	if n.ramp != nil {
		for k := range lifted {
			lifted[k] |= n.ramp.lifted[k]
		}
	}
	n.ramp = r.begin(n.scope, n.epoch, lifted)
}

// samePerson compares names as people write them.
func samePerson(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}

// clip keeps text within a record.
func clip(s string, most int) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}
