package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// A Set is what a file describes, ready for use. Gates that several policies name are shared. The maps are not
// modified.
type Set struct {
	File     *File
	Policies map[string]*retry.Policy
	Budgets  map[string]retry.Gate // by name: a *budget.Budget, or a profile
	Breakers map[string]retry.Gate // by name: a *breaker.Breaker, or a profile
	Limits   map[string]retry.Gate // by name
	Halt     *halt.Tree            // never nil

	pending []func() // what Commit does to gates that are in use already
}

// Build makes policies and gates. What a previous set has and this file leaves as it was is taken over, with its
// state: budgets keep their tokens, also under new settings, breakers their state and window, and the emergency stop
// is the same in any case. Nothing that is in use changes before [Set.Commit].
func (f *File) Build(previous *Set) (*Set, error) { return f.build(previous, nil) }

// Preview makes policies and gates to look at: the emergency stop is one in memory, and its file is left alone.
func (f *File) Preview() (*Set, error) {
	return f.build(nil, func(t *halt.Tree) error {
		t.File = "" // reading it would lock it
		return nil
	})
}

// build is Build; a new emergency stop goes through prepare before it is used.
func (f *File) build(previous *Set, prepare func(*halt.Tree) error) (*Set, error) {
	if previous == nil {
		previous = &Set{File: &File{}}
	}
	s := &Set{
		File: f, Policies: map[string]*retry.Policy{}, Budgets: map[string]retry.Gate{}, Breakers: map[string]retry.Gate{}, Limits: map[string]retry.Gate{},
		Halt: previous.Halt,
	}
	if s.Halt == nil {
		s.Halt = f.Halt.tree()
		if prepare != nil {
			if err := prepare(s.Halt); err != nil {
				return nil, err
			}
		}
		if err := f.Halt.furnish(s.Halt); err != nil {
			return nil, err
		}
	}
	for _, name := range sorted(f.Breakers) {
		if err := s.breaker(name, previous); err != nil {
			return nil, fmt.Errorf("breakers.%s: %w", name, err)
		}
	}
	for _, name := range sorted(f.Budgets) {
		if err := s.budget(name, previous); err != nil {
			return nil, fmt.Errorf("budgets.%s: %w", name, err)
		}
	}
	for _, name := range sorted(f.Limits) {
		def := f.Limits[name]
		if old, ok := previous.Limits[name]; ok && reflect.DeepEqual(def, previous.File.Limits[name]) {
			s.Limits[name] = old
			continue
		}
		s.Limits[name] = def.gate(name)
	}
	for _, name := range sorted(f.Policies) {
		if err := s.policy(name, previous); err != nil {
			return nil, fmt.Errorf("policies.%s: %w", name, err)
		}
	}
	return s, nil
}

// Commit puts in force what changes gates that are in use. It is called once, when the set is published.
func (s *Set) Commit() {
	for _, change := range s.pending {
		change()
	}
	s.pending = nil
}

// Policy returns a policy by its name. The error is an *[UnknownPolicy].
func (s *Set) Policy(name string) (*retry.Policy, error) {
	if p, ok := s.Policies[name]; ok {
		return p, nil
	}
	names := sorted(Named[*retry.Policy](s.Policies))
	return nil, &UnknownPolicy{Name: name, Suggestions: suggest(name, names), Names: names}
}

func (s *Set) breaker(name string, previous *Set) error {
	def := s.File.Breakers[name]
	old, had := previous.Breakers[name]
	was := previous.File.Breakers[name]
	was.Readiness = def.Readiness // is for health alone
	if had && reflect.DeepEqual(def, was) {
		s.Breakers[name] = old
		return nil
	}
	gate, err := def.gate(name)
	s.Breakers[name] = gate
	before, ok := old.(*breaker.Breaker)
	after, both := gate.(*breaker.Breaker)
	if err == nil && ok && both {
		s.pending = append(s.pending, func() { inherit(after, before.Snapshot(), time.Now()) })
	}
	return err
}

