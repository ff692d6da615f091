package control_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

func policies(all ...*retry.Policy) map[string]*retry.Policy {
	m := make(map[string]*retry.Policy)
	for _, p := range all {
		m[p.Name] = p
	}
	return m
}

func TestApply(t *testing.T) {
	records := &book{}
	r := &control.Registry{Recorder: records}
	apply := func(hash string, set ...*retry.Policy) (string, error) {
		d, err := r.Apply(t.Context(), control.Set{Policies: policies(set...), Components: map[string]string{"a": "venue"}, Hash: hash, Actor: "ann", Source: "file"})
		return d.String(), err
	}
	if d, err := apply("h1", &retry.Policy{Name: "b"}, &retry.Policy{Name: "a"}); d != "+a, +b" || err != nil {
		t.Errorf("Apply = %q, %v; want both added", d, err)
	}
	a, err := r.Operation("a")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := r.Operation("b")
	if v := a.View(); v.Component != "venue" || v.Version != 1 {
		t.Errorf("%+v; want version 1 of venue", v)
	}
	if d, err := apply("h2", &retry.Policy{Name: "a"}, &retry.Policy{Name: "b"}); d != "nothing changes" || err != nil || a.View().Version != 1 {
		t.Errorf("Apply = %q, %v, version %d; want nothing", d, err, a.View().Version)
	}
	tune := control.Tune{Operation: "a", Version: 1, Actor: "bob", Reason: "-", Fields: map[string]string{"max_attempts": "5", "cost": "2"}}
	if _, err := r.Tune(t.Context(), tune); err != nil {
		t.Fatal(err)
	}
	records.take()

	// The override of cost stays, the one of max_attempts is what the file says now; b is gone, c is new.
	gate := &budget.Budget{}
	d, err := apply("h3", &retry.Policy{Name: "a", MaxAttempts: 5, Gates: []retry.Gate{gate}}, &retry.Policy{Name: "c"})
	want := "+c, -b, a.max_attempts: 3 -> 5, a.gates:  -> *budget.Budget, a.max_attempts: override cleared"
	if d != want || err != nil {
		t.Errorf("Apply = %q, %v; want %q", d, err, want)
	}
	if v := a.View(); v.Version != 3 || !maps.Equal(v.Override, map[string]string{"cost": "2"}) || a.Current().Cost != 2 || a.Current().MaxAttempts != 5 {
		t.Errorf("%+v; want the override of cost alone", v)
	}
	if _, err := r.Operation("b"); !errors.Is(err, control.ErrUnknownPolicy) {
		t.Errorf("%v; want b gone", err)
	}
	if p := b.Current(); p == nil || p.Name != "b" || retry.Run(t.Context(), b, func(context.Context) error { return nil }) != nil {
		t.Errorf("%v; want that who holds b keeps it", p)
	}
	if got := records.take(); len(got) != 1 || got[0] != "config ann  : "+want {
		t.Errorf("recorded %q", got)
	}
	if v := r.View(); len(v.Policies) != 2 || v.Policies[0].Name != "a" || v.Policies[1].Name != "c" {
		t.Errorf("%+v; want a and c", v.Policies)
	}

	// b comes back, and is the same operation.
	if d, err := apply("h4", &retry.Policy{Name: "a", MaxAttempts: 5, Gates: []retry.Gate{gate}}, &retry.Policy{Name: "b"}, &retry.Policy{Name: "c"}); d != "+b" || err != nil {
		t.Errorf("Apply = %q, %v; want b back", d, err)
	}
	if got, err := r.Operation("b"); got != b || err != nil || b.View().Version != 2 || b.View().Attempts != 1 {
		t.Errorf("%v, %v; want the same b, with what it counted", got, err)
	}
	if c := r.View().Config; c == nil || c.Hash != "h4" || !c.Good || c.Reloads != 4 || c.Failures != 0 || c.Loaded.IsZero() {
		t.Errorf("configuration %+v", c)
	}
}

