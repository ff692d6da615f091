package control_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestMerge(t *testing.T) {
	a := control.View{
		Instance: "a", Since: noon, At: noon.Add(time.Minute), Build: control.Build{Version: "v1", Go: "go1"},
		Policies: []control.PolicyView{{Name: "p", Policy: "old", Version: 1, Outcomes: map[string]uint64{"exhausted": 1}, Failures: map[string]uint64{"transient": 2},
			Suppressed: map[string]uint64{"budget": 3}, Attempts: 4, InFlight: 5, Waiting: 6, Call: control.Histogram{Bounds: []float64{1, 2}, Counts: []uint64{1, 2, 3}, Sum: 9}}},
		Circuits: []control.CircuitView{{Policy: "p", Target: "t", State: "open", Cause: "failure rate", FailureRate: 0.9, Transitions: map[string]uint64{"open": 1},
			History: []control.Transition{{At: noon.Add(2 * time.Second), To: "open"}}}},
		Budgets: []control.BudgetView{{Name: "b", Policies: []string{"q", "p"}, Level: 1, Max: 10, Refill: 0.5, Granted: 3, Denied: 4}},
		Stops:   []control.StopView{{Scope: "desk", State: "drain", Epoch: 3}, {Scope: "global", State: "no-retries"}},
		Venues: []control.VenueView{{Name: "v", Unknown: 1, OldestUnknown: noon, Parked: 2, GuardTrips: 3, Reconnects: map[string]uint64{"eof": 1},
			Headroom: map[string]float64{"weight": 0.5, "orders": 0.9}, BannedUntil: noon}},
		Components: []control.ComponentView{{Name: "c", State: "up"}, {Name: "d", State: "failing", Cause: "x", Stuck: true}},
		Findings:   []control.FindingView{{Kind: "k", Subject: "s", Severity: "ticket", Since: noon.Add(time.Hour)}},
		Audit:      &control.AuditView{Records: 1, Verified: noon},
		Config:     &control.ConfigView{Hash: "h", Good: true, Reloads: 1, Loaded: noon},
		Dropped:    map[string]uint64{"tail": 1},
	}
	b := control.View{
		Instance: "b", Since: noon.Add(-time.Minute), At: noon, Build: control.Build{Version: "v2", Go: "go2"},
		Policies: []control.PolicyView{{Name: "o"}, {Name: "p", Policy: "new", Version: 2, Outcomes: map[string]uint64{"exhausted": 10, "stopped": 1}, Attempts: 40, InFlight: 1,
			Call: control.Histogram{Bounds: []float64{1, 1.5}, Counts: []uint64{10, 20, 30}, Sum: 90}, PerCall: control.Histogram{Bounds: []float64{1}, Counts: []uint64{1, 0}, Sum: 1}}},
		Circuits: []control.CircuitView{{Policy: "p", Target: "t", State: "closed", Critical: true, Transitions: map[string]uint64{"open": 2, "closed": 2},
			History: []control.Transition{{At: noon, To: "open"}, {At: noon.Add(3 * time.Second), To: "closed"}}}, {Policy: "p", Target: "u", State: "closed"}},
		Budgets: []control.BudgetView{{Name: "b", Policies: []string{"p"}, Level: 2, Max: 10}},
		Stops:   []control.StopView{{Scope: "desk", State: "stopped", Epoch: 2}, {Scope: "other", State: "drain"}},
		Venues:  []control.VenueView{{Name: "v", Unknown: 1, OldestUnknown: noon.Add(-time.Hour), Headroom: map[string]float64{"weight": 0.2}}},
		Components: []control.ComponentView{{Name: "c", State: "unknown", Critical: true},
			{Name: "d", State: "up"}},
		Findings: []control.FindingView{{Kind: "k", Subject: "s", Severity: "page", Since: noon.Add(2 * time.Hour)}},
		Audit:    &control.AuditView{Records: 2, Broken: true},
		Config:   &control.ConfigView{Hash: "i", Errors: []string{"x"}, Failures: 1, Loaded: noon.Add(time.Hour)},
		Dropped:  map[string]uint64{"tail": 1, "spool": 2},
	}
	want := control.View{
		Since: noon.Add(-time.Minute), At: noon.Add(time.Minute), Build: control.Build{Version: "mixed", Go: "mixed"},
		Policies: []control.PolicyView{{Name: "o"}, {Name: "p", Policy: "new", Version: 2, Outcomes: map[string]uint64{"exhausted": 11, "stopped": 1},
			Failures: map[string]uint64{"transient": 2}, Suppressed: map[string]uint64{"budget": 3}, Attempts: 44, InFlight: 6, Waiting: 6,
			Call:    control.Histogram{Bounds: []float64{1, 2}, Counts: []uint64{11, 22, 33}, Sum: 99},
			PerCall: control.Histogram{Bounds: []float64{1}, Counts: []uint64{1, 0}, Sum: 1}}},
		Circuits: []control.CircuitView{{Policy: "p", Target: "t", State: "open", Cause: "failure rate", FailureRate: 0.9, Critical: true,
			Transitions: map[string]uint64{"open": 3, "closed": 2}, History: []control.Transition{{At: noon, To: "open"}, {At: noon.Add(2 * time.Second), To: "open"}, {At: noon.Add(3 * time.Second), To: "closed"}}},
			{Policy: "p", Target: "u", State: "closed"}},
		Budgets: []control.BudgetView{{Name: "b", Policies: []string{"p", "q"}, Level: 3, Max: 20, Refill: 0.5, Granted: 3, Denied: 4}},
		Stops:   []control.StopView{{Scope: "global", State: "no-retries"}, {Scope: "desk", State: "stopped", Epoch: 2}, {Scope: "other", State: "drain"}},
		Venues: []control.VenueView{{Name: "v", Unknown: 2, OldestUnknown: noon.Add(-time.Hour), Parked: 2, GuardTrips: 3, Reconnects: map[string]uint64{"eof": 1},
			Headroom: map[string]float64{"weight": 0.2, "orders": 0.9}, BannedUntil: noon}},
		Components: []control.ComponentView{{Name: "c", State: "unknown", Critical: true}, {Name: "d", State: "failing", Cause: "x", Stuck: true}},
		Findings:   []control.FindingView{{Kind: "k", Subject: "s", Severity: "page", Since: noon.Add(time.Hour)}},
		Audit:      &control.AuditView{Records: 3, Broken: true, Verified: noon},
		Config:     &control.ConfigView{Hash: "mixed", Errors: []string{"x"}, Reloads: 1, Failures: 1, Loaded: noon.Add(time.Hour)},
		Instances: []control.InstanceView{{Name: "a", Connected: true, Seen: noon.Add(time.Minute), Version: "v1", Config: "h"},
			{Name: "b", Connected: true, Seen: noon, Version: "v2", Config: "i"}},
		Dropped: map[string]uint64{"tail": 2, "spool": 2}, Overflow: map[string]uint64{},
	}
	before := fmt.Sprint(a, b)
	if got := control.Merge(a, b); !reflect.DeepEqual(got, want) {
		t.Errorf("Merge =\n%+v; want\n%+v", got, want)
	}
	if fmt.Sprint(a, b) != before {
		t.Error("Merge changed what it was given")
	}
	got := control.Merge(b, a)
	if len(got.Policies) != 2 || got.Policies[1].Policy != "new" || got.Stops[1].State != "stopped" || got.Circuits[0].State != "open" {
		t.Errorf("the other way round: %+v", got)
	}
	if one := control.Merge(control.Merge(a, b), control.View{Instance: "c", Build: a.Build}); len(one.Instances) != 3 || one.Instances[2].Name != "c" || one.Build.Version != "mixed" {
		t.Errorf("merged again: %+v; want three instances", one.Instances)
	}
	if none := control.Merge(); none.Policies == nil || none.Findings == nil || len(none.Instances) != 0 {
		t.Errorf("of nothing: %+v", none)
	}
}

