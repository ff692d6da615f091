package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

// A Set is a whole new configuration of operations.
type Set struct {
	Policies   map[string]*retry.Policy // by name; an empty Name is filled in
	Components map[string]string        // the component of each operation; missing means none
	Timing     Timing                   // of all of them
	Hash       string                   // of the configuration, for people to compare
	Actor      string                   // who asked
	Source     string                   // file, signal, api, cli
}

// A Difference is what a Set changes, in text.
type Difference struct {
	Added   []string // operations
	Removed []string
	Changed []Change // by operation and field
	Cleared []Change // overrides that the base now equals
}

// A Change is one field of one operation.
type Change struct{ Operation, Field, From, To string }

// String lists what changes.
func (d Difference) String() string {
	var all []string
	for _, name := range d.Added {
		all = append(all, "+"+name)
	}
	for _, name := range d.Removed {
		all = append(all, "-"+name)
	}
	for _, c := range d.Changed {
		all = append(all, fmt.Sprintf("%s.%s: %s -> %s", c.Operation, c.Field, c.From, c.To))
	}
	for _, c := range d.Cleared {
		all = append(all, fmt.Sprintf("%s.%s: override cleared", c.Operation, c.Field))
	}
	if len(all) == 0 {
		return "nothing changes"
	}
	return strings.Join(all, ", ")
}

// Apply puts a whole set of policies in force, at one moment, or refuses all of it with all mistakes. It is checked, compared,
// recorded, and then in force. Operations that are not in the set are removed: nobody finds them any more, and who holds one
// keeps its last policy. Overrides stay, but for fields that the new base equals; one that makes no sense with its new base is
// a mistake. Calls that run finish as they began. Stops are never changed.
//
// Two at once are carried out one after the other. A set that failed shows in View.Config and degrades health, until the
// next one succeeds.
func (r *Registry) Apply(ctx context.Context, set Set) (Difference, error) {
	s := r.state()
	s.changing.Lock()
	defer s.changing.Unlock()
	record := audit.Record{Decision: decisionConfig, Actor: set.Actor, Rule: set.Source, Config: set.Hash}
	rows, added, d, err := r.compare(set)
	if err := r.settle(ctx, record, rows, added, d, err); err != nil {
		return Difference{}, err
	}
	return d, nil
}

// settle puts a table in force that makes a difference, unless it is mistaken or cannot be recorded. changing is held.
func (r *Registry) settle(ctx context.Context, record audit.Record, rows []*row, added []*Operation, d Difference, mistakes error) error {
	err := mistakes
	if err != nil {
		err = r.refuse(ctx, record, fmt.Errorf("%s: %w", strings.TrimSpace("configuration "+record.Config), err))
	} else {
		record.Validation = clip(d.String())
		if err = r.record(ctx, record); err != nil {
			err = fmt.Errorf("%s: %w", strings.TrimSpace("configuration "+record.Config), err)
		}
	}
	if err != nil {
		r.ReloadFailed(err)
		return err
	}
	r.publish(rows, added...)
	r.Reloaded(record.Config, d.String())
	return nil
}

// Reloaded says that a configuration is in force, and what changed with it, for views, health, log and live tail. Apply does
// so by itself: it is for what a program exchanges without the registry.
func (r *Registry) Reloaded(hash, changed string) {
	s := r.state()
	s.mu.Lock()
	s.config.Hash, s.config.Loaded, s.config.Good, s.config.Errors = hash, time.Now(), true, nil
	s.config.Reloads++
	s.configured = true
	s.mu.Unlock()
	r.logConfig(hash, changed)
}

// ReloadFailed says that a configuration could not be used. What is in force stays; views and health show the errors.
func (r *Registry) ReloadFailed(err error) {
	s := r.state()
	s.mu.Lock()
	s.config.Good, s.config.Errors = false, strings.Split(err.Error(), "\n")
	s.config.Failures++
	s.mu.Unlock()
	r.logRefused(err)
}

// compare makes the table for a set, the operations that are new in it, and the difference.
func (r *Registry) compare(set Set) (rows []*row, added []*Operation, d Difference, err error) {
	s := &r.live
	rows = slices.Clone(s.table.Load().rows)
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(set.Policies)) {
		base := *set.Policies[name].Current()
		if base.Name == "" {
			base.Name = name
		}
		if base.Name != name {
			errs = append(errs, fmt.Errorf("%s: its policy is named %q", name, base.Name))
			continue
		}
		s.mu.Lock()
		o := s.operations[name]
		s.mu.Unlock()
		if o == nil {
			if o, err = r.fresh(name, len(rows), len(added)); err != nil {
				errs = append(errs, err)
				continue
			}
			rows = append(rows, nil)
			added = append(added, o)
		}
		next, err := r.rebase(o, rows[o.index], &base, set, &d)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		rows[o.index] = next
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.present() {
		if _, kept := set.Policies[o.name]; !kept {
			gone := *rows[o.index]
			gone.removed = true
			rows[o.index] = &gone
			d.Removed = append(d.Removed, o.name)
		}
	}
	return rows, added, d, errors.Join(errs...)
}

// rebase returns the row of an operation with another base, and adds to the difference.
func (r *Registry) rebase(o *Operation, old *row, program *retry.Policy, set Set, d *Difference) (*row, error) {
	base, err := r.ordered(o.name, program)
	if err != nil {
		return nil, err
	}
	next := &row{program: program, base: base, component: set.Components[o.name], timing: set.Timing, version: 1}
	if old == nil {
		d.Added = append(d.Added, o.name)
		return next, r.override(o, next, nil)
	}
	next.version, next.promoted = old.version, old.promoted
	if old.removed {
		d.Added = append(d.Added, o.name)
	}
	if err := r.override(o, next, old.override); err != nil {
		return nil, err
	}
	before := len(d.Changed) + len(d.Cleared)
	was, is := described(old.base, old.component), described(base, next.component)
	for _, name := range append(Fields(), "gates", "observer", "component") {
		if was[name] != is[name] {
			d.Changed = append(d.Changed, Change{o.name, name, was[name], is[name]})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old.override)) {
		if _, kept := next.override[name]; !kept {
			d.Cleared = append(d.Cleared, Change{o.name, name, old.override[name], is[name]})
		}
	}
	if len(d.Changed)+len(d.Cleared) > before || old.removed {
		next.version++
	}
	return next, nil
}

// described returns the texts of a policy with the types of its parts.
func described(p *retry.Policy, component string) map[string]string {
	m := Texts(p)
	var gates []string
	for _, g := range untaught(p.Gates) { // a learning is a field
		gates = append(gates, fmt.Sprintf("%T", g))
	}
	m["gates"], m["observer"], m["component"] = strings.Join(gates, " "), fmt.Sprintf("%T", p.Observer), component
	return m
}