// One mistake, and nothing changes.
func TestApplyRefusesWhole(t *testing.T) {
	records := &book{}
	r := &control.Registry{Recorder: records}
	set := control.Set{Policies: policies(&retry.Policy{Name: "a"}), Hash: "h1", Actor: "ann"}
	if _, err := r.Apply(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	a, _ := r.Operation("a")
	if _, err := r.Tune(t.Context(), control.Tune{Operation: "a", Version: 1, Actor: "bob", Reason: "-", Fields: map[string]string{"attempt_timeout": "10s"}}); err != nil {
		t.Fatal(err)
	}
	records.take()
	before := a.Current()
	_, err := r.Apply(t.Context(), control.Set{Hash: "h2", Actor: "ann", Policies: map[string]*retry.Policy{
		"a": {MaxElapsed: time.Second}, // which the override is longer than
		"b": {Name: "c"},
		"d": {Cost: -1},
		"":  {},
		"e": nil,
	}})
	for _, want := range []string{
		`configuration h2: operation has no name: give it one`,
		"a: attempt_timeout: 10s is longer than MaxElapsed, 1s",
		`b: its policy is named "c"`,
		"d: cost: -1 is negative and counts as 1",
	} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	if a.Current() != before || len(r.View().Policies) != 1 || r.View().Overflow["policy"] != 0 {
		t.Error("a set that was refused changed something")
	}
	if got := records.take(); len(got) != 1 || !strings.HasPrefix(got[0], "deny ann  config: configuration h2: ") {
		t.Errorf("recorded %q", got)
	}
	if c := r.View().Config; c.Hash != "h1" || c.Good || c.Failures != 1 || len(c.Errors) != 4 {
		t.Errorf("configuration %+v; want the errors", c)
	}
	if h := r.Health(t.Context()); h.Status != control.StatusDegraded || !h.Ready {
		t.Errorf("%+v; want degraded and ready", h)
	}
	records.err = errors.New("disk full")
	if _, err := r.Apply(t.Context(), control.Set{Hash: "h3"}); !errors.Is(err, control.ErrNotAudited) || len(r.View().Policies) != 1 {
		t.Errorf("%v; want that what cannot be recorded is not done", err)
	}
	records.err = nil
	if _, err := r.Apply(t.Context(), set); err != nil || !r.View().Config.Good || r.View().Config.Failures != 2 {
		t.Errorf("%v, %+v; want it good again", err, r.View().Config)
	}
}

// All operations change at one moment: nobody sees one half of a set.
func TestApplyIsAtomic(t *testing.T) {
	r := &control.Registry{}
	set := func(n int) control.Set {
		return control.Set{Policies: policies(&retry.Policy{Name: "a", MaxAttempts: n}, &retry.Policy{Name: "b", MaxAttempts: n})}
	}
	if _, err := r.Apply(t.Context(), set(1)); err != nil {
		t.Fatal(err)
	}
	a, _ := r.Operation("a")
	b, _ := r.Operation("b")
	done := make(chan bool)
	go func() {
		defer close(done)
		for n := range 200 {
			if _, err := r.Apply(t.Context(), set(n+1)); err != nil {
				t.Error(err)
			}
		}
	}()
	for {
		first, second := a.Current().MaxAttempts, b.Current().MaxAttempts // b is read later, so it may be newer, never older
		if second < first {
			t.Fatalf("a has %d attempts, and b %d after that", first, second)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

func TestNamesAndFactories(t *testing.T) {
	r := &control.Registry{}
	limit := &budget.Budget{}
	if err := r.AddGate("budget.orders", limit); err != nil {
		t.Fatal(err)
	}
	made := func(p control.Part) (retry.Gate, error) {
		if p.Fields["ratio"] == "" {
			return nil, errors.New("ratio: missing")
		}
		return &budget.Budget{Name: p.Name}, nil
	}
	observer := func(p control.Part) (retry.Observer, error) {
		if p.Name == "" {
			return nil, errors.New("Name: missing")
		}
		return rude{}, nil
	}
	for _, test := range []struct {
		name string
		do   func() error
		want string
	}{
		{"gate twice", func() error { return r.AddGate("budget.orders", limit) }, `gate "budget.orders" is registered already: choose another name`},
		{"nil gate", func() error { return r.AddGate("x", nil) }, `gate "x": is nil`},
		{"gates", func() error { g, err := r.Gates("budget.orders"); _ = g[0]; return err }, ""},
		{"unknown gates", func() error { _, err := r.Gates("budget.order", "zzz", "budget.orders"); return err },
			"unknown gate \"budget.order\"; did you mean \"budget.orders\"?\nunknown gate \"zzz\"; known are budget.orders"},
		{"kind", func() error { return r.RegisterGate("budget", made) }, ""},
		{"kind twice", func() error { return r.RegisterGate("budget", made) }, `kind of gate "budget" is registered already: choose another name`},
		{"made", func() error {
			g, err := r.NewGate("budget", control.Part{Name: "budget.new", Fields: map[string]string{"ratio": "0.1"}})
			if known, _ := r.Gate("budget.new"); known != g {
				t.Error("the new gate is not found")
			}
			return err
		}, ""},
		{"made badly", func() error { _, err := r.NewGate("budget", control.Part{Name: "b"}); return err }, `gate "b": ratio: missing`},
		{"made twice", func() error {
			_, err := r.NewGate("budget", control.Part{Name: "budget.new", Fields: map[string]string{"ratio": "0.1"}})
			return err
		}, `gate "budget.new" is registered already: choose another name`},
		{"unknown kind", func() error { _, err := r.NewGate("bugdet", control.Part{}); return err }, `unknown kind of gate "bugdet"; did you mean "budget"?`},
		{"observer kind", func() error { return r.RegisterObserver("rude", observer) }, ""},
		{"observer", func() error { _, err := r.NewObserver("rude", control.Part{Name: "r"}); return err }, ""},
		{"observer made badly", func() error { _, err := r.NewObserver("rude", control.Part{}); return err }, `observer "": Name: missing`},
		{"unknown observer", func() error { _, err := r.NewObserver("log", control.Part{}); return err }, `unknown kind of observer "log"; known are rude`},
		{"no classifier", func() error { _, err := r.Classifier("binance"); return err }, `unknown classifier "binance"; none is registered`},
		{"classifier", func() error { return r.RegisterClassifier("binance", retry.DefaultClassify) }, ""},
		{"classifier found", func() error { _, err := r.Classifier("binance"); return err }, ""},
		{"nameless", func() error { return r.RegisterClassifier("", retry.DefaultClassify) }, "classifier has no name: give it one"},
		{"budget without a view", func() error { return r.AddBudget("b", nil) }, `budget "b": its view is nil`},
		{"sink", func() error { return r.AddDropped("spool", func() uint64 { return 3 }) }, ""},
		{"sink tail", func() error { return r.AddDropped("tail", nil) }, `sink "tail" is registered already: choose another name`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := fmt.Sprint(test.do()); got != test.want && (test.want != "" || got != "<nil>") {
				t.Errorf("%s; want %s", got, test.want)
			}
		})
	}
	for i := range 30 {
		r.AddGate(fmt.Sprintf("some.gate.%02d", i), limit)
	}
	if _, err := r.Gate("zzz"); !strings.HasSuffix(err.Error(), "some.gate.17 and 12 more") {
		t.Errorf("%v; want not all of them", err)
	}
	if _, err := r.Gate("some.gate.0"); strings.Count(err.Error(), " or ") != 2 {
		t.Errorf("%v; want three suggestions", err)
	}
}

// Names that a slip of the pen turns into others (Damerau–Levenshtein), and none that are merely short.
func TestDidYouMean(t *testing.T) {
	r := &control.Registry{}
	for _, name := range []string{"max_attempts", "halt", "binance"} {
		r.RegisterClassifier(name, retry.DefaultClassify)
	}
	for name, want := range map[string]string{
		"max_attemps": "max_attempts", "max_attmepts": "max_attempts", "mx_attemptss": "max_attempts", "max_attxxxts": "",
		"hlat": "halt", "hat": "halt", "ha": "", "hxxt": "", "bniance": "binance", "binancé": "binance", "x": "",
	} {
		_, err := r.Classifier(name)
		if got := strings.Contains(err.Error(), "did you mean"); got != (want != "") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", name, err, want)
		}
	}
	if slices.Contains(control.Fields(), "") {
		t.Error("a field without a name")
	}
}
