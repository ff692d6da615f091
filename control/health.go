package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	patience  = 80 * time.Millisecond // how long a request waits for checks
	pollEvery = time.Second           // how often Run looks for answers that are too old
)

// A Health is how a process is.
type Health struct {
	Status     string          `json:"status"`           // ok, degraded, failing
	Ready      bool            `json:"ready"`            // work may be sent here
	Causes     []string        `json:"causes,omitempty"` // why it is not ok: root causes only
	Components []ComponentView `json:"components"`       // by name
}

// The words of health.
const (
	StatusOK       = "ok"
	StatusDegraded = "degraded"
	StatusFailing  = "failing"
)

var stateNames = [...]string{unchecked: "unknown", up: "up", degraded: "degraded", failing: "failing"}

// health is what a registry knows of its components.
type health struct {
	mu         sync.Mutex
	components map[string]*component
	order      []*component // dependencies before their dependants

	ctx      context.Context // of all checks; made at first use
	cancel   context.CancelFunc
	checks   sync.WaitGroup
	underway int // checks
	closed   bool
}

// Health returns how the process is, in less than 100 ms whatever the checks do. It starts the checks whose answers are too
// old, all at once, and waits for them for up to 80 ms, or until ctx ends. Those that still run then are shown with their
// answers before. However many ask at the same time, a check runs once.
//
// A component whose dependency fails is degraded because of it: only the root cause is failing. A check that fails again
// and again is made less often. A circuit that is open, a stop and a configuration that could not be loaded degrade health,
// and leave the process ready: see [Circuit] for the exception.
func (r *Registry) Health(ctx context.Context) Health {
	r.state()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for _, done := range r.refresh(func(*component) bool { return true }) {
		select {
		case <-done:
			continue
		case <-timer.C:
		case <-ctx.Done():
		}
		break
	}
	return r.look()
}

// look judges the components as they are.
func (r *Registry) look() Health {
	facts := r.facts()
	h := &r.live.health
	h.mu.Lock()
	report, notes := r.assess(facts, time.Now())
	h.mu.Unlock()
	r.tell(notes)
	return report
}

// refresh starts the checks of the chosen components that are stale, and returns what closes when those under way are
// done, but for those that are stuck.
func (r *Registry) refresh(chosen func(*component) bool) (pending []chan struct{}) {
	h := &r.live.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	if h.ctx == nil {
		h.ctx, h.cancel = context.WithCancel(context.Background())
	}
	at := time.Now()
	for _, c := range h.order {
		if !chosen(c) {
			continue
		}
		if c.stale(at) {
			c.running, c.started = make(chan struct{}), at
			h.underway++
			h.checks.Go(func() { r.run(h.ctx, c) })
		}
		if c.running != nil && !c.stuck(at) {
			pending = append(pending, c.running)
		}
	}
	return pending
}

// run makes one check.
func (r *Registry) run(ctx context.Context, c *component) {
	refused, err := c.check(ctx, r.log)
	h := &r.live.health
	h.mu.Lock()
	done := c.running
	c.learn(refused, err, time.Now())
	h.underway--
	judge := c.watched || h.underway == 0 // else each of many answers would judge all components
	h.mu.Unlock()
	if judge {
		r.look()
	}
	close(done) // last, so that who waits for it sees what became of it
}

func (r *Registry) tell(notes []Note) {
	for _, n := range notes {
		r.Note(n)
	}
}

// Run checks, by itself, the components that ask for an Interval and those that a [HealthGate] waits for, until ctx
// ends, and returns the cause. All others are checked when somebody asks. It writes what was learned, and promotes what is proven.
func (r *Registry) Run(ctx context.Context) error {
	r.state()
	var promoting sync.WaitGroup
	if r.Rehearse != nil {
		promoting.Go(func() { r.promoting(ctx) }) // ends with ctx
	}
	defer promoting.Wait()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		r.refresh(func(c *component) bool { return c.polled || c.watched })
		r.look()
		r.keep(false)
		select {
		case <-ctx.Done():
			r.keep(true)
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// Close cancels the checks that run and waits for them, until ctx ends: the error then names those that ignore their
// contexts. No checks are made from then on.
func (r *Registry) Close(ctx context.Context) error {
	h := &r.state().health
	h.mu.Lock()
	h.closed = true
	if h.cancel != nil {
		h.cancel()
	}
	h.mu.Unlock()
	done := make(chan struct{})
	go func() { // ends with the last check
		h.checks.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var names []string
	for _, c := range h.order {
		if c.running != nil {
			names = append(names, c.Name)
		}
	}
	return fmt.Errorf("checks that ignore their contexts still run: %v: %w", names, context.Cause(ctx))
}

// Drain makes the process not ready, so that no more work is sent to it, while it finishes what it has. It cannot be undone.
func (r *Registry) Drain() {
	if !r.state().draining.Swap(true) {
		r.Note(Note{Kind: "health", Text: "draining"})
	}
}

// Check returns what is questionable about the components: those that are critical and depend on ones that are not.
func (r *Registry) Check() error {
	h := &r.state().health
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for _, c := range h.order {
		for _, d := range c.deps {
			if c.Critical && !d.Critical {
				errs = append(errs, fmt.Errorf("component %q is critical and depends on %q, which is not: readiness would not see the cause", c.Name, d.Name))
			}
		}
	}
	return errors.Join(errs...)
}

// ComponentNames returns the names of all components.
func (r *Registry) ComponentNames() []string {
	h := &r.state().health
	h.mu.Lock()
	defer h.mu.Unlock()
	names := make([]string, len(h.order))
	for i, c := range h.order {
		names[i] = c.Name
	}
	slices.Sort(names)
	return names
}
