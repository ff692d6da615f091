package config

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
)

// Register builds the parts that the file describes, and registers them: the emergency stop, breakers, budgets,
// components and operations. It is for the first configuration of a registry; then comes [Set.Publish].
func (f *File) Register(ctx context.Context, r *control.Registry) (*Set, error) {
	s, err := f.build(nil, r.AddStops)
	if err != nil {
		return nil, err
	}
	if f.Adaptive != nil && f.Adaptive.StateFile != "" {
		r.KeepLearned(f.Adaptive.StateFile) // which tells what it refuses
	}
	var components []control.Component
	for _, name := range sorted(f.Components) {
		c := f.Components[name]
		known := slices.DeleteFunc(slices.Clone(c.DependsOn), func(other string) bool {
			_, defined := f.Components[other]
			return !defined // the clock and the like: of the host
		})
		components = append(components, control.Component{Name: name, Critical: c.Critical, DependsOn: known, Timeout: c.Timeout.std(), Interval: c.Interval.std()})
	}
	if err := r.AddComponents(components...); err != nil {
		return nil, err
	}
	if _, err := s.join(r, &Set{}); err != nil {
		return nil, err
	}
	_, err = r.Apply(ctx, s.operations("", "file"))
	return s, err
}

// Publish puts the policies of a set in force, as a Watcher asks for: see Watcher.Publish. What a registry cannot
// exchange, its components, is refused.
func (s *Set) Publish(ctx context.Context, r *control.Registry, previous *Set, e Event) error {
	var fixed []Change
	for _, c := range e.Changes {
		if strings.HasPrefix(c.Path, "components.") {
			fixed = append(fixed, c)
		}
	}
	if len(fixed) > 0 {
		return &NeedsRestart{fixed}
	}
	undo, err := s.join(r, previous)
	if err == nil {
		_, err = r.Apply(ctx, s.operations(e.Actor, e.Source))
	}
	if err != nil {
		undo()
		return err
	}
	previous.leave(r, s)
	return nil
}

// leave takes out of a registry what a set has and another one has not.
func (s *Set) leave(r *control.Registry, other *Set) {
	for name, gate := range s.Breakers {
		if b, ok := gate.(*breaker.Breaker); ok && other.Breakers[name] != gate {
			r.RemoveCircuit(control.Circuit{Breaker: b})
		}
	}
	for name, gate := range s.Budgets {
		_, was := gate.(*budget.Budget)
		if _, stays := other.Budgets[name].(*budget.Budget); was && !stays {
			r.RemoveBudget(name)
		}
	}
}

// join registers the breakers and budgets that a previous set did not have, and returns what takes them out again.
func (s *Set) join(r *control.Registry, previous *Set) (undo func(), err error) {
	var errs []error
	var added []func()
	for _, name := range slices.Sorted(maps.Keys(s.Breakers)) {
		b, ok := s.Breakers[name].(*breaker.Breaker)
		if !ok || previous.Breakers[name] == s.Breakers[name] {
			continue // a profile shows nothing
		}
		c := control.Circuit{Policy: name, Critical: s.File.Breakers[name].Readiness == "critical", Breaker: b}
		if err := r.AddCircuit(c); err != nil {
			errs = append(errs, fmt.Errorf("breakers.%s: %w", name, err))
			continue
		}
		added = append(added, func() { r.RemoveCircuit(c) })
	}
	for _, name := range slices.Sorted(maps.Keys(s.Budgets)) {
		b, ok := s.Budgets[name].(*budget.Budget)
		if !ok {
			continue
		}
		users := s.users(name)
		if old, had := previous.Budgets[name].(*budget.Budget); had {
			before := previous.users(name)
			if slices.Equal(users, before) {
				continue
			}
			r.RemoveBudget(name) // it goes on, and is shown with the policies that draw on it now
			added = append(added, func() { r.AddBudget(name, control.BudgetOf(old, before...)) })
		}
		if err := r.AddBudget(name, control.BudgetOf(b, users...)); err != nil {
			errs = append(errs, fmt.Errorf("budgets.%s: %w", name, err))
			continue
		}
		added = append(added, func() { r.RemoveBudget(name) })
	}
	return func() {
		for _, undo := range slices.Backward(added) {
			undo()
		}
	}, errors.Join(errs...)
}

// users are the policies that draw on a budget.
func (s *Set) users(budget string) (names []string) {
	for policy, def := range s.File.Policies {
		if slices.ContainsFunc(def.Gates, func(g string) bool { return s.gate(g) == s.Budgets[budget] }) {
			names = append(names, policy)
		}
	}
	slices.Sort(names)
	return names
}

// operations is what a registry makes operations of.
func (s *Set) operations(actor, source string) control.Set {
	components := map[string]string{}
	for name, p := range s.File.Policies {
		if _, defined := s.File.Components[p.Component]; defined {
			components[name] = p.Component
		}
	}
	return control.Set{Policies: s.Policies, Components: components, Hash: s.File.Hash, Actor: actor, Source: source}
}
