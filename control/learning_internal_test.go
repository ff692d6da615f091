package control

import (
	"log/slog"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

// What the learner notices is shown and told, except for modes, which are told by who changes them.
func TestNotices(t *testing.T) {
	r := &Registry{Logger: slog.New(slog.DiscardHandler)}
	o, err := r.AddOperation("", &retry.Policy{Name: "a", Gates: []retry.Gate{&budget.Budget{}, &Learning{}}})
	if err != nil {
		t.Fatal(err)
	}
	notes := r.Subscribe(Filter{}, 10)
	for _, step := range []struct {
		notice          adaptive.Notice
		fallback, guard bool
	}{
		{adaptive.Notice{Operation: "a", What: "fallback on"}, true, false}, {adaptive.Notice{Operation: "a", What: "guard on"}, true, true},
		{adaptive.Notice{Operation: "b", What: "guard off"}, true, true}, {adaptive.Notice{Operation: "a", What: "mode active"}, true, true},
		{adaptive.Notice{Operation: "a", What: "fallback off"}, false, true}, {adaptive.Notice{Operation: "a", What: "guard off"}, false, false},
	} {
		r.live.learner.Notice(step.notice)
		if v := o.View().Learning; v.Fallback != step.fallback || v.Guard != step.guard {
			t.Errorf("after %+v: %+v", step.notice, v)
		}
	}
	told, _ := notes.Next(t.Context())
	if len(told) != 4 || told[0].Kind != "learning" || told[0].Policy != "a" || told[0].Text != "fallback on: forecasts were worse than the base rate's, so that the configured policy serves" {
		t.Errorf("told %+v", told)
	}
	for what, words := range noticeWords {
		if words == "" {
			t.Errorf("%s has no words", what)
		}
	}
}

// One choice a second is kept, whatever the clock does, and the last four.
func TestLessonIsBounded(t *testing.T) {
	var learner adaptive.Learner
	var l lesson
	event := func(at time.Duration) *retry.Event {
		return &retry.Event{Kind: retry.Retrying, At: time.Unix(1e9, 0).Add(at)}
	}
	l.heard(&learner, "a", event(0))
	if got := l.last(); len(got) != 0 {
		t.Errorf("kept %+v of an operation that nobody knows", got)
	}
	source := learner.Source(&retry.Policy{Name: "a"}, adaptive.Terms{})
	gate := source.Current().Gates[0]
	if err := gate.Admit(t.Context(), &retry.Attempt{Number: 2, At: time.Unix(1e9, 0), Err: errUnbounded}); err != nil {
		t.Fatal(err)
	}
	l.heard(&learner, "a", &retry.Event{Kind: retry.Finished, At: time.Unix(1e9+2, 0)}) // a success
	for _, at := range []float64{10, 10.5, 11, 11.9, 12, 13, 14, 3, 3.5} {              // at 3, the clock was set back
		l.heard(&learner, "a", event(time.Duration(at*float64(time.Second))))
	}
	if got := l.last(); len(got) != 4 {
		t.Errorf("kept %d", len(got))
	}
	l.heard(&learner, "a", &retry.Event{Kind: retry.Finished, Reason: adaptive.ErrStopped, At: time.Unix(1e9+30, 0)})
	if got := l.last(); !got[0].Stopped || got[1].At.Sub(time.Unix(1e9, 0)) != 3*time.Second {
		t.Errorf("kept %+v", got)
	}
}

// Two processes that learn are one, in any order, as far as numbers can say.
func TestAddLearnings(t *testing.T) {
	at := func(s int64) ChoiceView { return ChoiceView{At: time.Unix(s, 0)} }
	a := LearningView{Mode: "shadow", By: "model", Down: .1, Outages: 1, Results: 10, Retries: 2, Scored: 30, Brier: .1, Base: .2, Calibration: .04, Proven: true, Stopped: 1, Against: 2, Earned: -1,
		GuardTrips: 1, Waiting: 1, Open: 1, Odd: 1, Decisions: map[string]uint64{"model": 2}, Choices: []ChoiceView{at(9), at(7), at(5)}}
	b := LearningView{Mode: "active", By: "model", Fallback: true, Guard: true, Down: .9, DownFor: time.Second, Outages: 2, Results: 20, Retries: 3, Scored: 10, Brier: .3, Base: .2, Calibration: .08, Stopped: 3,
		Earned: 4, Open: .5, Decisions: map[string]uint64{"cold": 1}, Choices: []ChoiceView{at(8), at(6)}}
	want := LearningView{Mode: Mixed, By: "model", Fallback: true, Guard: true, Down: .9, DownFor: time.Second, Outages: 3, Results: 30, Retries: 5, Scored: 40, Brier: .15, Base: .2, Calibration: .05, Stopped: 4,
		Against: 2, Earned: 3, GuardTrips: 1, Waiting: 1, Open: .5, Odd: 1, Decisions: map[string]uint64{"model": 2, "cold": 1}, Choices: []ChoiceView{at(9), at(8), at(7), at(6)}}
	for _, pair := range [][2]LearningView{{a, b}, {b, a}} {
		got := addLearnings(pair[0], pair[1])
		for _, f := range []*float64{&got.Brier, &got.Base, &got.Calibration} {
			*f = math.Round(*f*1e9) / 1e9
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v; want %+v", got, want)
		}
	}
	if got := addLearnings(LearningView{}, LearningView{}); got.Brier != 0 || got.Choices == nil {
		t.Errorf("nothing and nothing are %+v", got)
	}
	m := Merge(View{Instance: "a", Policies: []PolicyView{{Name: "p", Learning: &a, Budgeted: true}}}, View{Instance: "b", Policies: []PolicyView{{Name: "p", Learning: &b}}})
	if p := m.Policies[0]; p.Budgeted || p.Learning.Mode != Mixed {
		t.Errorf("merged %+v", p)
	}
}

func TestFinite(t *testing.T) {
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 3} {
		if got := finite(f); got != got || math.IsInf(got, 0) || f == 3 && got != 3 {
			t.Errorf("finite(%v) = %v", f, got)
		}
	}
}
