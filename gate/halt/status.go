package halt

import (
	"slices"
	"strings"
	"time"
)

// A Status is what a scope lets through at a moment.
type Status struct {
	Scope   Scope
	Kind    Kind
	Epoch   uint64    // to resume it with
	State   State     // the most severe state in force on its path
	New     Admission // of first attempts: the strictest on the path
	Retries Admission
	Stops   []Stop  // in force on the scope itself, the most severe first
	Share   float64 // of attempts that pass while it is let go again, 0 to 1; 1 otherwise
	Gated   bool    // it has gates
	Begun   int64   // attempts since the start of the process
	Active  int64   // attempts that run, if the tree counts them
}

// A Stop is one in force.
type Stop struct {
	State            State
	Who, Why, Ticket string
	Since, Until     time.Time // Until is the zero time if it never expires
	Cancel           bool      // running attempts were cancelled
	Trip             string    // the limit that did it; empty for a command
	Held             bool      // only a designated person may approve its end
}

// Status returns the scopes in the order of their names, global first.
func (t *Tree) Status() []Status {
	t.open()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle(time.Now())
	var all []Status
	t.root.each(func(n *node) { all = append(all, n.status()) })
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Scope.key(), b.Scope.key()) })
	return all
}

// key sorts global first.
func (s Scope) key() string {
	if s == Global {
		return ""
	}
	return string(s)
}

// Look returns the status of one scope. A scope that the tree does not have is as the closest one above it.
func (t *Tree) Look(s Scope) (Status, error) {
	t.open()
	path, err := s.Path()
	if err != nil {
		return Status{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle(time.Now())
	n := t.root
	for _, segment := range path {
		if n.below[segment] == nil {
			break
		}
		n = n.below[segment]
	}
	return n.status(), nil
}

// settle ends the ramps through which nothing went for so long that nobody waits behind them, unless a stop holds there. mu
// is held.
func (t *Tree) settle(now time.Time) {
	t.root.each(func(n *node) {
		if n.ramp != nil && n.views[n.effective].closed() == 0 && n.ramp.idle(now) {
			n.ramp = nil
			t.version++
			t.refresh(n, nil)
		}
	})
}

// status is Status for one scope. The tree's mu is held.
func (n *node) status() Status {
	v := n.views[n.effective]
	s := Status{Scope: n.scope, Kind: n.effective, Epoch: n.epoch, Share: 1, Gated: n.leaf != nil}
	for _, why := range v.deny {
		if why != nil {
			s.State = max(s.State, why.State)
		}
	}
	s.New, s.Retries = v.closed().column(first), v.closed().column(again)
	for state := Stopped; state > Running; state-- {
		if e := n.held[state]; e != nil {
			s.Stops = append(s.Stops, Stop{
				State: state, Who: e.Who, Why: e.Why, Ticket: e.Ticket, Since: e.Since, Until: e.Until,
				Cancel: e.Cancel, Trip: e.Trip, Held: e.Held,
			})
		}
	}
	for _, r := range v.ramps {
		s.Share = min(s.Share, r.present())
	}
	if n.leaf != nil {
		s.Begun, s.Active = n.leaf.counts()
	}
	return s
}
