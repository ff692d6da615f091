package control_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

var errDown = errors.New("connection refused")

// check is a check whose answer can be changed.
type check struct {
	runs  atomic.Int64
	err   atomic.Pointer[error]
	takes time.Duration // it obeys its context
	hangs chan struct{} // it does not
}

func (c *check) fail(err error) *check { c.err.Store(&err); return c }

func (c *check) run(ctx context.Context) error {
	c.runs.Add(1)
	if c.hangs != nil {
		<-c.hangs
	}
	if c.takes > 0 {
		select {
		case <-time.After(c.takes):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := c.err.Load(); err != nil {
		return *err
	}
	return nil
}

// states is the health in one line.
func states(h control.Health) string {
	s := fmt.Sprint(h.Status, " ", h.Ready)
	for _, c := range h.Components {
		s += fmt.Sprintf("; %s %s", c.Name, c.State)
		if c.Cause != "" {
			s += ": " + c.Cause
		}
	}
	return s
}

func add(t *testing.T, r *control.Registry, components ...control.Component) {
	t.Helper()
	if err := r.AddComponents(components...); err != nil {
		t.Fatal(err)
	}
}

// shut closes a registry within a bubble.
func shut(t *testing.T, r *control.Registry) {
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// openBreaker returns a breaker that a person isolated, or one in force in another state.
func isolated(t *testing.T, r *control.Registry, c control.Circuit) {
	t.Helper()
	c.Breaker = &breaker.Breaker{Name: c.Target}
	if err := r.AddCircuit(c); err != nil {
		t.Fatal(err)
	}
	if err := c.Breaker.Isolate(breaker.Order{Who: "ann", Why: "test", For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	retry.Run(t.Context(), &retry.Policy{Gates: []retry.Gate{c.Breaker}}, func(context.Context) error { return nil })
}

// Each row of the table in the specification of health.
func TestHealthTable(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(t *testing.T, r *control.Registry)
		want    string
		cause   string
	}{
		{"all up", func(t *testing.T, r *control.Registry) {
			add(t, r, control.Component{Name: "db", Critical: true, Check: new(check).run}, control.Component{Name: "model", Check: new(check).run})
		}, "ok true; db up; model up", ""},
		{"nothing registered", func(t *testing.T, r *control.Registry) {}, "ok true", ""},
		{"non-critical down", func(t *testing.T, r *control.Registry) {
			add(t, r, control.Component{Name: "model", Check: new(check).fail(errDown).run})
		}, "degraded true; model failing: connection refused", "model: connection refused"},
		{"critical down", func(t *testing.T, r *control.Registry) {
			add(t, r, control.Component{Name: "db", Critical: true, Check: new(check).fail(errDown).run})
		}, "failing false; db failing: connection refused", "db: connection refused"},
		{"circuit open, advisory", func(t *testing.T, r *control.Registry) {
			add(t, r, control.Component{Name: "venue", Critical: true})
			isolated(t, r, control.Circuit{Policy: "a", Target: "venue", Component: "venue"})
		}, "degraded true; venue degraded: circuit venue is isolated", "venue: circuit venue is isolated"},
		{"circuit open, advisory, of no component", func(t *testing.T, r *control.Registry) {
			isolated(t, r, control.Circuit{Policy: "a", Target: "venue"})
		}, "degraded true", "circuit venue is isolated"},
		{"circuit open, readiness critical", func(t *testing.T, r *control.Registry) {
			add(t, r, control.Component{Name: "venue", Critical: true})
			isolated(t, r, control.Circuit{Policy: "a", Target: "venue", Component: "venue", Critical: true})
		}, "failing false; venue failing: circuit venue is isolated", "venue: circuit venue is isolated"},
		{"circuit open, readiness critical, of no component", func(t *testing.T, r *control.Registry) {
			isolated(t, r, control.Circuit{Policy: "a", Target: "venue", Critical: true})
		}, "failing false", "circuit venue is isolated"},
		{"stop engaged", func(t *testing.T, r *control.Registry) {
			if err := r.AddStops(&halt.Tree{}); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Stop(t.Context(), control.Stop{Scope: "desk", Actor: "ann", Reason: "test"}); err != nil {
				t.Fatal(err)
			}
		}, "degraded true", "stopped: desk"},
		{"reload failed", func(t *testing.T, r *control.Registry) {
			r.ReloadFailed(errDown)
		}, "degraded true", "configuration: the last one could not be loaded"},
		{"no configuration yet", func(t *testing.T, r *control.Registry) {
			r.RequireConfig = true
		}, "degraded false", "configuration: not loaded"},
		{"configured", func(t *testing.T, r *control.Registry) {
			r.RequireConfig = true
			if _, err := r.Apply(t.Context(), control.Set{}); err != nil {
				t.Fatal(err)
			}
		}, "ok true", ""},
		{"draining", func(t *testing.T, r *control.Registry) {
			r.Drain()
			r.Drain()
		}, "degraded false", "draining"},
		{"never checked, critical", func(t *testing.T, r *control.Registry) {
			add(t, r, control.Component{Name: "db", Critical: true, Check: (&check{takes: time.Second}).run})
		}, "degraded false; db unknown: never checked", "db: never checked"},
		{"never checked", func(t *testing.T, r *control.Registry) {
			add(t, r, control.Component{Name: "model", Check: (&check{takes: time.Second}).run})
		}, "degraded true; model unknown: never checked", "model: never checked"},
		{"the cause of others", func(t *testing.T, r *control.Registry) {
			add(t, r, control.Component{Name: "venue", DependsOn: []string{"dns"}, Check: new(check).fail(errDown).run},
				control.Component{Name: "dns", Check: new(check).fail(errDown).run})
		}, "degraded true; dns failing: connection refused; venue degraded: because of dns", "dns: connection refused"},
		{"an up component with a dependency that is down", func(t *testing.T, r *control.Registry) {
			add(t, r, control.Component{Name: "dns", Check: new(check).fail(errDown).run})
			add(t, r, control.Component{Name: "venue", DependsOn: []string{"dns"}, Critical: true, Check: new(check).run})
		}, "degraded true; dns failing: connection refused; venue degraded: because of dns", "dns: connection refused"},
		{"a critical component that fails because of another", func(t *testing.T, r *control.Registry) {
			add(t, r, control.Component{Name: "dns", Check: new(check).fail(errDown).run},
				control.Component{Name: "venue", DependsOn: []string{"dns"}, Critical: true, Check: new(check).fail(errDown).run})
		}, "failing false; dns failing: connection refused; venue degraded: because of dns", "dns: connection refused"},
		{"diamond", func(t *testing.T, r *control.Registry) {
			add(t, r, control.Component{Name: "top", DependsOn: []string{"left", "right"}}, control.Component{Name: "left", DependsOn: []string{"dns"}},
				control.Component{Name: "right", DependsOn: []string{"dns", "dns"}}, control.Component{Name: "dns", Critical: true, Check: new(check).fail(errDown).run})
		}, "failing false; dns failing: connection refused; left degraded: because of dns; right degraded: because of dns; top degraded: because of dns",
			"dns: connection refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &control.Registry{}
				test.prepare(t, r)
				defer shut(t, r)
				h := r.Health(t.Context())
				if got := states(h); got != test.want {
					t.Errorf("health %q; want %q", got, test.want)
				}
				if got := strings.Join(h.Causes, ", "); got != test.cause {
					t.Errorf("causes %q; want %q", got, test.cause)
				}
			})
		})
	}
}

// However many checks hang, the answer comes within 100 ms, with what the others found.
func TestHangingChecksDelayNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, release := hanging(t)
		began := time.Now()
		h := r.Health(t.Context())
		if took := time.Since(began); took != 80*time.Millisecond {
			t.Errorf("%v; want 80ms", took)
		}
		unknown := 0
		for _, c := range h.Components {
			if c.State == "unknown" && c.Running {
				unknown++
			}
		}
		if unknown != 50 {
			t.Errorf("%d unknown; want 50", unknown)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := r.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "hangs49") {
			t.Errorf("Close = %v; want the names of those that hang", err)
		}
		close(release)
		shut(t, r)
		if h := r.Health(t.Context()); len(h.Components) != 100 {
			t.Errorf("%d components after Close; want all, as they were", len(h.Components))
		}
	})
}

