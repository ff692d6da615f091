package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/budget/lease"
	"github.com/relent-go/relent/gate/budget/profile"
	"github.com/relent-go/relent/retry"
)

func ExampleLearning() {
	registry := control.Registry{Instance: "desk-1", Logger: slog.New(slog.DiscardHandler)}
	purse := &budget.Budget{}
	fetch, err := registry.AddOperation("binance", &retry.Policy{
		Name: "binance.get_balance", Idempotent: true, Gates: []retry.Gate{purse, &control.Learning{}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(fetch.View().Base["adaptive"])

	// An operator promotes it.
	view, err := registry.Tune(context.Background(), control.Tune{
		Operation: "binance.get_balance", Version: 1, Fields: map[string]string{"adaptive": "active"}, Actor: "ann", Reason: "forecasts are good",
	})
	fmt.Println(view.Learning.Mode, view.Learning.By, err)
	// Output:
	// shadow
	// active configured <nil>
}

func TestLearningText(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"shadow", "shadow"}, {"active", "active"}, {"off", "off"},
		{" active ( max 10s,attempt 0.05 , preserve-success,second 0.010) ", "active(attempt 0.05, second 0.01, max 10s, preserve-success)"},
		{"shadow( promote,max 1s )", "shadow(max 1s, promote)"}, {"active(promote)", "active(promote)"}, {"shadow(promote 1)", `"promote 1" is none of`}, {"shadow(promoted)", "preserve-success, promote"},
		{"off(max 1m)", "off(max 1m0s)"},
		{"Active", `"Active" is none of shadow, active, off`},
		{"", `"" is none of`},
		{"active(", "lacks its closing parenthesis"}, {"active(max 1s", "lacks its closing parenthesis"},
		{"active()", `"" is none of attempt COST`},
		{"shadow(max)", `max: "" is no duration above 0`}, {"shadow(max -1s)", "max:"}, {"shadow(max 10)", "max:"},
		{"shadow(attempt 0)", `attempt: "0" is no cost above 0`}, {"shadow(second NaN)", "second:"}, {"shadow(second Inf)", "second:"}, {"shadow(attempt x)", "attempt:"},
		{"shadow(goal utility)", `"goal utility" is none of`},
	} {
		p, err := control.Tuned(&retry.Policy{Gates: []retry.Gate{&budget.Budget{}}}, map[string]string{"adaptive": test.text})
		got := fmt.Sprint(err)
		if err == nil {
			got = control.Texts(p)["adaptive"]
		}
		if !strings.Contains(got, test.want) || err != nil && !strings.HasPrefix(got, "adaptive: ") {
			t.Errorf("%q: %s; want %s", test.text, got, test.want)
		}
	}
}

// What is read is printed so that it reads the same, and no text costs nothing or less.
func FuzzLearningText(f *testing.F) {
	f.Add("active(attempt 0.05, second 0.01, max 10s, preserve-success)")
	f.Add("off(max 1m")
	f.Fuzz(func(t *testing.T, text string) {
		base := &retry.Policy{Gates: []retry.Gate{&control.Learning{Budgeted: true}}}
		p, err := control.Tuned(base, map[string]string{"adaptive": text})
		if err != nil {
			return
		}
		printed := control.Texts(p)["adaptive"]
		again, err := control.Tuned(base, map[string]string{"adaptive": printed})
		if err != nil || control.Texts(again)["adaptive"] != printed {
			t.Errorf("%q is printed as %q, which is read as %q, %v", text, printed, control.Texts(again)["adaptive"], err)
		}
		for _, g := range p.Gates {
			if l := g.(*control.Learning); l.Terms.Check() != nil {
				t.Errorf("%q has the mistake %v", text, l.Terms.Check())
			}
		}
	})
}

// Functions of the terms stay when their numbers change, and the base is not modified.
func TestLearningKeepsFunctions(t *testing.T) {
	mine := &control.Learning{Terms: adaptive.Terms{Rand: func() float64 { return .5 }, MaxWait: time.Second, Goal: adaptive.PreserveSuccess}}
	base := &retry.Policy{Gates: []retry.Gate{&budget.Budget{}, mine}}
	p, err := control.Tuned(base, map[string]string{"adaptive": "active(attempt 0.1)"})
	if err != nil {
		t.Fatal(err)
	}
	l, ok := p.Gates[len(p.Gates)-1].(*control.Learning)
	if !ok || l.Mode != adaptive.Active || l.Terms.AttemptCost != .1 || l.Terms.MaxWait != 0 || l.Terms.Goal != adaptive.Utility || l.Terms.Rand == nil || len(p.Gates) != 2 {
		t.Errorf("tuned to %+v among %d gates", l, len(p.Gates))
	}
	if got := control.Texts(base)["adaptive"]; got != "shadow(max 1s, preserve-success)" || len(base.Gates) != 2 {
		t.Errorf("the base has become %s", got)
	}
	if got := control.Texts(&retry.Policy{Gates: []retry.Gate{(*control.Learning)(nil)}})["adaptive"]; got != "off" {
		t.Errorf("a nil one is %s", got)
	}
	if p, err := control.Tuned(&retry.Policy{}, map[string]string{"adaptive": "off"}); err != nil || len(p.Gates) != 0 {
		t.Errorf("off leaves %d gates, %v", len(p.Gates), err)
	}
}

// Without a budget an operation is not active, by whatever way.
func TestActiveNeedsBudget(t *testing.T) {
	finagle, err := profile.New("finagle")
	if err != nil {
		t.Fatal(err)
	}
	active := &control.Learning{Mode: adaptive.Active}
	for _, test := range []struct {
		name  string
		gates []retry.Gate
		ok    bool
	}{
		{"none", nil, false}, {"another gate", []retry.Gate{&limitless{}}, false}, {"parents", []retry.Gate{&budget.Parents{}}, false},
		{"budget", []retry.Gate{&budget.Budget{}}, true}, {"window", []retry.Gate{&budget.Window{}}, true}, {"spend", []retry.Gate{&budget.Spend{}}, true},
		{"lease", []retry.Gate{&lease.Lease{}}, true}, {"profile", []retry.Gate{finagle}, true},
		{"the program's own", []retry.Gate{&control.Learning{Budgeted: true}}, true},
	} {
		var r control.Registry
		r.Logger = slog.New(slog.DiscardHandler)
		o, err := r.AddOperation("", &retry.Policy{Name: "a", Gates: test.gates})
		if err != nil {
			t.Fatal(err)
		}
		if got := o.View().Budgeted; got != test.ok {
			t.Errorf("%s: budgeted is %v", test.name, got)
		}
		for mode, ok := range map[string]bool{"shadow": true, "active": test.ok, "off": true} {
			_, err := r.Tune(t.Context(), control.Tune{Operation: "a", Version: o.View().Version, Fields: map[string]string{"adaptive": mode}, Actor: "ann", Reason: "try"})
			if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "needs a budget") {
				t.Errorf("%s: %s: %v", test.name, mode, err)
			}
		}
		if test.name == "the program's own" {
			continue
		}
		_, err = r.AddOperation("", &retry.Policy{Name: "b", Gates: append(slices.Clone(test.gates), active)})
		if (err == nil) != test.ok {
			t.Errorf("%s: an operation that begins as active: %v", test.name, err)
		}
		_, err = r.Apply(t.Context(), control.Set{Policies: map[string]*retry.Policy{"c": {Gates: append(slices.Clone(test.gates), active)}}})
		if (err == nil) != test.ok {
			t.Errorf("%s: a configuration with an active one: %v", test.name, err)
		}
	}
	var r control.Registry
	if _, err := r.AddOperation("", &retry.Policy{Name: "a", Gates: []retry.Gate{&control.Learning{Terms: adaptive.Terms{AttemptCost: math.NaN()}}}}); err == nil || !strings.Contains(err.Error(), "adaptive: AttemptCost") {
		t.Errorf("a cost that is none: %v", err)
	}
}

