package control

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/relent-go/relent/gate/breaker"
)

const (
	mostHistory = 10   // transitions of a circuit that are shown
	mostKeys    = 1000 // of a tree whose transitions are counted
)

// A Circuit is a breaker that a registry shows and that health follows.
type Circuit struct {
	Policy    string           // the operation, or what the breaker is for
	Target    string           // where its calls go; empty means the breaker's name
	Component string           // whose health follows it; empty means none
	Critical  bool             // while it is open, the process is failing and not ready, and not only degraded
	Breaker   *breaker.Breaker // one of Breaker and Tree
	Tree      *breaker.Tree    // each of its breakers is a circuit, with its name as the target
}

// circuitStates are what CircuitView.State may be.
var circuitStates = []string{"closed", "suspect", "throttling", "half_open", "open", "isolated"}

// CircuitStates returns the names of the states of circuits.
func CircuitStates() []string { return slices.Clone(circuitStates) }

// A circuit is one with what its breakers were seen to do.
type circuit struct {
	Circuit
	registry *Registry

	mu    sync.Mutex
	known map[string]*past // by the breaker's name; guarded by mu
}

// A past is what one breaker did.
type past struct {
	entered map[string]uint64
	history []Transition
}

// AddCircuit registers a breaker, or a tree of them. It must be called before the breaker is used: from then on, its
// transitions are counted, and told to the live tail, before its own OnChange is.
func (r *Registry) AddCircuit(c Circuit) error {
	s := r.state()
	if (c.Breaker == nil) == (c.Tree == nil) {
		return fmt.Errorf("circuit of %q: it takes a breaker or a tree", c.Policy)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.circuits {
		if other.Breaker == c.Breaker && other.Tree == c.Tree {
			return fmt.Errorf("circuit of %q is %w, as one of %q", c.Policy, ErrDuplicate, other.Policy)
		}
	}
	k := &circuit{Circuit: c, registry: r, known: make(map[string]*past)}
	if c.Breaker != nil {
		c.Breaker.OnChange = k.listener(c.Breaker.OnChange)
	} else {
		c.Tree.OnChange = k.listener(c.Tree.OnChange)
	}
	s.circuits = append(s.circuits, k)
	return nil
}

func (c *circuit) listener(next func(breaker.Change)) func(breaker.Change) {
	return func(change breaker.Change) {
		c.changed(change)
		if next != nil {
			next(change)
		}
	}
}

func (c *circuit) changed(b breaker.Change) {
	t := Transition{At: b.At, From: b.From.Label(), To: b.To.Label(), Cause: cause(b)}
	c.mu.Lock()
	key := b.Key
	if len(c.known) >= mostKeys && c.known[key] == nil {
		key = breaker.Overflow
	}
	p := c.known[key]
	if p == nil {
		p = &past{entered: make(map[string]uint64)}
		c.known[key] = p
	}
	p.entered[t.To]++
	p.history = append(p.history, t)
	if len(p.history) > mostHistory {
		p.history = slices.Delete(p.history, 0, 1)
	}
	c.mu.Unlock()
	c.registry.live.study.circuit(c.Policy, t)
	c.registry.logCircuit(c.Policy, c.target(b.Key), t)
	c.registry.Note(Note{
		At: b.At, Kind: "circuit", Policy: c.Policy, Target: c.target(b.Key), Text: fmt.Sprintf("%s -> %s: %s", t.From, t.To, t.Cause),
	})
}

// cause says why a breaker changed, and who did it if somebody did.
func cause(b breaker.Change) string {
	if b.Who == "" {
		return string(b.Cause)
	}
	return fmt.Sprintf("%s: %s (%s)", b.Cause, b.Who, b.Why)
}

func (c *circuit) target(key string) string {
	if c.Breaker != nil && c.Target != "" {
		return c.Target
	}
	return key
}

// views returns how its breakers are.
func (c *circuit) views(at time.Time) []CircuitView {
	if c.Breaker != nil {
		return []CircuitView{c.view(c.Breaker, at)}
	}
	var all []CircuitView
	for _, b := range c.Tree.All() {
		all = append(all, c.view(b, at))
	}
	return all
}

func (c *circuit) view(b *breaker.Breaker, at time.Time) CircuitView {
	now := b.Snapshot()
	v := CircuitView{
		Policy: c.Policy, Target: c.target(b.Name), State: now.State.Label(), Forced: now.State == breaker.ForcedClosed, Since: now.Since,
		FailureRate: now.Counts.FailureRate(), Critical: c.Critical, Transitions: make(map[string]uint64, len(circuitStates)),
	}
	if now.State == breaker.Open && now.Until.After(at) {
		v.NextProbe = now.Until
	}
	if now.Order.Who != "" {
		v.Cause = fmt.Sprintf("%s: %s (%s)", breaker.ByPerson, now.Order.Who, now.Order.Why)
	}
	for _, s := range circuitStates {
		v.Transitions[s] = 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.known[b.Name]; p != nil {
		for s, n := range p.entered {
			v.Transitions[s] = n
		}
		v.History = slices.Clone(p.history)
		if last := len(p.history) - 1; v.Cause == "" && last >= 0 {
			v.Cause = p.history[last].Cause
		}
	}
	return v
}

// open says that a circuit lets nothing pass.
func (v *CircuitView) open() bool { return v.State == "open" || v.State == "isolated" }

// degraded says that a circuit refuses first attempts.
func (v *CircuitView) degraded() bool {
	return v.open() || v.State == "half_open" || v.State == "throttling"
}
