package process

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe/analytics"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/sim"
)

// A Process holds the parts of one program, made by [New]. The fields are not modified.
type Process struct {
	Registry *control.Registry
	Stops    *halt.Tree
	Audit    *audit.Log // writes to Stores.Audit between Start and Stop
	Stores   Stores
	Fleet    *control.Fleet      // nil: there is none
	Analyzer *analytics.Analyzer // runs between Start and Stop; nil: the registry had one

	config dashboard.Config
	listen string
	live   life
}

// New makes the parts and registers what the configuration has. Nothing runs yet. The error names all that is wrong.
func New(c Config) (*Process, error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("process: %w", err)
	}
	p := &Process{Registry: c.Registry, Stops: c.Stops, Stores: c.Stores.filled(), Fleet: c.Fleet, config: c.Dashboard, listen: c.Listen}
	if p.Registry == nil {
		p.Registry = &control.Registry{}
	}
	if p.Stops == nil {
		p.Stops = &halt.Tree{}
	}
	p.Audit = &audit.Log{Store: p.Stores.Audit, Node: p.Registry.Instance}
	if p.Registry.Recorder == nil {
		p.Registry.Recorder = p.Audit
	}
	if p.Registry.Rehearse == nil {
		p.Registry.Rehearse = rehearse
	}
	if p.Fleet != nil {
		if p.Fleet.Registry == nil {
			p.Fleet.Registry = p.Registry
		}
		if p.Fleet.Stops == nil {
			p.Fleet.Stops = p.Stops
		}
	}
	if p.config.Source == nil {
		p.config.Source = p.Registry
	}
	if p.config.Commander == nil {
		p.config.Commander = p.Registry
	}
	errs := []error{p.config.Check(), p.Registry.AddStops(p.Stops), p.Registry.AddComponents(c.Components...)}
	if p.Fleet != nil {
		errs = append(errs, p.Fleet.Check())
	}
	errs = append(errs, p.analyze(c.Analyzer))
	for _, g := range c.Gates {
		errs = append(errs, p.Registry.AddGate(g.Name, g.Gate), p.show(g))
	}
	for _, k := range c.Classifiers {
		errs = append(errs, p.Registry.RegisterClassifier(k.Name, k.Classify))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("process: %w", err)
	}
	p.Registry.SetAudit(control.AuditOf(p.Audit))
	return p, nil
}

// analyze has the analysis listen.
func (p *Process) analyze(a *analytics.Analyzer) error {
	p.Analyzer = a
	if a == nil {
		p.Analyzer = &analytics.Analyzer{Sinks: []analytics.Sink{control.AuditFindings(p.Audit)}}
	}
	err := p.Registry.AddAnalyzer(p.Analyzer)
	if a == nil && errors.Is(err, control.ErrDuplicate) {
		p.Analyzer, err = nil, nil
	}
	return err
}

// show lets a gate be seen, if it is one that can be.
func (p *Process) show(g Gate) error {
	switch gate := g.Gate.(type) {
	case *breaker.Breaker:
		c := control.Circuit{Policy: g.Name, Breaker: gate}
		if slices.Contains(p.Registry.ComponentNames(), g.Name) {
			c.Component = g.Name
		}
		return p.Registry.AddCircuit(c)
	case *budget.Budget:
		return p.Registry.AddBudget(g.Name, control.BudgetOf(gate))
	}
	return nil
}

// Gates returns what each policy of an operation should have first: the emergency stop of its scope, and the audit log.
func (p *Process) Gates(path ...string) []retry.Gate {
	return []retry.Gate{p.Stops.Gate(path...), p.Audit}
}

// Handler returns what Listen serves: /livez, /readyz and /healthz, and the dashboard for the rest. Between Start and Stop it
// is complete; otherwise the dashboard answers 503.
func (p *Process) Handler() http.Handler {
	health := &control.Endpoint{Registry: p.Registry}
	mux := http.NewServeMux()
	for _, path := range []string{"/livez", "/readyz", "/healthz"} {
		mux.Handle(path, health)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if h := p.live.board.Load(); h != nil {
			h.ServeHTTP(w, r)
			return
		}
		http.Error(w, "the process is not started, or is stopping", http.StatusServiceUnavailable)
	})
	return mux
}

// Health returns an error that says why the process is failing, or nil while it is ok or degraded.
func (p *Process) Health(ctx context.Context) error {
	h := p.Registry.Health(ctx)
	if h.Status == control.StatusFailing {
		return fmt.Errorf("process: failing: %s", strings.Join(h.Causes, ", "))
	}
	return nil
}

// rehearse lets a learner that asks for it be promoted: what it learned is played in the simulator first.
func rehearse(ctx context.Context, l adaptive.Learned, p *retry.Policy) (float64, error) {
	gain, err := sim.Rehearse(ctx, l, p)
	return gain.Mean, err
}