// Operations that share a model are watched, and never active.
func TestSharedModelIsNeverActive(t *testing.T) {
	r := control.Registry{Logger: slog.New(slog.DiscardHandler)}
	add := func(name string, mode adaptive.Mode) (*control.Operation, error) {
		return r.AddOperation("", &retry.Policy{Name: name, Gates: []retry.Gate{&budget.Budget{}, &control.Learning{Mode: mode}}})
	}
	for i := range adaptive.DefaultMaxOperations {
		if _, err := add(fmt.Sprintf("o%03d", i), adaptive.Shadow); err != nil {
			t.Fatal(err)
		}
	}
	o, err := add("late", adaptive.Shadow)
	if err != nil || o.View().Learning.By != "shared" || o.View().Learning.Mode != "shadow" {
		t.Errorf("%+v, %v", o.View().Learning, err)
	}
	for _, name := range []string{"later", "other"} {
		if _, err := add(name, adaptive.Active); !errors.Is(err, adaptive.ErrShared) {
			t.Errorf("an active operation %s: %v", name, err)
		}
	}
	_, err = r.Tune(t.Context(), control.Tune{Operation: "late", Version: 1, Fields: map[string]string{"adaptive": "active"}, Actor: "ann", Reason: "try"})
	if !errors.Is(err, adaptive.ErrShared) || o.View().Learning.Mode != "shadow" {
		t.Errorf("tuned to active: %v", err)
	}
}