// inherit keeps a breaker whose rules changed from letting pass what its predecessor did not, and carries over what a
// person ordered.
func inherit(b *breaker.Breaker, was breaker.Snapshot, now time.Time) {
	switch was.State {
	case breaker.Isolated:
		b.Isolate(was.Order)
	case breaker.ForcedClosed:
		b.ForceClose(was.Order)
	case breaker.Open, breaker.HalfOpen:
		left := max(was.Until.Sub(now), time.Second)
		b.Isolate(breaker.Order{Who: "relent", Why: "its rules were changed while it was open", At: now, For: left})
	}
}

func (s *Set) budget(name string, previous *Set) error {
	def := s.File.Budgets[name]
	gate, err := def.budget(name)
	if err != nil {
		return err
	}
	made, plain := gate.(*budget.Budget)
	if plain && def.Health != "" {
		if health, ok := s.gate(def.Health).(budget.Health); ok {
			made.Health = health
		}
	}
	old, had := previous.Budgets[name]
	s.Budgets[name] = gate
	if !had {
		return nil
	}
	same := reflect.DeepEqual(def, previous.File.Budgets[name]) && s.gate(def.Health) == previous.gate(def.Health)
	before, could := old.(*budget.Budget)
	switch {
	case same:
		s.Budgets[name] = old
	case plain && could:
		s.Budgets[name] = old
		s.pending = append(s.pending, func() { before.Change(made) })
	}
	return nil
}

// gate returns a gate by what policies call it; nil if there is none.
func (s *Set) gate(reference string) retry.Gate {
	section, name, _ := strings.Cut(reference, ".")
	gates := map[string]map[string]retry.Gate{"budget": s.Budgets, "breaker": s.Breakers, "limit": s.Limits}[section]
	if g, ok := gates[name]; ok {
		return g
	}
	if g, ok := gates[reference]; ok { // the definition's name has the word for its section in front
		return g
	}
	return nil
}

func (s *Set) policy(name string, previous *Set) error {
	def := s.File.Policies[name]
	made := def.policy(name)
	for _, reference := range def.Gates {
		if reference != "halt" {
			made.Gates = append(made.Gates, s.gate(reference))
			continue
		}
		gate := s.Halt.Gate(def.scope(name)...)
		if err := gate.Err(); err != nil {
			return err
		}
		if def.RiskReducing {
			gate = gate.RiskReducing()
		}
		made.Gates = append(made.Gates, gate)
	}
	made.Gates = append(made.Gates, def.Adaptive.gates()...)
	s.Policies[name] = made
	if old, ok := previous.Policies[name]; ok && reflect.DeepEqual(def, previous.File.Policies[name]) && sameGates(old.Gates, made.Gates) {
		s.Policies[name] = old
	}
	return nil
}

// sameGates says that two lists have the same gates; those of the emergency stop and of learners are made anew each time.
func sameGates(a, b []retry.Gate) bool {
	return slices.EqualFunc(a, b, func(x, y retry.Gate) bool {
		switch x.(type) {
		case *halt.Gate:
			_, too := y.(*halt.Gate)
			return too
		case *control.Learning:
			_, too := y.(*control.Learning)
			return too
		}
		return x == y
	})
}

// furnish tells the emergency stop what kinds of scopes there are, and their limits.
func (h *Halt) furnish(t *halt.Tree) error {
	if h == nil {
		return nil
	}
	kinds := map[string]halt.Kind{"orders": halt.Orders, "other": halt.Other, "reads": halt.Reads}
	for _, name := range sorted(h.Scopes) {
		def := h.Scopes[name]
		path := strings.Split(name, "/")
		if kind, ok := kinds[def.Kind]; ok {
			if err := t.Mark(kind, path...); err != nil {
				return fmt.Errorf("halt.scopes.%s: %w", name, err)
			}
		}
		if limits, any := def.limits(); any {
			if _, err := t.Watch(halt.At(path...), limits); err != nil {
				return fmt.Errorf("halt.scopes.%s: %w", name, err)
			}
		}
	}
	return nil
}
