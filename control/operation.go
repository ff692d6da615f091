package control

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/retry"
)

// An Operation is a named policy that operators can see and tune while the program runs: a [retry.Source].
//
//	place, err := registry.AddOperation("binance", &retry.Policy{Name: "binance.place_order"})
//	order, err := retry.Do(ctx, place, send)
//
// The policy in force is the base, as the program or its configuration has it, with the fields that an operator
// changed. It is replaced as a whole: a call keeps the one it began with.
//
//	         Tune                       Tune
//	base ───────────▶ base + override ───────▶ …       each Tune is checked, recorded, then in force
//	 ▲ ◀──────────────────┘   empty values revert
//	 └── Apply: a new base; overrides stay, but for those that it now equals
//
// In a fleet, the configuration of the control plane changes fields of the base: see [ConfigOrder].
//
// An Operation comes from [Registry.AddOperation]. It is safe for concurrent use.
type Operation struct {
	name     string
	registry *Registry
	index    int // in tables
	counters *counters
	hidden   bool // counted as other
	lesson   lesson
}

// A table holds the policies in force, one row for each operation. It is never modified: changes of several operations
// come into force together, with another table.
type table struct{ rows []*row }

// A row is what is in force for one operation.
type row struct {
	policy    *retry.Policy    // base and override, counted, with the gate of the learner
	tuned     *retry.Policy    // base and override
	arms      *adaptive.Source // yields policy, or that of the control arm; nil: there is no such arm
	learning  *Learning        // in force; nil: there is none
	program   *retry.Policy    // what the program or its configuration says
	base      *retry.Policy    // program, with what the configuration of the control plane says
	override  map[string]string
	component string
	timing    Timing
	budgeted  bool   // something bounds the retries of all calls together
	promoted  string // why the registry itself made it active; empty where an operator or the program did, or it is not
	version   uint64
	removed   bool // a configuration no longer has it; who holds it keeps it
}

// Current implements [retry.Source].
func (o *Operation) Current() *retry.Policy {
	r := o.row()
	if r.arms != nil {
		return r.arms.Current()
	}
	return r.policy
}

func (o *Operation) row() *row { return o.registry.live.table.Load().rows[o.index] }

// Name returns the name of the operation, which is that of its policy.
func (o *Operation) Name() string { return o.name }

// View returns what can be seen of the operation.
func (o *Operation) View() PolicyView {
	v := o.about()
	o.counters.view(&v)
	v.Learning = o.learning()
	return v
}

// about is a view without the counters.
func (o *Operation) about() PolicyView {
	r := o.row()
	return PolicyView{
		Name: o.name, Component: r.component, Policy: words(r.policy), Budgeted: r.budgeted, Base: Texts(r.base), Override: maps.Clone(r.override), Version: r.version,
	}
}

// AddOperation registers an operation under the name of its policy, as a part of a component, which may be empty. The
// policy is copied; its Observer is told what calls do, as ever, and calls that succeed at once cost it an event unless it
// has a method SkipsFirstTry() bool, or SkipsFirstTryOf(*retry.Policy) bool, that returns true. The timing is the policy's own choice: see [AutoTiming].
//
// Errors are a name that is missing or registered already, and the policy's mistakes, joined.
func (r *Registry) AddOperation(component string, base *retry.Policy) (*Operation, error) {
	return r.AddTimed(component, base, AutoTiming)
}

// AddTimed is [Registry.AddOperation] with a timing.
func (r *Registry) AddTimed(component string, base *retry.Policy, timing Timing) (*Operation, error) {
	s := r.state()
	base = base.Current()
	if err := errors.Join(base.Check(), checkLearning(base)); err != nil {
		return nil, fmt.Errorf("operation %q: %w", base.Name, err)
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	rows := slices.Clone(s.table.Load().rows)
	o, err := r.fresh(base.Name, len(rows), 0)
	if err != nil {
		return nil, err
	}
	copied := *base
	w := &row{program: &copied, component: component, timing: timing, version: 1}
	if w.base, err = r.ordered(base.Name, &copied); err == nil {
		err = r.leadable(r.row(o, w, w.base))
	}
	if err != nil {
		w.base = &copied
		if own := r.leadable(r.row(o, w, w.base)); own != nil {
			return nil, fmt.Errorf("operation %q: %w", base.Name, own)
		}
		r.ReloadFailed(fmt.Errorf("%s: what the control plane's configuration says is not in force: %w", base.Name, err))
	}
	rows = append(rows, w)
	r.publish(rows, o)
	return o, nil
}

// fresh makes a new operation for a row at an index, after more that are not published yet.
func (r *Registry) fresh(name string, index, more int) (*Operation, error) {
	s := &r.live
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, exists := s.operations[name]; exists || name == "" {
		return nil, insert(&s.operations, "operation", name, nil)
	}
	o := &Operation{name: name, registry: r, index: index, counters: &s.other, hidden: true}
	if s.named+more < MostPolicies {
		o.counters, o.hidden = &counters{}, false
	}
	return o, nil
}

// row completes a row with the policy that is in force by it.
func (r *Registry) row(o *Operation, w *row, p *retry.Policy) *row {
	policy := *p
	policy.Gates = untaught(p.Gates)
	if p.MaxAttempts == retry.Unlimited {
		policy.MaxAttempts = policy.Attempts() // which the gate of the learner would change
	}
	w.tuned, w.learning, w.budgeted = p, learningOf(p), budgeted(p)
	learns := w.learning.mode() != adaptive.Off
	timing := w.timing
	if timing == AutoTiming {
		timing = Sampled
		if learns || len(policy.Gates) > 0 || p.AttemptTimeout > 0 || p.MaxElapsed > 0 {
			timing = Always
		}
	}
	m := &meter{counters: o.counters, timing: timing, tell: !quiet(p.Observer, p), next: p.Observer, tail: &r.live.tail}
	if !o.hidden {
		m.study = &r.live.study
	}
	policy.Observer = m
	w.policy, w.arms = &policy, nil
	if learns {
		m.pupil = o
		w.policy, w.arms = r.teach(&policy, w.learning)
	}
	return w
}

// publish puts a table in force, and then makes new operations known. changing is held.
func (r *Registry) publish(rows []*row, added ...*Operation) {
	s := &r.live
	before := s.table.Load().rows
	s.table.Store(&table{rows})
	for i, w := range rows {
		if i >= len(before) || before[i] != w {
			r.lead(w)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.operations == nil {
		s.operations = make(map[string]*Operation)
	}
	for _, o := range added {
		s.operations[o.name] = o
		if o.hidden {
			s.overflow("policy")
		} else {
			s.named++
		}
	}
}

// Operation returns the operation of a name. The error matches [ErrUnknownPolicy]; it lists the names there are.
func (r *Registry) Operation(name string) (*Operation, error) {
	s := r.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.operations[name]; o != nil && !o.row().removed {
		return o, nil
	}
	var known []string
	for _, o := range s.present() {
		known = append(known, o.name)
	}
	return nil, errors.Join(ErrUnknownPolicy, unknown("operation", name, known))
}

// present returns the operations that were not removed, by name. mu is held.
func (s *live) present() []*Operation {
	var all []*Operation
	for _, name := range slices.Sorted(maps.Keys(s.operations)) {
		if o := s.operations[name]; !o.row().removed {
			all = append(all, o)
		}
	}
	return all
}
