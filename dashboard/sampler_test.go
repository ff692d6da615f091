package dashboard

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
)

// counted is a policy after so many calls.
func counted(name string, first, again, lost uint64) control.PolicyView {
	calls := first + again + lost
	return control.PolicyView{
		Name: name, Outcomes: map[string]uint64{"success_first_try": first, "success_after_retry": again, "exhausted": lost},
		Suppressed: map[string]uint64{"limit": lost}, Attempts: first + 2*again + 3*lost,
		Call: control.Histogram{Bounds: []float64{1, 2}, Counts: []uint64{calls, 0, 0}}, Attempt: control.Histogram{Bounds: []float64{1, 2}, Counts: []uint64{calls, 0, 0}},
	}
}

var began = time.Unix(1e9, 0)

func TestRow(t *testing.T) {
	s := newSampler()
	for i := range uint64(121) { // 10 calls a second, of which one is retried and one lost
		s.take(control.View{Epoch: 1, Policies: []control.PolicyView{counted("a", 8*i, i, i)}}, began.Add(time.Duration(i)*time.Second), Stats{})
	}
	got := s.rows["a"]
	for _, test := range []struct {
		name      string
		got, want Number
	}{
		{"calls", got.Calls, 10}, {"retries", got.Retries, 3}, {"success", got.Success, .9}, {"first try", got.FirstTry, .8},
		{"amplification", got.Amplification, 1.3}, {"p50", got.CallP50, .5}, {"p99", got.AttemptP99, .99},
		{"calls in all", s.totals.Calls, 10}, {"p99 in all", s.totals.CallP99, .99},
	} {
		if math.Abs(float64(test.got-test.want)) > 1e-9 {
			t.Errorf("%s = %v; want %v", test.name, test.got, test.want)
		}
	}
	if got := string(s.trails["a"].trend()); got != "["+strings.Repeat("10,", 23)+"10]" {
		t.Errorf("trend = %s; want 24 times 10", got)
	}
	if got.Outcomes["exhausted"] != 60 || got.Suppressed["limit"] != 60 || len(got.Outcomes) != 3 {
		t.Errorf("last minute: %v, %v; want 60 exhausted, 60 limit", got.Outcomes, got.Suppressed)
	}
}

// A restart of the process begins a new history: counters that fell are no calls.
func TestRestart(t *testing.T) {
	s := newSampler()
	s.take(control.View{Epoch: 1, Policies: []control.PolicyView{counted("a", 1000, 0, 0)}}, began, Stats{})
	s.take(control.View{Epoch: 2, Policies: []control.PolicyView{counted("a", 5, 0, 0)}}, began.Add(time.Second), Stats{})
	if got := s.rows["a"]; !math.IsNaN(float64(got.Success)) {
		t.Errorf("after a restart: %+v; want nothing yet", got)
	}
	s.take(control.View{Epoch: 2, Policies: []control.PolicyView{counted("a", 3, 0, 0)}}, began.Add(2*time.Second), Stats{})
	if got := s.rows["a"].Calls; got != 0 {
		t.Errorf("a counter that fell: %v calls a second; want 0", got)
	}
}

func TestHistory(t *testing.T) {
	s := newSampler()
	for i := range uint64(2 * 3600) {
		now := began.Add(time.Duration(i) * time.Second)
		st := s.take(control.View{Policies: []control.PolicyView{counted("a", i, 0, 0)}}, now, Stats{})
		if _, ok := st["series"]["last"]; ok != (i > 0) {
			t.Fatalf("second %d has a point: %v", i, ok)
		}
	}
	for _, test := range []struct {
		policy string
		span   time.Duration
		points int
	}{{"", 0, 300}, {"", time.Minute, 60}, {"", -1, 300}, {"", 9 * time.Hour, 3600}, {"a", time.Minute, 12}, {"a", time.Hour, 720}} {
		h, ok := s.history(test.policy, test.span)
		if !ok || len(h.Points) != test.points {
			t.Fatalf("history of %q, %v: %d points; want %d", test.policy, test.span, len(h.Points), test.points)
		}
		for i := 1; i < len(h.Points); i++ {
			if h.Points[i].At <= h.Points[i-1].At {
				t.Fatalf("history of %q: point %d is not later than the one before", test.policy, i)
			}
		}
	}
	s.take(control.View{}, began.Add(3*time.Hour), Stats{})
	if _, ok := s.history("a", 0); ok || len(s.trails) != 0 {
		t.Error("a policy that is gone keeps its history")
	}
}