// hanging returns a registry of 100 components, of which the checks of 50 hang until they are released.
func hanging(t *testing.T) (*control.Registry, chan struct{}) {
	r, release := &control.Registry{}, make(chan struct{})
	for i := range 50 {
		add(t, r, control.Component{Name: fmt.Sprintf("hangs%02d", i), Check: (&check{hangs: release}).run})
		add(t, r, control.Component{Name: fmt.Sprintf("works%02d", i), Check: new(check).run})
	}
	return r, release
}

// It does so on a real clock, too, unless the machine has no time for us at all.
func TestHangingChecksDelayNobodyForReal(t *testing.T) {
	r, release := hanging(t)
	var took []time.Duration
	for range 10 {
		began := time.Now()
		r.Health(t.Context())
		if took = append(took, time.Since(began)); took[len(took)-1] < 100*time.Millisecond {
			break
		}
	}
	if best := slices.Min(took); best >= 100*time.Millisecond {
		t.Errorf("%v at best; want less than 100ms", best)
	}
	close(release)
	shut(t, r)
}

// A thousand requests at once make one check.
func TestSingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &check{takes: 50 * time.Millisecond}
		r := &control.Registry{}
		add(t, r, control.Component{Name: "db", Critical: true, Check: c.run})
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				if got := states(r.Health(t.Context())); got != "ok true; db up" {
					t.Errorf("health %q", got)
				}
			})
		}
		all.Wait()
		if n := c.runs.Load(); n != 1 {
			t.Errorf("%d runs; want 1", n)
		}
		shut(t, r)
	})
}

