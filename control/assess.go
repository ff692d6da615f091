package control

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// facts is what health follows, beside the checks.
type facts struct {
	circuits  []link
	traffic   map[string]traffic // by component
	stopped   []string           // scopes
	badConfig bool
	noConfig  bool // there has to be one, and never was
	draining  bool
}

// A link is a circuit with the component that it is of.
type link struct {
	CircuitView
	component string
}

// traffic is what the calls of a component's operations came to: those that say something about the other side.
type traffic struct{ good, bad uint64 }

// facts collects them. No lock is held.
func (r *Registry) facts() facts {
	s := &r.live
	s.mu.Lock()
	f := facts{
		traffic: make(map[string]traffic), badConfig: !s.config.Good, noConfig: r.RequireConfig && !s.configured, draining: s.draining.Load(),
	}
	operations, circuits, tree := s.present(), slices.Clone(s.circuits), s.stops
	s.mu.Unlock()
	for _, o := range operations {
		if component := o.row().component; component != "" && !o.hidden {
			t := f.traffic[component]
			t.good += o.counters.outcome[SuccessFirstTry].Load() + o.counters.outcome[SuccessAfterRetry].Load()
			for _, bad := range []Outcome{Exhausted, DeadlineExceeded, BreakerDenied, UnknownOutcome} {
				t.bad += o.counters.outcome[bad].Load()
			}
			f.traffic[component] = t
		}
	}
	at := time.Now()
	for _, c := range circuits {
		for _, v := range c.views(at) {
			f.circuits = append(f.circuits, link{v, c.Component})
		}
	}
	if tree != nil {
		for _, s := range tree.Status() {
			if len(s.Stops) > 0 {
				f.stopped = append(f.stopped, string(s.Scope))
			}
		}
	}
	return f
}

// A judgment is what a HealthGate knows of a component.
type judgment struct {
	down  bool
	cause string
	at    time.Time     // when it was made
	fresh time.Duration // how long it counts
	until time.Time     // it will not be up before; the zero time if nobody knows
}

// A verdict is the state of a component with regard to its dependencies.
type verdict struct {
	own   own
	cause string
	root  string // the dependency, near or far, that fails; empty if none does
	until time.Time
}

// assess judges all components, publishes what gates want to know, and returns the health with notes of what is new.
// health.mu is held.
func (r *Registry) assess(f facts, at time.Time) (report Health, notes []Note) {
	h := &r.live.health
	report = Health{Status: StatusOK, Ready: !f.draining && !f.noConfig, Components: []ComponentView{}}
	degrade := func(cause string) {
		if report.Status == StatusOK {
			report.Status = StatusDegraded
		}
		report.Causes = append(report.Causes, cause)
	}
	fail := func() { report.Status, report.Ready = StatusFailing, false }
	verdicts := make(map[*component]verdict, len(h.order))
	for _, c := range h.order {
		v := c.verdict(f, at)
		for _, d := range c.deps {
			switch below := verdicts[d]; {
			case below.root != "":
				v.root = cmp.Or(v.root, below.root)
			case below.own == failing:
				v.root = cmp.Or(v.root, d.Name)
			}
		}
		verdicts[c] = v
		view := c.view(v, at)
		report.Components = append(report.Components, view)
		if view.State != c.shown {
			notes = append(notes, Note{Kind: "health", At: at, Target: c.Name, Text: fmt.Sprintf("%s -> %s: %s", c.shown, view.State, cmp.Or(view.Cause, "all is well"))})
			c.shown = view.State
		}
		c.judgment.Store(&judgment{
			down: v.own == failing || v.root != "", cause: cmp.Or(view.Cause, v.cause), at: at, fresh: 3 * c.Interval, until: v.until,
		})
		switch {
		case v.own == up && v.root == "":
			continue
		case c.Critical && v.own == failing:
			fail()
		case c.Critical && v.own == unchecked:
			report.Ready = false
		}
		if v.root == "" { // else the root came before, and is the cause
			degrade(fmt.Sprintf("%s: %s", c.Name, cmp.Or(v.cause, view.State)))
		}
	}
	for _, c := range f.circuits {
		if c.degraded() && h.components[c.component] == nil { // else that component said so
			degrade(circuitCause(c))
		}
		if c.Critical && c.open() {
			fail()
		}
	}
	for _, scope := range f.stopped {
		degrade("stopped: " + scope)
	}
	for _, one := range []struct {
		is  bool
		why string
	}{{f.badConfig, "configuration: the last one could not be loaded"}, {f.noConfig, "configuration: not loaded"}, {f.draining, "draining"}} {
		if one.is {
			degrade(one.why)
		}
	}
	slices.SortFunc(report.Components, func(a, b ComponentView) int { return cmp.Compare(a.Name, b.Name) })
	return report, notes
}

func circuitCause(c link) string {
	return fmt.Sprintf("circuit %s is %s", cmp.Or(c.Target, c.Policy), c.State)
}

// fewest is how many calls that ended badly, and none well, say that the other side is down.
const fewest = 3

// verdict returns the state of a component by itself. health.mu is held.
func (c *component) verdict(f facts, at time.Time) verdict {
	if c.Check == nil {
		c.follow(f.traffic[c.Name], at)
	}
	v := verdict{own: c.state, until: c.resting}
	if c.err != nil {
		v.cause = clip(c.redact(c.err))
	}
	switch age := at.Sub(c.answered); {
	case c.stuck(at):
		v.own, v.cause = failing, fmt.Sprintf("its check is stuck: it has run for %v and ignores its context", at.Sub(c.started).Round(time.Millisecond))
	case c.Check != nil && c.state == unchecked:
		v.cause = "never checked"
	case c.Check != nil && c.Critical && c.state != failing && age > 3*c.Interval:
		v.own, v.cause = failing, fmt.Sprintf("no answer for %v", age.Round(time.Millisecond))
	case v.own == up:
		v.cause = "" // it failed once, which is forgiven
	}
	for _, k := range f.circuits {
		if k.component != c.Name || !k.degraded() {
			continue
		}
		if k.Critical && k.open() {
			v.own, v.cause = failing, circuitCause(k)
		} else if v.own == up {
			v.own, v.cause = degraded, circuitCause(k)
		}
		if k.NextProbe.After(v.until) {
			v.until = k.NextProbe
		}
	}
	return v
}

// follow judges a component without a check by its operations, once an interval.
func (c *component) follow(t traffic, at time.Time) {
	if !c.seen.IsZero() && at.Sub(c.seen) < c.Interval {
		return
	}
	good, bad := t.good-c.good, t.bad-c.bad
	first := c.seen.IsZero()
	switch {
	case good > 0:
		c.judge(nil)
	case bad >= fewest && !first:
		c.judge(errors.New("none of its calls succeeds"))
	case bad > 0 && !first:
		return // too few to tell: go on counting
	}
	c.seen, c.good, c.bad = at, t.good, t.bad
	c.answered = at
}

// view shows a component. health.mu is held.
func (c *component) view(v verdict, at time.Time) ComponentView {
	view := ComponentView{
		Name: c.Name, Critical: c.Critical, DependsOn: c.DependsOn, State: stateNames[v.own], Cause: v.cause, Stuck: c.stuck(at),
		Running: c.running != nil, Checked: c.answered, Took: c.took,
	}
	if v.root != "" && v.own != unchecked {
		view.State, view.Cause = stateNames[degraded], "because of "+v.root
	}
	return view
}
