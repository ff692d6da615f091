package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe/analytics"
	"github.com/relent-go/relent/retry"
)

// ward is a registry with an analysis of three operations that share a component, on the clock of a bubble.
type ward struct {
	*control.Registry
	analyzer *analytics.Analyzer
	tree     *halt.Tree
	ops      []*control.Operation
	failing  map[string]bool
}

// watched runs a test with it.
func watched(t *testing.T, a *analytics.Analyzer, test func(*ward)) {
	synctest.Test(t, func(t *testing.T) {
		w := &ward{Registry: &control.Registry{Instance: "host:1"}, analyzer: a, tree: &halt.Tree{}, failing: map[string]bool{}}
		add(t, w.Registry, control.Component{Name: "network"}, control.Component{Name: "venue", DependsOn: []string{"network"}})
		if err := errors.Join(w.AddAnalyzer(a), w.AddStops(w.tree)); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"v.a", "v.b", "v.c"} {
			o, err := w.AddOperation("venue", &retry.Policy{Name: name, MaxAttempts: 1, Gates: []retry.Gate{w.tree.Gate("v", name[2:])}})
			if err != nil {
				t.Fatal(err)
			}
			w.ops = append(w.ops, o)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		test(w)
		cancel()
		<-done
		shut(t, w.Registry)
	})
}

// live has each operation called ten times a second, 5 ms each.
func (w *ward) live(ctx context.Context, d time.Duration) {
	for range d / (100 * time.Millisecond) {
		for _, o := range w.ops {
			retry.Run(ctx, o, func(context.Context) error {
				time.Sleep(5 * time.Millisecond)
				if w.failing[o.Name()] {
					return retry.Mark(errBusy, retry.Permanent)
				}
				return nil
			})
		}
		time.Sleep(85 * time.Millisecond)
	}
}

func (w *ward) seen() (list []string) {
	for _, f := range w.View().Findings {
		list = append(list, strings.Join([]string{f.Severity, f.Kind, f.Subject}, " "))
	}
	slices.Sort(list)
	return list
}

// What calls do reaches the analysis, calls that succeed at once too, and what it finds reaches who looks.
func TestFindings(t *testing.T) {
	recorder := &book{}
	a := &analytics.Analyzer{Sinks: []analytics.Sink{control.AuditFindings(recorder)}}
	watched(t, a, func(w *ward) {
		notes := w.Subscribe(control.Filter{Kinds: []string{"finding"}}, 0)
		defer notes.Close()
		w.live(t.Context(), 11*time.Minute)
		if got := w.seen(); len(got) != 0 {
			t.Errorf("findings of healthy traffic: %q", got)
		}
		w.failing["v.a"] = true
		began := time.Now()
		w.live(t.Context(), 8*time.Second)
		v := w.View()
		if got, want := w.seen(), []string{"page error_shift v.a"}; !slices.Equal(got, want) {
			t.Fatalf("findings = %q; want %q", got, want)
		}
		f := v.Findings[0]
		if f.Summary == "" || f.Action == "" || f.Evidence["statistic"] != "bernoulli_cusum" || f.Since.Sub(began).Abs() > 2*time.Second {
			t.Errorf("the finding is %+v; want what it is, since %v", f, began)
		}
		if _, err := json.Marshal(v); err != nil {
			t.Errorf("a view with findings: %v", err)
		}
		w.failing["v.a"] = false
		w.live(t.Context(), 2*time.Minute)
		if got := w.seen(); len(got) != 0 {
			t.Errorf("findings after recovery: %q", got)
		}
		list, _ := notes.Next(t.Context())
		if len(list) != 3 || !strings.HasPrefix(list[1].Text, "page error_shift: v.a fails") || list[2].Text != "error_shift is over" || list[0].Policy != "v.a" {
			t.Errorf("notes = %+v", list)
		}
		if got := strings.Join(recorder.take(), "\n"); !strings.HasPrefix(got, "finding  v.a ticket: ") || !strings.Contains(got, "\nfinding  v.a ended: ") || strings.Count(got, "\n") != 2 {
			t.Errorf("records:\n%s\nwant a ticket, a page and an end", got)
		}
	})
}

// Operations of one component that fail together are one finding about what they share.
func TestFindingsFollowComponents(t *testing.T) {
	watched(t, &analytics.Analyzer{}, func(w *ward) {
		w.live(t.Context(), 11*time.Minute)
		for _, o := range w.ops {
			w.failing[o.Name()] = true
		}
		w.live(t.Context(), 40*time.Second)
		if got, want := w.seen(), []string{"page correlated_failure network"}; !slices.Equal(got, want) && !slices.Equal(got, []string{"page correlated_failure venue"}) {
			t.Errorf("findings = %q; want %q, or of venue", got, want)
		}
	})
}