// A policy without an end of its own makes as many attempts as without a learner.
func TestLearningIsNoEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r control.Registry
		o, err := r.AddOperation("", &retry.Policy{Name: "a", Idempotent: true, MaxAttempts: retry.Unlimited, Gates: []retry.Gate{&control.Learning{}}})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		retry.Run(t.Context(), o, func(context.Context) error {
			if n++; n > 9 {
				return nil
			}
			return errBusy
		})
		if n != retry.DefaultMaxAttempts || control.Texts(o.Current())["max_attempts"] != "3" || !strings.HasPrefix(o.View().Policy, "3 attempts") {
			t.Errorf("%d attempts, %s", n, o.View().Policy)
		}
	})
}

// drive makes calls for a while, ten a second, of which each tenth fails once and each twentieth always.
func drive(t *testing.T, s retry.Source, calls int) (waits []time.Duration) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			n, ended := 0, time.Time{}
			retry.Run(t.Context(), s, func(context.Context) error {
				if n++; n > 1 {
					mu.Lock()
					waits = append(waits, time.Since(ended))
					mu.Unlock()
				}
				time.Sleep(10 * time.Millisecond)
				ended = time.Now()
				if i%20 == 0 || i%10 == 0 && n == 1 {
					return errBusy
				}
				return nil
			})
		})
		time.Sleep(100 * time.Millisecond)
	}
	all.Wait()
	return waits
}

func teachable(gates ...retry.Gate) *retry.Policy {
	return &retry.Policy{Name: "venue.get", Idempotent: true, MaxAttempts: 4, MaxElapsed: 30 * time.Second, Backoff: backoff.Constant{Wait: 200 * time.Millisecond, Jitter: backoff.None},
		Gates: append([]retry.Gate{&budget.Budget{Ratio: 1, Max: 1000}}, gates...)}
}

// Shadow and Off change nothing; Active does; each change is in force from the next call on.
func TestModes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := &book{}
		r := &control.Registry{Recorder: records}
		o, err := r.AddOperation("", teachable(&control.Learning{}))
		if err != nil {
			t.Fatal(err)
		}
		odd := func(waits []time.Duration) (n int) {
			for _, w := range waits {
				if w != 200*time.Millisecond {
					n++
				}
			}
			return n
		}
		mode := func(text string) {
			t.Helper()
			if _, err := r.Tune(t.Context(), control.Tune{Operation: "venue.get", Version: o.View().Version, Fields: map[string]string{"adaptive": text}, Actor: "ann", Reason: "try"}); err != nil {
				t.Fatal(err)
			}
		}
		if waits := drive(t, o, 600); odd(waits) != 0 || len(waits) == 0 {
			t.Errorf("in shadow %d of %d waits are not those that were configured", odd(waits), len(waits))
		}
		v := o.View().Learning
		if v.Mode != "shadow" || v.By != "model" || v.Results < 600 || v.Scored == 0 || v.Decisions["model"] == 0 || v.Stopped != 0 {
			t.Errorf("after shadow: %+v", v)
		}
		mode("active")
		if waits := drive(t, o, 600); odd(waits) < 20 {
			t.Errorf("in active only %d of %d waits are others than configured", odd(waits), len(waits))
		}
		v = o.View().Learning
		if v.Mode != "active" || v.Decisions["control"] == 0 {
			t.Errorf("after active: %+v", v)
		}
		if len(v.Choices) != 4 || !v.Choices[0].At.After(v.Choices[3].At) || !strings.HasPrefix(v.Choices[0].Text, "venue.get unavailable: down") || v.Choices[0].Configured != 200*time.Millisecond {
			t.Errorf("choices %+v", v.Choices)
		}
		mode("off")
		before := o.View()
		if waits := drive(t, o, 100); odd(waits) != 0 || before.Learning != nil || len(o.Current().Gates) != 1 {
			t.Errorf("when off %d of %d waits are not those that were configured, and it shows %+v", odd(waits), len(waits), before.Learning)
		}
		mode("shadow")                                                                                                                    // as the program has it
		if v := o.View(); len(v.Override) != 0 || v.Learning.Mode != "shadow" || v.Learning.Results < 1200 || v.Learning.Results > 1500 { // nothing of what was off
			t.Errorf("back in shadow: %+v, %+v", v.Override, v.Learning)
		}
		want := []string{"tune ann venue.get : adaptive: shadow -> active", "tune ann venue.get : adaptive: active -> off", "tune ann venue.get : adaptive: off -> shadow"}
		if got := records.take(); !slices.Equal(got, want) {
			t.Errorf("recorded %q", got)
		}
	})
}