// However views are grouped and ordered, the sums are the same.
func TestMergeInAnyOrder(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		states := control.CircuitStates()
		views := make([]control.View, 4)
		for i := range views {
			v := control.View{Instance: fmt.Sprint(i)}
			for n := range 5 {
				if rnd.IntN(2) == 0 {
					continue
				}
				name := fmt.Sprint("p", n)
				v.Policies = append(v.Policies, control.PolicyView{Name: name, Outcomes: map[string]uint64{"stopped": rnd.Uint64N(9)}, Attempts: rnd.Uint64N(9),
					Call: control.Histogram{Bounds: []float64{1}, Counts: []uint64{rnd.Uint64N(9), rnd.Uint64N(9)}, Sum: float64(rnd.IntN(9))}})
				v.Circuits = append(v.Circuits, control.CircuitView{Policy: name, State: states[rnd.IntN(len(states))], Transitions: map[string]uint64{"open": rnd.Uint64N(9)}})
			}
			views[i] = v
		}
		want := control.Merge(views...)
		shuffled := slices.Clone(views)
		rnd.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		cut := rnd.IntN(len(shuffled) + 1)
		got := control.Merge(control.Merge(shuffled[:cut]...), control.Merge(shuffled[cut:]...))
		if !reflect.DeepEqual(got.Policies, want.Policies) || !reflect.DeepEqual(got.Circuits, want.Circuits) || !reflect.DeepEqual(got.Instances, want.Instances) {
			t.Fatalf("seed %d:\n%+v; want\n%+v", seed, got, want)
		}
	}
}
