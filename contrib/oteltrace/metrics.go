package oteltrace

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/relent-go/relent/control"
)

// A Source has the view that metrics show. A [control.Registry] is one.
type Source interface{ View() control.View }

// Metrics shows the counters and states of source through m, by one callback, which takes one view each time a reader
// collects. Calls pay nothing for it. The names are those of package prom as OpenTelemetry writes them: relent.calls there is
// relent_calls_total in Prometheus. Histograms are missing, because an observable instrument cannot be one.
//
//	relent.calls{policy,outcome}                 relent.attempts{policy}
//	relent.attempt.failures{policy,class}        relent.retries.suppressed{policy,reason}
//	relent.inflight.calls{policy}                relent.budget.remaining{policy}
//	relent.circuit.state{policy,target,state}    relent.circuit.transitions{policy,target,to}
//	relent.emergency.stop.engaged{scope}         relent.component.up{component,critical}
//	relent.duplicate.guard.trips{venue}          relent.unknown.outcome.orders{venue}
//	relent.events.dropped{sink}
//
// Unregister of what it returns ends it. The error is that of an instrument which m refuses.
func Metrics(source Source, m metric.Meter) (metric.Registration, error) {
	b := builder{meter: m}
	calls := b.counter("relent.calls", "{call}", "Calls that ended, by what the caller got.")
	attempts := b.counter("relent.attempts", "{attempt}", "Attempts, first ones included.")
	failures := b.counter("relent.attempt.failures", "{attempt}", "Attempts that failed, by the class of the error.")
	suppressed := b.counter("relent.retries.suppressed", "{retry}", "Failures that were not followed by a retry, by why not.")
	inflight := b.gauge("relent.inflight.calls", "{call}", "Calls that have begun and not ended.")
	budget := b.share("relent.budget.remaining", "The share that is left of the retry budget, the emptiest of several, 0 to 1.")
	circuit := b.gauge("relent.circuit.state", "{circuit}", "1 for the state that a circuit breaker is in.")
	transitions := b.counter("relent.circuit.transitions", "{transition}", "Changes of a circuit breaker, by the state entered.")
	stopped := b.gauge("relent.emergency.stop.engaged", "{stop}", "1 while a scope is stopped, in whatever state; drills stop nothing.")
	up := b.gauge("relent.component.up", "{component}", "1 unless a component fails.")
	trips := b.counter("relent.duplicate.guard.trips", "{order}", "Orders whose repetition was blocked.")
	unknown := b.gauge("relent.unknown.outcome.orders", "{order}", "Orders of which nobody knows whether they exist.")
	dropped := b.counter("relent.events.dropped", "{event}", "Events that were dropped because their reader was slow.")
	if err := errors.Join(b.errs...); err != nil {
		return nil, err
	}
	return m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		v := source.View()
		for i := range v.Policies {
			p := &v.Policies[i]
			each(o, calls, p.Outcomes, "outcome", attribute.String("policy", p.Name))
			each(o, failures, p.Failures, "class", attribute.String("policy", p.Name))
			each(o, suppressed, p.Suppressed, "reason", attribute.String("policy", p.Name))
			one := metric.WithAttributes(attribute.String("policy", p.Name))
			o.ObserveInt64(attempts, int64(p.Attempts), one)
			o.ObserveInt64(inflight, p.InFlight, one)
		}
		for policy, left := range remaining(v.Budgets) {
			o.ObserveFloat64(budget, left, metric.WithAttributes(attribute.String("policy", policy)))
		}
		for i := range v.Circuits {
			c := &v.Circuits[i]
			of := []attribute.KeyValue{attribute.String("policy", c.Policy), attribute.String("target", c.Target)}
			each(o, transitions, c.Transitions, "to", of...)
			for _, state := range states {
				o.ObserveInt64(circuit, truth(c.State == state), metric.WithAttributes(append(of[:2:2], attribute.String("state", state))...))
			}
		}
		global := false
		for _, s := range v.Stops {
			global = global || s.Scope == "global"
			o.ObserveInt64(stopped, truth(engaged(s)), metric.WithAttributes(attribute.String("scope", s.Scope)))
		}
		if !global { // which was never stopped, and can be
			o.ObserveInt64(stopped, 0, metric.WithAttributes(attribute.String("scope", "global")))
		}
		for _, c := range v.Components {
			o.ObserveInt64(up, truth(c.State != "failing"), metric.WithAttributes(attribute.String("component", c.Name), attribute.Bool("critical", c.Critical)))
		}
		for i := range v.Venues {
			of := metric.WithAttributes(attribute.String("venue", v.Venues[i].Name))
			o.ObserveInt64(trips, int64(v.Venues[i].GuardTrips), of)
			o.ObserveInt64(unknown, v.Venues[i].Unknown, of)
		}
		each(o, dropped, v.Dropped, "sink")
		return nil
	}, b.all...)
}

// states are those of relent.circuit.state.
var states = []string{"closed", "suspect", "throttling", "half_open", "open", "isolated"}

// each observes the counts of a map, with its key as one more attribute.
func each(o metric.Observer, c metric.Int64Observable, counts map[string]uint64, key string, of ...attribute.KeyValue) {
	for k, n := range counts {
		o.ObserveInt64(c, int64(n), metric.WithAttributes(append(of[:len(of):len(of)], attribute.String(key, k))...))
	}
}

// remaining is the share that is left of the emptiest budget of each policy.
func remaining(budgets []control.BudgetView) map[string]float64 {
	left := map[string]float64{}
	for _, b := range budgets {
		share := 0.0
		if b.Max > 0 {
			share = max(0, min(1, b.Level/b.Max))
		}
		for _, policy := range b.Policies {
			if was, known := left[policy]; !known || share < was {
				left[policy] = share
			}
		}
	}
	return left
}

// engaged says that a scope is stopped, or comes back little by little.
func engaged(s control.StopView) bool {
	return !s.Drill && (s.State != "running" || s.Ramp > 0 && s.Ramp < 1)
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// A builder makes instruments and collects what goes wrong.
type builder struct {
	meter metric.Meter
	all   []metric.Observable
	errs  []error
}

func (b *builder) keep(o metric.Observable, err error) {
	b.all, b.errs = append(b.all, o), append(b.errs, err)
}

func (b *builder) counter(name, unit, help string) metric.Int64Observable {
	c, err := b.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(help))
	b.keep(c, err)
	return c
}

func (b *builder) gauge(name, unit, help string) metric.Int64Observable {
	g, err := b.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(help))
	b.keep(g, err)
	return g
}

func (b *builder) share(name, help string) metric.Float64Observable {
	g, err := b.meter.Float64ObservableGauge(name, metric.WithUnit("1"), metric.WithDescription(help))
	b.keep(g, err)
	return g
}