// A mode that cannot be recorded, or is none, is not in force.
func TestModeRefused(t *testing.T) {
	records := &book{}
	r := &control.Registry{Recorder: records, Logger: slog.New(slog.DiscardHandler)}
	o, err := r.AddOperation("", teachable(&control.Learning{}))
	if err != nil {
		t.Fatal(err)
	}
	records.err = errors.New("disk full")
	for _, text := range []string{"active", "on"} {
		if _, err := r.Tune(t.Context(), control.Tune{Operation: "venue.get", Version: 1, Fields: map[string]string{"adaptive": text}, Actor: "ann", Reason: "try"}); err == nil {
			t.Errorf("%s: nil", text)
		}
	}
	if v := o.View(); v.Learning.Mode != "shadow" || v.Version != 1 {
		t.Errorf("%+v", v)
	}
}

// The calls of the control arm have gates of their own, and are counted with the others.
func TestControlArm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &control.Registry{}
		slice := &counting{}
		o, err := r.AddOperation("", teachable(&control.Learning{Mode: adaptive.Active, Control: []retry.Gate{slice}}))
		if err != nil {
			t.Fatal(err)
		}
		drive(t, o, 1000)
		v := o.View()
		if slice.calls < 30 || slice.calls > 150 {
			t.Errorf("the slice saw %d of 1000 calls; want about a tenth, once the model leads", slice.calls)
		}
		var calls uint64
		for _, n := range v.Outcomes {
			calls += n
		}
		if calls != 1000 || v.Learning.Decisions["control"] == 0 {
			t.Errorf("%d calls counted, %+v", calls, v.Learning)
		}
	})
}

// Modes change while calls run.
func TestModesWhileCallsRun(t *testing.T) {
	r := &control.Registry{Logger: slog.New(slog.DiscardHandler)}
	p := teachable(&control.Learning{})
	p.Backoff = backoff.Constant{Wait: time.Microsecond}
	o, err := r.AddOperation("", p)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				retry.Run(t.Context(), o, func(context.Context) error {
					if (n+i)%3 == 0 {
						n++
						return errBusy
					}
					return nil
				})
			}
		})
	}
	for i := range 60 {
		mode := control.Modes()[i%3]
		if _, err := r.Tune(t.Context(), control.Tune{Operation: "venue.get", Version: o.View().Version, Fields: map[string]string{"adaptive": mode}, Actor: "ann", Reason: "try"}); err != nil {
			t.Error(err)
		}
		if v := o.View().Learning; v == nil && mode != "off" || v != nil && v.Mode != mode {
			t.Errorf("%+v; want %s", v, mode)
		}
		if _, err := json.Marshal(r.View()); err != nil {
			t.Error(err)
		}
	}
	close(done)
	all.Wait()
}

// A first attempt that succeeds costs no memory, and neither does a retry that is watched.
func TestLearningAllocs(t *testing.T) {
	r := &control.Registry{Logger: slog.New(slog.DiscardHandler)}
	p := teachable(&control.Learning{Mode: adaptive.Active})
	p.MaxElapsed = 0
	o, err := r.AddOperation("", p)
	if err != nil {
		t.Fatal(err)
	}
	good := func(context.Context) error { return nil }
	if n := testing.AllocsPerRun(200, func() { retry.Run(t.Context(), o, good) }); n != 0 {
		t.Errorf("%v allocations for a call that succeeds at once", n)
	}
}

// counting is a gate that counts first attempts, one at a time.
type counting struct{ calls int }

func (c *counting) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Number == 1 {
		c.calls++
	}
	return nil
}
func (*counting) Settle(*retry.Attempt, *retry.Outcome) {}

// limitless is a gate that bounds nothing.
type limitless struct{ control.Learning }

// Among the gates of a policy that is no operation, a learning lets everything pass.
func TestLearningAlone(t *testing.T) {
	p := &retry.Policy{Gates: []retry.Gate{&control.Learning{}}}
	if err := retry.Run(t.Context(), p, func(context.Context) error { return nil }); err != nil {
		t.Error(err)
	}
}
