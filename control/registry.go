package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

// A Recorder keeps records of commands. An [audit.Log] is one.
type Recorder interface {
	// Record returns when the record is durable, or why it is not. What is missing, such as the time, it fills in.
	Record(ctx context.Context, r audit.Record) error
}

var _ Recorder = (*audit.Log)(nil)

// How many of each a view shows by name. Whatever comes later is shown as one, called other, and is counted in
// View.Overflow: names that come without end must not end in memory.
const (
	MostPolicies = 500
	MostTargets  = 200
	MostVenues   = 64
	MostScopes   = 200

	Other = "other"
)

// A Registry is what a program knows of its parts: operations, components, gates, breakers, budgets, stops, venues. People
// see them through [Registry.View], and command them through the methods of [Commander].
//
// The zero value is ready. The fields are set before first use. A Registry is safe for concurrent use and must not be
// copied after first use. There is no global one: pass it to what needs it.
type Registry struct {
	Instance string                       // names the process; empty means the host's name and the process id
	Build    Build                        // names the program; an empty Go is filled in
	Recorder Recorder                     // receives every command, refused ones too, before it takes effect; nil records nothing
	Redact   func(error) string           // the text of an error for people; nil means observe.Redact
	Trace    func(context.Context) string // the trace that a call belongs to, for notes; nil means none
	Logger   *slog.Logger                 // of circuits, stops, configuration and checks that panic; nil means slog.Default()

	// Rehearse plays what was learned of an operation under its policy, as sim.Rehearse does, and returns what the learner gains, in
	// thousandths of a success per call. [Registry.Run] asks it before it promotes an operation with Learning.Promote. Nil means that none is promoted.
	Rehearse func(context.Context, adaptive.Learned, *retry.Policy) (gain float64, err error)

	RequireConfig bool // not ready before the first good configuration

	once sync.Once
	live live
}

// live is the state of a registry, made at first use.
type live struct {
	since   time.Time
	epoch   uint64
	tail    tail
	study   study                 // what an analysis is told
	learner adaptive.Learner      // of the operations that have a Learning
	table   atomic.Pointer[table] // policies in force

	changing sync.Mutex  // held for whole commands that change policies
	orders   ConfigOrder // of the control plane, as far as they are in force; guarded by changing
	heard    string      // the hash of the last ones, in force or not; guarded by changing

	mu         sync.Mutex // guards what follows
	operations map[string]*Operation
	gates      map[string]retry.Gate
	factories  factories
	circuits   []*circuit
	budgets    sources[BudgetView]
	venues     sources[VenueView]
	findings   func() []FindingView
	auditing   func() AuditView
	drops      map[string]func() uint64
	counted    map[string]uint64 // names that became other, by label
	other      counters          // of operations beyond MostPolicies
	named      int               // operations with counters of their own
	stops      *halt.Tree
	config     ConfigView
	configured bool
	draining   atomic.Bool
	commands   commands
	health     health
	learned    learned
	harm       chan struct{}   // wakes Run when a guard came on
	recalled   map[string]bool // operations that were given what an earlier process learned
}

// state returns the registry's state, ready to use.
func (r *Registry) state() *live {
	r.once.Do(func() {
		if r.Instance == "" {
			host, _ := os.Hostname()
			r.Instance = fmt.Sprintf("%s:%d", host, os.Getpid())
		}
		if r.Redact == nil {
			r.Redact = observe.Redact
		}
		s := &r.live
		s.since = time.Now()
		s.epoch = uint64(s.since.UnixMicro()) // which JavaScript can hold
		s.tail.instance, s.tail.redact, s.tail.trace = r.Instance, r.Redact, r.Trace
		s.table.Store(&table{})
		s.study.registry = r
		s.learner.Notice = r.noticed
		s.harm = make(chan struct{}, 1)
		s.config.Good = true
	})
	return &r.live
}

// AddGate registers a gate under a name, for policies in configuration to refer to.
func (r *Registry) AddGate(name string, g retry.Gate) error {
	s := r.state()
	if g == nil {
		return fmt.Errorf("gate %q: is nil", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return insert(&s.gates, "gate", name, g)
}

// Gate returns the gate of a name. The error matches [ErrUnknown] and lists the names there are.
func (r *Registry) Gate(name string) (retry.Gate, error) {
	s := r.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	return find(s.gates, "gate", name)
}

// Gates returns the gates of several names, or all mistakes in them.
func (r *Registry) Gates(names ...string) ([]retry.Gate, error) {
	var gates []retry.Gate
	var errs []error
	for _, name := range names {
		g, err := r.Gate(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		gates = append(gates, g)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return gates, nil
}

// AddStops registers the emergency stop, which the commands Stop and Resume need and views show. It must be called before
// the tree is used: from then on, each of its records goes to the registry's Recorder, and to the tree's own if there is one.
func (r *Registry) AddStops(t *halt.Tree) error {
	s := r.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stops != nil {
		return fmt.Errorf("an emergency stop is %w", ErrDuplicate)
	}
	t.Recorder = &clerk{registry: r, next: t.Recorder}
	s.stops = t
	return nil
}

// AddBudget registers a budget that views show. The function is called for each view: see [BudgetOf].
func (r *Registry) AddBudget(name string, view func() BudgetView) error {
	s := r.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.budgets.add("budget", name, view)
}

// AddVenue registers what views show of a venue. The function is called for each view.
func (r *Registry) AddVenue(name string, view func() VenueView) error {
	s := r.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.venues.add("venue", name, view)
}

// SetFindings says where the findings of an analysis come from.
func (r *Registry) SetFindings(active func() []FindingView) {
	s := r.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.findings = active
}

// SetAudit says where the state of the audit log comes from: see [AuditOf].
func (r *Registry) SetAudit(view func() AuditView) {
	s := r.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auditing = view
}

// AddDropped registers a sink of events that counts what it drops: analytics, spool, sse.
func (r *Registry) AddDropped(sink string, count func() uint64) error {
	s := r.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	if sink == "tail" {
		return fmt.Errorf("sink %q is %w: choose another name", sink, ErrDuplicate)
	}
	return insert(&s.drops, "sink", sink, count)
}

// overflow counts a name that is shown as other. mu is held.
func (s *live) overflow(label string) {
	if s.counted == nil {
		s.counted = make(map[string]uint64)
	}
	s.counted[label]++
}

// sources are functions that say how something is, by name.
type sources[V any] struct{ by map[string]func() V }

func (s *sources[V]) add(kind, name string, view func() V) error {
	if view == nil {
		return fmt.Errorf("%s %q: its view is nil", kind, name)
	}
	return insert(&s.by, kind, name, view)
}
