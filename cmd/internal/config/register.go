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
	if err := s.join(r, &Set{}); err != nil {
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
	if err := s.join(r, previous); err != nil {
		return err
	}
	_, err := r.Apply(ctx, s.operations(e.Actor, e.Source))
	return err
}

// join registers the breakers and budgets that a previous set did not have.
func (s *Set) join(r *control.Registry, previous *Set) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.Breakers)) {
		b, ok := s.Breakers[name].(*breaker.Breaker)
		if !ok || previous.Breakers[name] == s.Breakers[name] {
			continue // a profile shows nothing
		}
		c := control.Circuit{Policy: name, Critical: s.File.Breakers[name].Readiness == "critical", Breaker: b}
		if err := r.AddCircuit(c); err != nil {
			errs = append(errs, fmt.Errorf("breakers.%s: %w", name, err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Budgets)) {
		b, ok := s.Budgets[name].(*budget.Budget)
		if _, had := previous.Budgets[name]; !ok || had {
			continue
		}
		var users []string
		for policy, def := range s.File.Policies {
			if slices.ContainsFunc(def.Gates, func(g string) bool { return s.gate(g) == s.Budgets[name] }) {
				users = append(users, policy)
			}
		}
		slices.Sort(users)
		if err := r.AddBudget(name, control.BudgetOf(b, users...)); err != nil {
			errs = append(errs, fmt.Errorf("budgets.%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
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