// In a stop failures are no news; a drill and a stop that was refused change nothing.
func TestFindingsInAStop(t *testing.T) {
	for _, test := range []struct {
		name  string
		scope halt.Scope
		drill bool
		want  []string
	}{
		{"everything", halt.Global, false, nil},
		{"one operation", "v/a", false, nil},
		{"a venue", "v", false, nil},
		{"another venue", "w", false, []string{"page error_shift v.a"}},
		{"a drill", halt.Global, true, []string{"page error_shift v.a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			watched(t, &analytics.Analyzer{}, func(w *ward) {
				w.live(t.Context(), 11*time.Minute)
				record, err := w.tree.Stop(halt.Command{Scope: test.scope, State: halt.NoRetries, Who: "ann", Why: "test", Source: "cli", Drill: test.drill})
				if err != nil {
					t.Fatal(err)
				}
				w.failing["v.a"] = true
				w.live(t.Context(), 8*time.Second)
				if got := w.seen(); !slices.Equal(got, test.want) {
					t.Errorf("findings in the stop = %q; want %q", got, test.want)
				}
				if test.drill {
					return
				}
				if _, err := w.tree.Resume(halt.Release{Scope: test.scope, Epoch: record.Epoch, Requester: "ben", Approver: "cyd", Why: "over"}); err != nil {
					t.Fatal(err)
				}
				w.live(t.Context(), 8*time.Second)
				if got, want := w.seen(), []string{"page error_shift v.a"}; !slices.Equal(got, want) {
					t.Errorf("findings after the stop = %q; want %q", got, want)
				}
			})
		})
	}
}

// Circuits of one operation that open again and again are flapping.
func TestFindingsOfCircuits(t *testing.T) {
	watched(t, &analytics.Analyzer{}, func(w *ward) {
		for i := range 4 {
			b := &breaker.Breaker{}
			if err := w.AddCircuit(control.Circuit{Policy: "v.b", Target: fmt.Sprint("host", i), Breaker: b}); err != nil {
				t.Fatal(err)
			}
			p := &retry.Policy{Name: "other", MaxAttempts: 1, Gates: []retry.Gate{b}}
			for range 40 {
				retry.Run(t.Context(), p, func(context.Context) error { return retry.Mark(errBusy, retry.Transient) })
				w.live(t.Context(), 100*time.Millisecond)
			}
		}
		if got, want := w.seen(), []string{"ticket flapping v.b"}; !slices.Equal(got, want) {
			t.Errorf("findings = %q; want %q; the circuits: %+v", got, want, w.View().Circuits)
		}
	})
}

func TestAnalyzersThatAreRefused(t *testing.T) {
	r := &control.Registry{}
	for _, test := range []struct {
		name string
		a    *analytics.Analyzer
		want string
	}{
		{"nil", nil, "analyzer: is nil"},
		{"mistaken", &analytics.Analyzer{Config: analytics.Config{MaxSubjects: -1}}, "analyzer: MaxSubjects: -1"},
		{"good", &analytics.Analyzer{}, ""},
		{"second", &analytics.Analyzer{}, "an analyzer is registered already"},
	} {
		if err := r.AddAnalyzer(test.a); (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v; want %q", test.name, err, test.want)
		}
	}
}

// An operation without a component depends on its venue, and an analyzer's own Poll is asked, too.
func TestAnalyzerKeepsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		a := &analytics.Analyzer{Poll: func(time.Time, func(*analytics.Record)) { asked++ }}
		r := &control.Registry{}
		if err := r.AddAnalyzer(a); err != nil {
			t.Fatal(err)
		}
		if _, err := r.AddOperation("", &retry.Policy{Name: "v.a"}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"v.a", "nobody"} {
			if list, known := a.Config.DependsOn(name); known {
				t.Errorf("%s depends on %q; want nothing known", name, list)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second+time.Millisecond)
		defer cancel()
		a.Run(ctx)
		if asked != 10 {
			t.Errorf("its own Poll was asked %d times in a second; want 10", asked)
		}
	})
}

// Operations beyond those that a view names are not analysed: their names could come without end.
func TestFindingsOfTooManyOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &analytics.Analyzer{}
		r := &control.Registry{}
		if err := r.AddAnalyzer(a); err != nil {
			t.Fatal(err)
		}
		var last *control.Operation
		for i := range control.MostPolicies + 1 {
			last, _ = r.AddOperation("", &retry.Policy{Name: fmt.Sprint("v.", i), MaxAttempts: 1})
		}
		for _, err := range []error{nil, errBusy} {
			retry.Run(t.Context(), last, func(context.Context) error { return err })
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a.Run(ctx)
		if s := a.Stats(); s.Records != 0 {
			t.Errorf("%d records were taken in; want 0", s.Records)
		}
	})
}