// An answer counts for five seconds. Then a request brings about the next one.
func TestCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &check{}
		r := &control.Registry{}
		add(t, r, control.Component{Name: "db", Check: c.run})
		for _, step := range []struct {
			wait time.Duration
			runs int64
		}{{0, 1}, {4999 * time.Millisecond, 1}, {time.Millisecond, 2}, {time.Millisecond, 2}, {time.Hour, 3}} {
			time.Sleep(step.wait)
			r.Health(t.Context())
			if n := c.runs.Load(); n != step.runs {
				t.Errorf("after %v more: %d runs; want %d", step.wait, n, step.runs)
			}
		}
		time.Sleep(time.Hour)
		if n := c.runs.Load(); n != 3 {
			t.Errorf("%d runs while nobody asks; want 3", n)
		}
		shut(t, r)
	})
}

// A check that takes long is answered by what was known, with its age; one critical without news for three
// intervals counts as failing.
func TestSlowChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &check{takes: time.Second}
		r := &control.Registry{}
		add(t, r, control.Component{Name: "db", Critical: true, Check: c.run}, control.Component{Name: "model", Check: c.run})
		r.Health(t.Context())
		time.Sleep(time.Second)
		if got := states(r.Health(t.Context())); got != "ok true; db up; model up" {
			t.Errorf("health %q; want the answer that came meanwhile", got)
		}
		time.Sleep(6 * time.Second)
		h := r.Health(t.Context())
		if got := states(h); got != "ok true; db up; model up" || !h.Components[0].Running || time.Since(h.Components[0].Checked) != 6160*time.Millisecond {
			t.Errorf("health %q, %+v; want the last answer", got, h.Components[0])
		}
		time.Sleep(20 * time.Second)
		if got := states(r.Health(t.Context())); got != "failing false; db failing: no answer for 20.08s; model up" && !strings.HasPrefix(got, "failing false; db failing: no answer for") {
			t.Errorf("health %q; want no answer", got)
		}
		time.Sleep(time.Second)
		if got := states(r.Health(t.Context())); got != "ok true; db up; model up" {
			t.Errorf("health %q; want up again", got)
		}
		shut(t, r)
	})
}

