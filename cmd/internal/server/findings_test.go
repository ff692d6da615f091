package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/observe/analytics"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func shift(severity string) control.FindingView {
	return control.FindingView{Kind: "error_shift", Subject: "v.a", Severity: severity, Summary: "v.a fails.", Since: noon.Add(-time.Minute)}
}

// A finding of the fleet opens once, is told again when it gets worse, is over after it was away for 30 s, and is the same one
// when it comes back within five minutes.
func TestFindingsOfTheFleet(t *testing.T) {
	var told []string
	f := &findings{tell: func(one analytics.Finding) {
		what := one.Severity.String()
		if !one.Ended.IsZero() {
			what = "over"
		}
		told = append(told, fmt.Sprintf("%s %s %v", what, one.ID, one.Updated.Sub(noon)))
	}}
	id := shift("").Finding().ID
	for _, step := range []struct {
		at    time.Duration
		list  []control.FindingView
		told  []string
		shown int
	}{
		{0, nil, nil, 0},
		{1 * time.Second, []control.FindingView{shift("ticket")}, []string{"ticket " + id + " 1s"}, 1},
		{2 * time.Second, []control.FindingView{shift("ticket")}, nil, 1},
		{3 * time.Second, []control.FindingView{shift("page")}, []string{"page " + id + " 3s"}, 1},
		{4 * time.Second, []control.FindingView{shift("info")}, nil, 1},
		{33 * time.Second, nil, nil, 1},
		{34 * time.Second, nil, []string{"over " + id + " 34s"}, 0},
		{35 * time.Second, nil, nil, 0},
		{5*time.Minute + 34*time.Second, []control.FindingView{shift("ticket")}, []string{"ticket " + id + " 5m34s"}, 1},
		{6*time.Minute + 4*time.Second, nil, []string{"over " + id + " 6m4s"}, 0},
		{12 * time.Minute, nil, nil, 0},
	} {
		told = nil
		shown := f.see(noon.Add(step.at), step.list, true)
		if !slices.Equal(told, step.told) || len(shown) != step.shown {
			t.Errorf("at %v: told %q, %d shown; want %q, %d shown", step.at, told, len(shown), step.told, step.shown)
		}
	}
	if len(f.known) != 0 {
		t.Errorf("%d findings are kept that ended long ago", len(f.known))
	}
}

// Of several servers one tells. When it goes, the next one tells what came in the meantime, and nothing older.
func TestFindingsAreToldByOneServer(t *testing.T) {
	var told []string
	f := &findings{tell: func(one analytics.Finding) { told = append(told, one.Subject.Name) }}
	f.see(noon, []control.FindingView{shift("page")}, false)
	f.see(noon.Add(time.Second), []control.FindingView{shift("page")}, false)
	other := shift("page")
	other.Subject = "v.b"
	both := []control.FindingView{shift("page"), other}
	f.see(noon.Add(10*time.Second), both, false)
	f.see(noon.Add(16*time.Second), both, false)
	if len(told) != 0 {
		t.Errorf("a server that does not lead told %q", told)
	}
	f.see(noon.Add(20*time.Second), both, true)
	if !slices.Equal(told, []string{"v.b"}) {
		t.Errorf("the new leader told %q; want what came within 15 s", told)
	}
}

// A flood of findings is bounded.
func TestFindingsAreBounded(t *testing.T) {
	told := 0
	f := &findings{tell: func(analytics.Finding) { told++ }}
	var list []control.FindingView
	for i := range mostFindings + 10 {
		v := shift("info")
		v.Subject = fmt.Sprint("v.", i)
		list = append(list, v)
	}
	if shown := f.see(noon, list, true); len(shown) != mostFindings || told != mostFindings {
		t.Errorf("%d shown, %d told; want %d", len(shown), told, mostFindings)
	}
	if !slices.IsSortedFunc(f.see(noon, nil, true), func(a, b control.FindingView) int { return strings.Compare(a.Subject, b.Subject) }) {
		t.Error("they are in no order")
	}
}

// What a process that went away reported last is not shown for ever.
func TestFindingsOfAProcessThatIsGone(t *testing.T) {
	r := &reported{control.View{Instance: "p", Findings: []control.FindingView{shift("page")}}, noon}
	if len(r.fresh(noon.Add(29*time.Second)).Findings) != 1 || r.fresh(noon.Add(30*time.Second)).Findings != nil || len(r.view.Findings) != 1 {
		t.Error("findings count for 30 s after the last report")
	}
}
