package oteltrace_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/relent-go/relent/contrib/oteltrace"
	"github.com/relent-go/relent/control"
)

// still is a source that does not change.
type still control.View

func (s still) View() control.View { return control.View(s) }

func TestMetrics(t *testing.T) {
	view := still{
		Policies: []control.PolicyView{{Name: "p", Outcomes: map[string]uint64{"exhausted": 2}, Attempts: 6, InFlight: 1}},
		Budgets: []control.BudgetView{
			{Name: "b", Policies: []string{"p", "q"}, Level: 3, Max: 4}, {Name: "c", Policies: []string{"p"}, Level: 1, Max: 4}, {Name: "d", Policies: []string{"r"}},
		},
		Circuits:   []control.CircuitView{{Policy: "p", Target: "h", State: "open", Transitions: map[string]uint64{"open": 3}}},
		Stops:      []control.StopView{{Scope: "global", State: "stopped"}, {Scope: "p", State: "stopped", Drill: true}, {Scope: "q", State: "running", Ramp: 0.5}},
		Components: []control.ComponentView{{Name: "db", Critical: true, State: "failing"}, {Name: "cache", State: "degraded"}},
		Venues:     []control.VenueView{{Name: "v", Unknown: 2, GuardTrips: 7}},
		Dropped:    map[string]uint64{"tail": 9},
	}
	reader := sdkmetric.NewManualReader()
	m := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	registration, err := oteltrace.Metrics(view, m)
	if err != nil {
		t.Fatal(err)
	}
	got := collect(t, reader)
	for _, want := range []string{
		"relent.calls{outcome=exhausted,policy=p} 2",
		"relent.attempts{policy=p} 6",
		"relent.inflight.calls{policy=p} 1",
		"relent.budget.remaining{policy=p} 0.25",
		"relent.budget.remaining{policy=q} 0.75",
		"relent.budget.remaining{policy=r} 0",
		"relent.circuit.state{policy=p,state=open,target=h} 1",
		"relent.circuit.state{policy=p,state=closed,target=h} 0",
		"relent.circuit.transitions{policy=p,target=h,to=open} 3",
		"relent.emergency.stop.engaged{scope=global} 1",
		"relent.emergency.stop.engaged{scope=p} 0",
		"relent.emergency.stop.engaged{scope=q} 1",
		"relent.component.up{component=db,critical=true} 0",
		"relent.component.up{component=cache,critical=false} 1",
		"relent.duplicate.guard.trips{venue=v} 7",
		"relent.unknown.outcome.orders{venue=v} 2",
		"relent.events.dropped{sink=tail} 9",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
	if err := registration.Unregister(); err != nil {
		t.Fatal(err)
	}
	if got := collect(t, reader); len(got) != 0 {
		t.Errorf("after Unregister there are still %q", got)
	}
}

// collect returns the series as lines.
func collect(t *testing.T, reader sdkmetric.Reader) (lines []string) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				if !d.IsMonotonic {
					t.Errorf("%s is no counter", m.Name)
				}
				lines = append(lines, points(m.Name, d.DataPoints)...)
			case metricdata.Gauge[int64]:
				lines = append(lines, points(m.Name, d.DataPoints)...)
			case metricdata.Gauge[float64]:
				lines = append(lines, points(m.Name, d.DataPoints)...)
			}
		}
	}
	return lines
}

func points[N int64 | float64](name string, all []metricdata.DataPoint[N]) (lines []string) {
	for _, p := range all {
		labels := ""
		for _, a := range p.Attributes.ToSlice() {
			labels += fmt.Sprintf(",%s=%s", a.Key, a.Value.Emit())
		}
		lines = append(lines, fmt.Sprintf("%s{%s} %v", name, labels[1:], p.Value))
	}
	return lines
}

var errNo = errors.New("no such instrument")

// sparse is a meter without counters.
type sparse struct{ noop.Meter }

func (sparse) Int64ObservableCounter(string, ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	return nil, errNo
}

func TestMetricsRefused(t *testing.T) {
	if r, err := oteltrace.Metrics(still{}, sparse{}); r != nil || !errors.Is(err, errNo) {
		t.Errorf("Metrics = %v, %v; want %v", r, err, errNo)
	}
}