// A request that gives up gets what is known.
func TestHealthObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &control.Registry{}
		add(t, r, control.Component{Name: "db", Check: (&check{takes: time.Second}).run})
		began := time.Now()
		r.Health(ended(t))
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v; want nothing", took)
		}
		shut(t, r)
	})
}

// A registry that was closed makes no checks, not even first ones.
func TestNoChecksAfterClose(t *testing.T) {
	c := &check{}
	r := &control.Registry{}
	add(t, r, control.Component{Name: "db", Check: c.run})
	shut(t, r)
	if got := states(r.Health(t.Context())); got != "degraded true; db unknown: never checked" || c.runs.Load() != 0 {
		t.Errorf("health %q after %d checks; want none", got, c.runs.Load())
	}
}

// Gates learn when a component that stays down is asked next.
func TestHealthGateKnowsWhenACheckIsNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &control.Registry{}
		add(t, r, control.Component{Name: "db", Check: new(check).fail(errDown).run})
		g, err := r.HealthGate("db", false)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 6 { // five failures, and a refusal
			time.Sleep(time.Duration(min(i, 1)) * 5 * time.Second)
			r.Health(t.Context())
		}
		err = g.Admit(t.Context(), &retry.Attempt{Number: 2, At: time.Now()})
		if hint := retry.Hint(err); !errors.Is(err, control.ErrDown) || hint <= 0 || hint > 30*time.Second {
			t.Errorf("%v, %v; want a refusal with a time", err, hint)
		}
		shut(t, r)
	})
}

func TestTimeoutsAndStuckChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := &check{hangs: make(chan struct{})}
		r := &control.Registry{}
		add(t, r,
			control.Component{Name: "long", Timeout: time.Hour, Check: (&check{takes: time.Hour}).run},
			control.Component{Name: "slow", Timeout: -1, Check: (&check{takes: time.Hour}).run},
			control.Component{Name: "stuck", Check: hangs.run})
		r.Health(t.Context())
		time.Sleep(3 * time.Second)
		h := r.Health(t.Context())
		if got := states(h); !strings.Contains(got, "long unknown") || !strings.Contains(got, "slow failing: ") ||
			!strings.Contains(got, "stuck failing: its check is stuck: it has run for 3.1") || !h.Components[2].Stuck {
			t.Errorf("health %q", got)
		}
		time.Sleep(8 * time.Second)
		if got := states(r.Health(t.Context())); !strings.Contains(got, "long failing: ") {
			t.Errorf("health %q; want a timeout of 10s at most", got)
		}
		if n := hangs.runs.Load(); n != 1 {
			t.Errorf("%d runs of a check that is stuck; want 1", n)
		}
		close(hangs.hangs)
		synctest.Wait()
		if got := states(r.Health(t.Context())); !strings.Contains(got, "stuck failing: context deadline exceeded") {
			t.Errorf("health %q; want that an answer too late is none", got)
		}
		time.Sleep(6 * time.Second)
		if got := states(r.Health(t.Context())); !strings.Contains(got, "stuck up") {
			t.Errorf("health %q; want it up again", got)
		}
		shut(t, r)
	})
}

func TestCheckThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r := &control.Registry{Logger: slog.New(slog.NewTextHandler(&out, nil))}
		add(t, r, control.Component{Name: "db", Critical: true, Check: func(context.Context) error { panic("nil map") }})
		if got := states(r.Health(t.Context())); !strings.HasPrefix(got, "failing false; db failing: ") || !strings.Contains(got, "its check panicked: nil map") {
			t.Errorf("health %q", got)
		}
		if got := out.String(); !strings.Contains(got, "component=db") || !strings.Contains(got, "TestCheckThatPanics") {
			t.Errorf("log %q; want the stack", got)
		}
		shut(t, r)
	})
}

// An up component that is not critical may fail once; a critical one may not. One success brings both back.
func TestHysteresis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &check{}
		r := &control.Registry{}
		add(t, r, control.Component{Name: "a", Critical: true, Check: c.run}, control.Component{Name: "b", Check: c.run})
		notes := r.Subscribe(control.Filter{Kinds: []string{"health"}}, 0)
		for i, step := range []struct {
			err  error
			a, b string
		}{{nil, "up", "up"}, {errDown, "failing", "up"}, {nil, "up", "up"}, {errDown, "failing", "up"}, {errDown, "failing", "failing"}, {nil, "up", "up"}} {
			c.fail(step.err)
			h := r.Health(t.Context())
			if h.Components[0].State != step.a || h.Components[1].State != step.b {
				t.Errorf("step %d: %q; want %s, %s", i, states(h), step.a, step.b)
			}
			time.Sleep(6 * time.Second)
		}
		shut(t, r)
		notes.Close()
		told, _ := notes.Next(t.Context())
		got := ""
		for _, n := range told {
			got += n.Target + " " + n.Text + "\n"
		}
		if want := `a unknown -> up: all is well
b unknown -> up: all is well
a up -> failing: connection refused
a failing -> up: all is well
a up -> failing: connection refused
b up -> failing: connection refused
a failing -> up: all is well
b failing -> up: all is well
`; sortedLines(got) != sortedLines(want) {
			t.Errorf("told\n%s; want\n%s", got, want)
		}
	})
}

func sortedLines(s string) string { return strings.Join(sortedStrings(strings.Split(s, "\n")), "\n") }

// A component that stays down is spared most of its checks, and is found when it is back.
func TestFailingChecksAreGuarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := new(check).fail(errDown)
		r := &control.Registry{}
		add(t, r, control.Component{Name: "db", Check: c.run})
		for range 60 {
			r.Health(t.Context())
			time.Sleep(5 * time.Second)
		}
		if n := c.runs.Load(); n < 10 || n > 25 {
			t.Errorf("%d checks in 300 s; want fewer than the 60 of one that is up, and some", n)
		}
		if got := states(r.Health(t.Context())); got != "degraded true; db failing: connection refused" {
			t.Errorf("health %q", got)
		}
		c.fail(nil)
		for waited := time.Duration(0); ; waited += time.Second {
			if states(r.Health(t.Context())) == "ok true; db up" {
				break
			}
			if waited > 40*time.Second {
				t.Fatalf("still down after %v", waited)
			}
			time.Sleep(time.Second)
		}
		shut(t, r)
	})
}

// Without a check, health follows the calls of a component's operations.
func TestHealthFollowsOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &control.Registry{}
		add(t, r, control.Component{Name: "venue"})
		o, err := r.AddOperation("venue", &retry.Policy{Name: "a", MaxAttempts: 1, Idempotent: true})
		if err != nil {
			t.Fatal(err)
		}
		call := func(n int, err error) {
			for range n {
				retry.Run(t.Context(), o, func(context.Context) error { return err })
			}
		}
		look := func(want string) {
			t.Helper()
			if got := states(r.Health(t.Context())); got != want {
				t.Errorf("health %q; want %q", got, want)
			}
			time.Sleep(6 * time.Second)
		}
		call(5, errBusy)
		look("ok true; venue up") // the first look is where counting begins
		call(2, errBusy)
		look("ok true; venue up") // too few
		call(1, errBusy)
		look("ok true; venue up") // once is forgiven
		call(9, errBusy)
		look("degraded true; venue failing: none of its calls succeeds")
		call(9, errBad)
		look("degraded true; venue failing: none of its calls succeeds") // a bad request says nothing of the venue
		call(9, errBusy)
		call(1, nil)
		look("ok true; venue up")
		shut(t, r)
	})
}