// The tally of calls that succeed at once is right beside slow ones: their number and their time.
func TestAnalyzerIsToldTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &analytics.Analyzer{}
		r := &control.Registry{}
		if err := r.AddAnalyzer(a); err != nil {
			t.Fatal(err)
		}
		o, err := r.AddTimed("", &retry.Policy{Name: "v.a", MaxAttempts: 1}, control.Always)
		if err != nil {
			t.Fatal(err)
		}
		for i, err := range []error{nil, errBusy, nil, nil} {
			retry.Run(t.Context(), o, func(context.Context) error {
				time.Sleep(time.Duration(i+1) * time.Second)
				return err
			})
		}
		var got []analytics.Record
		a.Poll(time.Now(), func(r *analytics.Record) { got = append(got, *r) })
		a.Poll(time.Now(), func(r *analytics.Record) { got = append(got, *r) })
		want := analytics.Record{At: time.Now(), Policy: "v.a", Attempt: 1, Ended: true, Last: true, OK: true, Orders: true, Count: 3, Took: 8 * time.Second / 3}
		if len(got) != 1 || got[0] != want {
			t.Errorf("records = %+v; want %+v, once", got, want)
		}
	})
}

// A view of a finding can be told to sinks, with an ID that is always the same.
func TestFindingOfView(t *testing.T) {
	since := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	f := control.FindingView{
		Kind: "error_shift", Subject: "v.a", Severity: "ticket", Summary: "v.a fails.", Action: "Look.", Since: since,
		Evidence: map[string]any{"statistic": "bernoulli_cusum", "value": 31.5, "n": 7.0},
	}.Finding()
	want := analytics.Finding{
		ID: analytics.FindingID(analytics.ErrorShift, analytics.Subject{Kind: analytics.OfPolicy, Name: "v.a"}, since), Kind: analytics.ErrorShift,
		Subject: analytics.Subject{Kind: analytics.OfPolicy, Name: "v.a"}, Severity: analytics.Ticket, Started: since,
		Evidence: analytics.Evidence{Statistic: "bernoulli_cusum", Value: 31.5, N: 7}, Action: analytics.Action{Text: "Look."}, Text: "v.a fails.",
	}
	if !reflect.DeepEqual(f, want) || f.Action.String() != "Look." {
		t.Errorf("Finding() = %+v; want %+v", f, want)
	}
}

// Analyze is all that a program without wishes needs.
func TestAnalyze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &control.Registry{}
		o, err := r.AddOperation("", &retry.Policy{Name: "v.a", MaxAttempts: 1})
		if err != nil {
			t.Fatal(err)
		}
		told := make(chan analytics.Finding, 10)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- r.Analyze(ctx, analytics.SinkFunc(func(_ context.Context, f analytics.Finding) error { told <- f; return nil }))
		}()
		synctest.Wait()
		if err := r.Analyze(ctx); !errors.Is(err, control.ErrDuplicate) {
			t.Errorf("a second Analyze: %v; want %v", err, control.ErrDuplicate)
		}
		for i := range 6700 { // eleven minutes of health, and some seconds of an outage
			retry.Run(ctx, o, func(context.Context) error {
				if i > 6600 {
					return retry.Mark(errBusy, retry.Permanent)
				}
				return nil
			})
			time.Sleep(100 * time.Millisecond)
		}
		if f := <-told; f.Kind != analytics.ErrorShift || len(r.View().Findings) != 1 {
			t.Errorf("told of %+v, and the view has %+v; want an error shift", f, r.View().Findings)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Analyze = %v", err)
		}
	})
}

// Calls that succeed at once are told of together, with the time in which they were made.
func TestPolledCalls(t *testing.T) {
	r, a := &control.Registry{}, &analytics.Analyzer{}
	o, err := r.AddOperation("", &retry.Policy{Name: "v.a"})
	if err = errors.Join(err, r.AddAnalyzer(a)); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for i, over := range []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond} {
		for range i + 1 {
			retry.Run(t.Context(), o, func(context.Context) error { return nil })
		}
		at = at.Add(over)
		var list []analytics.Record
		a.Poll(at, func(r *analytics.Record) { list = append(list, *r) })
		if len(list) != 1 || list[0].Count != uint32(i+1) || list[0].Over != over || !list[0].At.Equal(at) {
			t.Errorf("at %v: %+v; want %d calls over %v", at, list, i+1, over)
		}
	}
}