// There is a row for every policy, but no more than 1,000 histories.
func TestTrailsAreBounded(t *testing.T) {
	s := newSampler()
	v := control.View{}
	for i := range maxTrails + 5 {
		v.Policies = append(v.Policies, control.PolicyView{Name: string(rune(0x4e00 + i))})
	}
	s.take(v, began, Stats{})
	if len(s.trails) != maxTrails || len(s.rows) != maxTrails+5 {
		t.Errorf("%d histories, %d rows", len(s.trails), len(s.rows))
	}
}

func TestBudgets(t *testing.T) {
	s := newSampler()
	for i := range 31 {
		s.take(control.View{Budgets: []control.BudgetView{{Name: "b", Level: 100 - float64(i), Max: 100, Denied: uint64(2 * i)}, {Name: "c", Level: 5}}}, began.Add(time.Duration(i)*time.Second), Stats{})
	}
	rows := s.budgets(control.View{Budgets: []control.BudgetView{{Name: "b", Level: 69, Denied: 62}, {Name: "c", Level: 5}}}, began.Add(31*time.Second))
	if rows[0].DeniedRate != 2 || rows[0].Empty != 69 || !math.IsNaN(float64(rows[1].Empty)) {
		t.Errorf("budgets = %+v; want 2 denied a second, empty in 69 s, and one that holds", rows)
	}
}

func TestHistogramsThatChange(t *testing.T) {
	if got := lessAll([]uint64{1}, []uint64{1, 2}); len(got) != 1 {
		t.Errorf("other buckets: %v", got)
	}
	if got := plusAll([]uint64{1}, []uint64{1, 2}); len(got) != 1 {
		t.Errorf("other buckets: %v", got)
	}
	if got := plusAll([]uint64{1, 2}, []uint64{3, 4}); got[0] != 4 || got[1] != 6 {
		t.Errorf("the same buckets: %v", got)
	}
	if got := plusAll(nil, []uint64{1, 2}); len(got) != 2 {
		t.Errorf("no buckets: %v", got)
	}
}

// Evidence is anything; what has no JSON is shown as null, and the rest stays.
func TestOddEvidence(t *testing.T) {
	into := map[string]json.RawMessage{}
	put(into, "x", math.NaN())
	if string(into["x"]) != "null" {
		t.Errorf("put(NaN) = %s; want null", into["x"])
	}
}

// What is learned about an operation is a topic of its own, and goes with it.
func TestLearningTopic(t *testing.T) {
	s := newSampler()
	p := counted("a", 1, 0, 0)
	p.Learning = &control.LearningView{Mode: "shadow", By: "model", Down: .5, Choices: []control.ChoiceView{}}
	got := s.take(control.View{Epoch: 1, Policies: []control.PolicyView{p, counted("b", 1, 0, 0)}}, began, Stats{})["learning"]
	var row map[string]any
	if err := json.Unmarshal(got["a"], &row); err != nil || len(got) != 1 || row["name"] != "a" || row["mode"] != "shadow" || row["down"] != .5 || row["choices"] == nil {
		t.Errorf("learning %s, %v", got, err)
	}
	p.Learning = nil
	if got := s.take(control.View{Epoch: 1, Policies: []control.PolicyView{p}}, began.Add(time.Second), Stats{})["learning"]; len(got) != 0 {
		t.Errorf("when off: %s", got)
	}
}

// A drill stands beside what is stopped for real in the same scope.
func TestDrillsAndStops(t *testing.T) {
	st := newSampler().take(control.View{Stops: []control.StopView{{Scope: "desk", State: "drain"}, {Scope: "desk", State: "stopped", Drill: true}}}, began, Stats{})
	if stops := st["stops"]; len(stops) != 2 || stops["desk"] == nil || stops["desk (drill)"] == nil {
		t.Errorf("stops %s; want both", stops)
	}
}