func TestAddComponents(t *testing.T) {
	r := &control.Registry{}
	for _, test := range []struct {
		name  string
		add   []control.Component
		wants []string
	}{
		{"itself", []control.Component{{Name: "a", DependsOn: []string{"a"}}}, []string{"dependency cycle: a -> a"}},
		{"a cycle", []control.Component{{Name: "a", DependsOn: []string{"b"}}, {Name: "b", DependsOn: []string{"c"}}, {Name: "c", DependsOn: []string{"b"}}},
			[]string{"dependency cycle: b -> c -> b"}},
		{"unknown, nameless, twice", []control.Component{{Name: "clock"}, {Name: "clock"}, {}, {Name: "venue", DependsOn: []string{"clok", "dns"}}},
			[]string{`component "clock" is registered already: choose another name`, "component has no name: give it one",
				`component "venue" depends on an unknown component "clok"; did you mean "clock"?`, `component "venue" depends on an unknown component "dns"`}},
		{"good", []control.Component{{Name: "venue", DependsOn: []string{"dns"}}, {Name: "dns"}}, nil},
		{"later", []control.Component{{Name: "desk", Critical: true, DependsOn: []string{"venue"}}}, nil},
	} {
		err := r.AddComponents(test.add...)
		if (err == nil) != (test.wants == nil) {
			t.Errorf("%s: %v", test.name, err)
		}
		for _, want := range test.wants {
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%s: %v; want %q", test.name, err, want)
			}
		}
	}
	if got := fmt.Sprint(r.ComponentNames()); got != "[desk dns venue]" {
		t.Errorf("components %s; want those of the good ones", got)
	}
	want := `component "desk" is critical and depends on "venue", which is not: readiness would not see the cause`
	if err := r.Check(); fmt.Sprint(err) != want {
		t.Errorf("Check = %v; want %q", err, want)
	}
}

// Run checks those that want it, as long as its context lasts.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		often, seldom, gated, below := &check{}, &check{}, &check{}, &check{}
		r := &control.Registry{}
		add(t, r, control.Component{Name: "often", Interval: 2 * time.Second, Check: often.run}, control.Component{Name: "seldom", Check: seldom.run},
			control.Component{Name: "gated", Check: gated.run, DependsOn: []string{"below"}}, control.Component{Name: "below", Check: below.run})
		if _, err := r.HealthGate("gated", false); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), 21*time.Second+time.Millisecond, errDown)
		defer cancel()
		if err := r.Run(ctx); err != errDown {
			t.Errorf("Run = %v; want the cause", err)
		}
		if a, b, c, d := often.runs.Load(), seldom.runs.Load(), gated.runs.Load(), below.runs.Load(); a != 11 || b != 0 || c != 5 || d != 5 {
			t.Errorf("%d, %d, %d, %d runs; want 11, 0, 5, 5", a, b, c, d)
		}
		shut(t, r)
	})
}

func BenchmarkHealth(b *testing.B) {
	release := make(chan struct{})
	r := &control.Registry{}
	for i := range 100 {
		c := &check{}
		if i < 10 {
			c.hangs = release
		}
		if err := r.AddComponents(control.Component{Name: fmt.Sprintf("c%02d", i), Check: c.run}); err != nil {
			b.Fatal(err)
		}
	}
	var worst time.Duration
	b.Run("100 components, 10 hanging", func(b *testing.B) {
		for b.Loop() {
			began := time.Now()
			r.Health(b.Context())
			worst = max(worst, time.Since(began))
		}
		b.ReportMetric(float64(worst.Microseconds())/1000, "ms-worst")
	})
	close(release)
	r.Close(b.Context())
}
