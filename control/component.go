package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

// What zero fields of a Component mean, and the most that its Timeout may be.
const (
	DefaultTimeout  = 2 * time.Second
	MostTimeout     = 10 * time.Second
	DefaultInterval = 5 * time.Second
)

// A Component is something with a name that has operations, dependencies and health: an exchange link, a model, a database.
type Component struct {
	Name      string
	Critical  bool                        // its failure fails readiness and makes health failing
	DependsOn []string                    // components
	Check     func(context.Context) error // nil: health follows its operations and circuits
	Timeout   time.Duration               // of a check; 0 means 2 s, more than 10 s means that, negative means 2 s
	Interval  time.Duration               // how old an answer may be; not positive means 5 s; when set, Registry.Run checks so often by itself
}

// ErrCycle is returned for components that depend on themselves, directly or through others.
var ErrCycle = errors.New("dependency cycle")

// slack is what a check gets beyond its timeout to notice it.
const slack = 250 * time.Millisecond

// own is the health of a component without regard to its dependencies.
type own uint8

const (
	unchecked own = iota
	up
	degraded
	failing
)

// A component is one with what is known of it. The fields below the checks' are guarded by health.mu.
type component struct {
	Component
	deps    []*component
	breaker *breaker.Breaker // spares a component that stays down most of its checks

	running  chan struct{} // closed when the check returns; nil while none runs
	started  time.Time
	answered time.Time
	took     time.Duration
	err      error
	fails    int // in a row
	state    own
	resting  time.Time // the breaker refuses it until then

	seen     time.Time // when its operations were looked at
	good     uint64    // their calls until then
	bad      uint64
	shown    string // the state that was told last
	redact   func(error) string
	watched  bool // a HealthGate asks for it
	polled   bool // Interval was set
	judgment atomic.Pointer[judgment]
}

// AddComponents registers components, all or none. Dependencies are among them or registered already. Errors are names that
// are missing, known already or unknown, and cycles, each of which is named; all at once.
func (r *Registry) AddComponents(components ...Component) error {
	h := &r.state().health
	h.mu.Lock()
	defer h.mu.Unlock()
	all := maps.Clone(h.components)
	var errs []error
	var added []*component
	for _, one := range components {
		c := newComponent(one)
		c.redact = r.Redact
		if err := insert(&all, "component", one.Name, c); err != nil {
			errs = append(errs, err)
			continue
		}
		added = append(added, c)
	}
	for _, c := range added {
		for _, name := range slices.Compact(slices.Sorted(slices.Values(c.DependsOn))) {
			d, err := find(all, "component", name)
			if err != nil {
				errs = append(errs, fmt.Errorf("component %q depends on an %w", c.Name, err))
				continue
			}
			c.deps = append(c.deps, d)
		}
	}
	order, cycles := sorted(all)
	if errs = append(errs, cycles...); len(errs) > 0 {
		return errors.Join(errs...)
	}
	h.components, h.order = all, order
	return nil
}

func newComponent(one Component) *component {
	c := &component{Component: one, polled: one.Interval > 0, shown: stateNames[unchecked]}
	c.DependsOn = slices.Clone(one.DependsOn)
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	c.Timeout = min(c.Timeout, MostTimeout)
	if c.Interval <= 0 {
		c.Interval = DefaultInterval
	}
	c.breaker = &breaker.Breaker{Name: "health." + c.Name, Rules: breaker.Rules{
		Classic: true, Calls: 5, MinSamples: 5, FailureRate: 1, OpenFor: 2 * c.Interval, MaxOpenFor: 6 * c.Interval, Probes: 1,
	}}
	if c.Check == nil {
		c.state = up // until its operations or circuits say otherwise
	}
	return c
}

// sorted returns the components, each after those that it depends on, and all cycles.
func sorted(all map[string]*component) (order []*component, cycles []error) {
	done := make(map[*component]bool)
	var path []*component
	var visit func(c *component)
	visit = func(c *component) {
		if i := slices.Index(path, c); i >= 0 {
			var names []string
			for _, p := range append(path[i:], c) {
				names = append(names, p.Name)
			}
			cycles = append(cycles, fmt.Errorf("%w: %s", ErrCycle, strings.Join(names, " -> ")))
			return
		}
		if done[c] {
			return
		}
		path = append(path, c)
		for _, d := range c.deps {
			visit(d)
		}
		path = path[:len(path)-1]
		done[c] = true
		order = append(order, c)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		visit(all[name])
	}
	return order, cycles
}

// stale says that a check should start. health.mu is held.
func (c *component) stale(at time.Time) bool {
	return c.Check != nil && c.running == nil && (c.answered.IsZero() || at.Sub(c.answered) >= c.Interval)
}

// stuck says that a check runs that ignores its context. health.mu is held.
func (c *component) stuck(at time.Time) bool {
	return c.running != nil && at.Sub(c.started) >= c.Timeout+slack
}

// check makes one run of the check, unless the breaker refuses it, and returns what it found.
func (c *component) check(ctx context.Context, log func(slog.Level, string, ...slog.Attr)) (refused bool, _ error) {
	err := retry.Run(ctx, &retry.Policy{
		Name: c.breaker.Name, MaxAttempts: 1, Idempotent: true, Nested: true, AttemptTimeout: c.Timeout, Gates: []retry.Gate{c.breaker},
		Classify: func(error) retry.Class { return retry.Transient },
	}, func(ctx context.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				log(slog.LevelError, "health check panicked", slog.String("component", c.Name), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
				err = fmt.Errorf("its check panicked: %v", p)
			}
		}()
		if err = c.Check(ctx); err == nil {
			err = ctx.Err() // an answer that comes too late is none
		}
		return err
	})
	e, failed := errors.AsType[*retry.Error](err)
	switch {
	case !failed:
		return false, nil
	case e.Attempts == 0:
		return true, e.Reason
	}
	return false, e.Last // the rest of it would tell of attempts that nobody configured
}

// learn takes in what a check found. health.mu is held.
func (c *component) learn(refused bool, err error, at time.Time) {
	c.running = nil
	if refused {
		c.resting = at.Add(retry.Hint(err)) // nothing new
		return
	}
	c.answered, c.took = at, at.Sub(c.started)
	c.judge(err)
}

// judge takes in one answer. An up component that is not critical may fail once.
func (c *component) judge(err error) {
	c.err = err
	if err == nil {
		c.fails, c.state = 0, up
		return
	}
	if c.fails++; c.Critical || c.state != up || c.fails >= 2 {
		c.state = failing
	}
}
