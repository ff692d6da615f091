package profile_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/breaker/profile"
	"github.com/relent-go/relent/gate/gatetest"
	"github.com/relent-go/relent/retry"
)

var (
	epoch  = time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	errBad = errors.New("bad")
	read   = &retry.Policy{Name: "venue.read", Idempotent: true}
)

// A driver takes a gate through attempts at times of its choice.
type driver struct {
	t   *testing.T
	g   profile.Gate
	now time.Duration
}

// admit asks for an attempt now.
func (d *driver) admit() (*retry.Attempt, error) {
	a := &retry.Attempt{Policy: read, Number: 1, At: epoch.Add(d.now), Note: new(uint64)}
	return a, d.g.Admit(d.t.Context(), a)
}

// began is an attempt that must be admitted.
func (d *driver) began() *retry.Attempt {
	d.t.Helper()
	a, err := d.admit()
	if err != nil {
		d.t.Fatalf("at %v: %v; want admitted", d.now, err)
	}
	return a
}

// ends settles an attempt now, after it took a while.
func (d *driver) ends(a *retry.Attempt, s retry.State, c retry.Class, took time.Duration) {
	end := epoch.Add(d.now)
	o := &retry.Outcome{State: s, Class: c, Start: end.Add(-took), End: end}
	if s == retry.Failed {
		o.Err = errBad
	}
	d.g.Settle(a, o)
}

func (d *driver) good(a *retry.Attempt) { d.ends(a, retry.Succeeded, 0, 0) }
func (d *driver) bad(a *retry.Attempt)  { d.ends(a, retry.Failed, retry.Ambiguous, 0) }

// calls makes n attempts, a time apart, by the letters of script in turn: F fails, S succeeds.
func (d *driver) calls(n int, apart time.Duration, script string) {
	d.t.Helper()
	for i := range n {
		a := d.began()
		if script[i%len(script)] == 'F' {
			d.bad(a)
		} else {
			d.good(a)
		}
		d.now += apart
	}
}

// refused wants the next attempt refused.
func (d *driver) refused(s breaker.State) {
	d.t.Helper()
	_, err := d.admit()
	e, ok := errors.AsType[*breaker.Error](err)
	if !errors.Is(err, breaker.ErrOpen) || !ok || e.State != s {
		d.t.Errorf("at %v: %v; want refused while %v", d.now, err, s)
	}
}

func (d *driver) wants(s breaker.State) {
	d.t.Helper()
	if got := d.g.State(); got != s {
		d.t.Errorf("at %v: %v; want %v", d.now, got, s)
	}
}

const ms = time.Millisecond

func named(t *testing.T, name string) *driver {
	g, err := profile.New(name)
	if err != nil {
		t.Fatal(err)
	}
	return &driver{t: t, g: g}
}

func TestC1Hystrix(t *testing.T) {
	d := named(t, "hystrix")
	d.calls(19, 100*ms, "F")
	d.now += 500 * ms // so that the window is looked at again
	d.calls(1, 0, "F")
	// The edge that is kept: the look at 19 serves for half a second.
	d.wants(breaker.Closed)
	d.now += 500 * ms
	d.refused(breaker.Open)
}

func TestC2Hystrix(t *testing.T) {
	d := named(t, "hystrix")
	d.calls(20, 100*ms, "SF")
	d.now += 500 * ms
	d.refused(breaker.Open)

	d = named(t, "hystrix")
	d.calls(20, 100*ms, "SSF") // 6 of 20
	d.now += 500 * ms
	d.calls(1, 0, "S")
	d.wants(breaker.Closed)
}

func TestHystrixWindowAndProbe(t *testing.T) {
	d := named(t, "hystrix")
	d.calls(19, 10*ms, "F")
	d.now = 11 * time.Second
	d.calls(1, 500*ms, "F") // the others are out of the window
	d.calls(1, 0, "S")
	d.wants(breaker.Closed)

	d = named(t, "hystrix")
	d.calls(20, 0, "F")
	d.now = 500 * ms
	d.refused(breaker.Open)
	d.now += 5 * time.Second
	d.refused(breaker.Open) // strictly after
	d.now++
	probe := d.began()
	d.refused(breaker.HalfOpen)
	d.bad(probe)
	d.refused(breaker.Open)
	d.now += 5*time.Second + 1
	d.good(d.began())
	d.wants(breaker.Closed)
	d.calls(19, 100*ms, "F") // the success began a new window
	d.wants(breaker.Closed)
}

func TestC4Resilience4j(t *testing.T) {
	for _, test := range []struct {
		took time.Duration
		want breaker.State
	}{{60 * time.Second, breaker.Closed}, {60001 * ms, breaker.Open}} {
		d := named(t, "resilience4j")
		for range 100 {
			d.wants(breaker.Closed)
			d.ends(d.began(), retry.Succeeded, 0, test.took)
		}
		d.wants(test.want)
	}
}

func TestResilience4jMinimum(t *testing.T) {
	d := named(t, "resilience4j")
	d.calls(99, 0, "F")
	b := d.g.(*profile.Breaker)
	if got := b.FailurePercent(); got != -1 {
		t.Errorf("rate below the minimum %v; want -1", got)
	}
	d.calls(1, 0, "S")
	if got := b.FailurePercent(); got != 99 {
		t.Errorf("rate %v; want 99", got)
	}
	d.wants(breaker.Open)

	d = named(t, "resilience4j")
	d.calls(150, 0, "SSF") // 50 of 150, and of any 100 at most 34
	d.calls(23, 0, "F")
	d.wants(breaker.Closed)
	if got, want := d.g.(*profile.Breaker).Counts(), (profile.Counts{Calls: 100, Failed: 49}); got != want {
		t.Errorf("Counts() = %+v; want %+v", got, want)
	}
	d.calls(1, 0, "F") // and pushes out a success
	d.wants(breaker.Open)
}

func TestC5Resilience4j(t *testing.T) {
	for failures, want := range map[int]breaker.State{5: breaker.Open, 4: breaker.Closed} {
		d := named(t, "resilience4j")
		d.calls(100, 0, "F")
		d.now += time.Minute
		d.refused(breaker.Open) // strictly after
		d.now++
		var probes []*retry.Attempt
		for range 10 {
			probes = append(probes, d.began())
		}
		d.refused(breaker.HalfOpen)
		for i, a := range probes {
			d.wants(breaker.HalfOpen)
			if i < failures {
				d.bad(a)
			} else {
				d.good(a)
			}
			if i < 9 {
				d.refused(breaker.HalfOpen) // permits are for all of the state
			}
		}
		d.wants(want)
	}
}

func TestPolly(t *testing.T) {
	d := named(t, "polly")
	d.calls(99, 0, "FSSSSSSSSS")
	d.calls(1, 0, "S") // 100 calls, 10 failed, but this was no failure
	d.wants(breaker.Closed)
	d.calls(1, 0, "F")
	d.wants(breaker.Open)
	d.now += 5*time.Second - 1
	d.refused(breaker.Open)
	d.now++
	probe := d.began()
	d.refused(breaker.HalfOpen)
	d.good(probe)
	d.wants(breaker.Closed)

	d = named(t, "polly")
	d.calls(99, 0, "F")
	d.wants(breaker.Closed)
	d.now += 31 * time.Second
	d.calls(1, 0, "F")
	d.wants(breaker.Closed)
}

func TestPollyIsolate(t *testing.T) {
	d := named(t, "polly")
	b := d.g.(*profile.Breaker)
	if err := b.Isolate(breaker.Order{}); err == nil || err.Error() != "Who: missing\nWhy: missing\nFor: 0s is not positive" {
		t.Errorf("%v; want all that is missing", err)
	}
	if err := b.Isolate(breaker.Order{Who: "ann", For: 1}); err == nil || err.Error() != "Why: missing" {
		t.Errorf("%v; want what is missing", err)
	}
	if err := b.Release(breaker.Order{Who: "ann"}); err == nil {
		t.Error("released without a why")
	}
	order := breaker.Order{Who: "ann", Why: "drill", At: epoch, For: time.Hour}
	late := d.began()
	if err := b.Isolate(order); err != nil {
		t.Fatal(err)
	}
	d.bad(late)
	_, err := d.admit()
	if err == nil || err.Error() != "breaker polly: attempt refused while isolated (drill), retry after 1h0m0s" {
		t.Error(err)
	}
	d.now += time.Hour
	d.good(d.began())
	d.wants(breaker.Closed)
	if err := b.Release(order); err != nil {
		t.Error(err)
	}
	d.wants(breaker.Closed)

	order.For = 1<<63 - 1
	b.Isolate(order)
	if _, err := d.admit(); retry.Hint(err) != 0 {
		t.Errorf("%v; want no time to wait", err)
	}
	b.Release(order)
	d.wants(breaker.HalfOpen)
	d.good(d.began())
	d.wants(breaker.Closed)
}

func TestFailsafe(t *testing.T) {
	const min = time.Minute
	for _, test := range []struct {
		name   string
		f      profile.Failsafe
		script string // F and S are results, m a minute that passes, o and c the state that must be: open, closed
	}{
		{"defaults", profile.Failsafe{}, "S c F o"},
		{"count", profile.Failsafe{Failures: 3}, "F F S F F c F o"},
		{"m of n", profile.Failsafe{Failures: 2, Executions: 4}, "F S S S F c S S F o"},
		{"m in period", profile.Failsafe{Failures: 3, Period: 2 * min}, "F F m m m F F c S F o"},
		{"rate", profile.Failsafe{FailurePercent: 50, Executions: 4, Period: 2 * min}, "F F F c S o"},
		{"rate below", profile.Failsafe{FailurePercent: 50, Executions: 4, Period: 2 * min}, "F S S S c F c F o"},
		{"half-open as closed", profile.Failsafe{Failures: 2, Executions: 3}, "F F o m h S h S c"},
		{"half-open as closed, bad", profile.Failsafe{Failures: 2, Executions: 3}, "F F o m h F h S h F o"},
		{"half-open by rate", profile.Failsafe{FailurePercent: 50, Executions: 2, Period: min}, "F S o m h S h S c"},
		{"half-open by rate, bad", profile.Failsafe{FailurePercent: 50, Executions: 2, Period: min}, "F S o m h S h F o"},
		{"successes", profile.Failsafe{Successes: 2}, "F o m h S h S c"},
		{"successes, bad", profile.Failsafe{Successes: 2}, "F o m h S h F o"},
		{"successes of capacity", profile.Failsafe{Successes: 2, SuccessCapacity: 3}, "F o m h F h S h S c"},
		{"successes of capacity, bad", profile.Failsafe{Successes: 2, SuccessCapacity: 3}, "F o m h F h F o"},
		{"odd", profile.Failsafe{Failures: -1, Executions: -1, Period: -1, FailurePercent: -1, Delay: -1, Successes: -1, SuccessCapacity: -1}, "S c F o m h S c"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := &driver{t: t, g: test.f.New(test.name)}
			for _, step := range strings.Fields(test.script) {
				switch step {
				case "F", "S":
					d.calls(1, 0, step)
				case "m":
					d.now += min
				case "o":
					d.wants(breaker.Open)
				case "c":
					d.wants(breaker.Closed)
				case "h": // it will be, when asked: an attempt that its caller cancels changes nothing
					d.ends(d.began(), retry.Canceled, 0, 0)
					d.wants(breaker.HalfOpen)
				}
			}
		})
	}
}

// The permits of failsafe are for the probes that run, not for all of the state.
func TestFailsafePermits(t *testing.T) {
	d := &driver{t: t, g: profile.Failsafe{Successes: 2, SuccessCapacity: 3}.New("venue")}
	d.calls(1, 0, "F")
	d.now += time.Minute
	a, b, _ := d.began(), d.began(), d.began()
	d.refused(breaker.HalfOpen)
	d.bad(a)
	d.began()
	d.refused(breaker.HalfOpen)
	d.good(b)
	d.wants(breaker.HalfOpen)
}

func TestFailsafeIgnoresResultsWhileOpen(t *testing.T) {
	d := named(t, "failsafe")
	a, b := d.began(), d.began()
	d.bad(a)
	d.good(b)
	d.wants(breaker.Open)
	d.now += time.Minute
	d.began()
	d.good(b) // nor in HalfOpen
	d.wants(breaker.HalfOpen)
}

func TestC7Gobreaker(t *testing.T) {
	d := named(t, "gobreaker")
	d.calls(5, 0, "F")
	d.wants(breaker.Closed)
	d.calls(1, 0, "F")
	d.wants(breaker.Open)
}

func TestC43GobreakerWalk(t *testing.T) {
	d := named(t, "gobreaker")
	d.calls(5, 0, "F")
	d.wants(breaker.Closed)
	d.calls(1, 0, "S")
	d.wants(breaker.Closed)
	d.calls(6, 0, "F")
	d.wants(breaker.Open)
	d.now += time.Minute
	d.refused(breaker.Open)
	d.now++
	d.bad(d.began())
	d.wants(breaker.Open)

	d = &driver{t: t, g: profile.Gobreaker{MaxRequests: 3}.New("venue")}
	d.calls(6, 0, "F")
	d.now += time.Minute + 1
	probes := []*retry.Attempt{d.began(), d.began(), d.began()}
	d.refused(breaker.HalfOpen)
	for _, a := range probes {
		d.wants(breaker.HalfOpen)
		d.good(a)
	}
	d.wants(breaker.Closed)
}

func TestGobreakerInterval(t *testing.T) {
	d := &driver{t: t, g: profile.Gobreaker{Interval: time.Second}.New("venue")}
	d.calls(5, 0, "F")
	old := d.began()
	d.now += time.Second
	d.began() // not strictly after
	if got := d.g.(*profile.Breaker).FailurePercent(); got != 100 {
		t.Errorf("rate %v; want 100", got)
	}
	d.now++
	d.began()
	if got := d.g.(*profile.Breaker).FailurePercent(); got != -1 {
		t.Errorf("rate %v in a new interval; want -1", got)
	}
	d.bad(old)
	d.calls(5, 0, "F")
	d.wants(breaker.Closed)
	d.calls(1, 0, "F")
	d.wants(breaker.Open)
}

// eject lets a host fail until it is ejected, and returns for how long.
func eject(t *testing.T, d *driver) time.Duration {
	t.Helper()
	d.calls(5, 0, "F")
	d.wants(breaker.Open)
	_, err := d.admit()
	return retry.Hint(err)
}

func TestC18Envoy(t *testing.T) {
	d := named(t, "envoy")
	for n := 1; n <= 12; n++ {
		want := min(time.Duration(n)*30*time.Second, 300*time.Second)
		if got := eject(t, d); got != want {
			t.Errorf("ejection %d: %v; want %v", n, got, want)
		}
		d.now += want - 1
		d.refused(breaker.Open)
		d.now++
	}
}

func TestEnvoyComesBackWithASweep(t *testing.T) {
	d := named(t, "envoy")
	d.calls(1, 4*time.Second, "S")
	if got := eject(t, d); got != 36*time.Second {
		t.Errorf("back in %v; want with the sweep at 40s", got)
	}
	d.now = 39999 * ms
	d.refused(breaker.Open)
	d.now = 40 * time.Second
	d.began()
	// One sweep in service forgives one ejection.
	d.now = 50 * time.Second
	if got := eject(t, d); got != 30*time.Second {
		t.Errorf("back in %v; want after 30s, forgiven", got)
	}
	d.now += 30 * time.Second
	if got := eject(t, d); got != 60*time.Second {
		t.Errorf("back in %v; want after 60s", got)
	}
	d.now += 24 * time.Hour
	if got := eject(t, d); got < 30*time.Second || got > 40*time.Second {
		t.Errorf("back in %v; want with the first sweep after 30s, after a day in service", got)
	}
}

func TestEnvoySuccessInARow(t *testing.T) {
	d := named(t, "envoy")
	d.calls(20, 0, "FFFFS")
	d.wants(breaker.Closed)
	a := d.began()
	d.calls(5, 0, "F")
	d.now += 30 * time.Second
	for range 5 {
		d.bad(a) // from before the ejection
	}
	d.wants(breaker.Closed)
}

func TestEnvoyCompares(t *testing.T) {
	for _, test := range []struct {
		name     string
		hosts    int
		calls    int
		failures []int // of a hundred, by host
		out      string
		factor   float64
	}{
		{"one far below", 11, 100, []int{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 40}, "k", 0},
		{"two far below, one may go", 12, 100, []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 60}, "l", 0},
		{"all alike", 6, 100, []int{30, 31, 29, 30, 30, 31}, "", 0},
		{"too few hosts", 4, 100, []int{0, 0, 0, 90}, "", 1},
		{"enough hosts", 5, 100, []int{0, 0, 0, 0, 90}, "e", 1},
		{"too few calls", 11, 99, []int{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 40}, "", -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := profile.Envoy{Consecutive: 1000, StdevFactor: test.factor}.New()
			var drivers []*driver
			for i := range test.hosts {
				drivers = append(drivers, &driver{t: t, g: c.Host(string(rune('a' + i)))})
			}
			for i, d := range drivers {
				d.calls(test.failures[i], 0, "F")
				d.calls(test.calls-test.failures[i], 0, "S")
			}
			drivers[0].now = 10 * time.Second
			drivers[0].calls(1, 0, "S")
			out := ""
			for i, d := range drivers {
				if d.g.State() == breaker.Open {
					out += string(rune('a' + i))
				}
			}
			if out != test.out {
				t.Errorf("ejected %q; want %q", out, test.out)
			}
			if c.Host("a") != drivers[0].g {
				t.Error("a host of the same name is another one")
			}
		})
	}
}

func TestEnvoyEjectsTenPercentOrOne(t *testing.T) {
	for hosts, want := range map[int]int{1: 1, 2: 1, 19: 1, 20: 2, 29: 2} {
		c := profile.Envoy{}.New()
		var all []*driver
		for i := range hosts {
			all = append(all, &driver{t: t, g: c.Host(fmt.Sprint(i))})
		}
		out := 0
		for _, d := range all {
			d.calls(5, 0, "F")
			if d.g.State() == breaker.Open {
				out++
			}
		}
		if out != want {
			t.Errorf("%d of %d ejected; want %d", out, hosts, want)
		}
	}
}

// Who could not be ejected, because too many were, begins to count anew.
func TestEnvoyCountsAnewAfterTooMany(t *testing.T) {
	c := profile.Envoy{}.New()
	a, b := &driver{t: t, g: c.Host("a")}, &driver{t: t, g: c.Host("b")}
	a.calls(5, 0, "F")
	b.calls(5, 0, "F")
	b.wants(breaker.Closed)
	b.now = 30 * time.Second
	b.calls(4, 0, "F")
	b.wants(breaker.Closed)
	b.calls(1, 0, "F")
	b.wants(breaker.Open)
	a.wants(breaker.Closed)
}

// Who is ejected already is not compared with the others.
func TestEnvoyEjectsOnce(t *testing.T) {
	c := profile.Envoy{}.New()
	for i := range 20 {
		d := &driver{t: t, g: c.Host(fmt.Sprint(i))}
		d.calls(100, 0, "S")
	}
	d := &driver{t: t, g: c.Host("0")}
	d.calls(5, 0, "F")
	for range 5 {
		d.g.Settle(&retry.Attempt{}, &retry.Outcome{State: retry.Panicked}) // of nobody knows when
	}
	d.now = 10 * time.Second
	if _, err := d.admit(); retry.Hint(err) != 20*time.Second {
		t.Errorf("back in %v; want 30s after the ejection", retry.Hint(err))
	}
}

func TestNew(t *testing.T) {
	if _, err := profile.New("fuse"); err == nil || err.Error() != `unknown breaker profile "fuse": want one of hystrix, resilience4j, polly, failsafe, gobreaker, envoy` {
		t.Errorf("New(fuse): %v", err)
	}
}

func TestGates(t *testing.T) {
	for _, name := range profile.Names() {
		t.Run(name, func(t *testing.T) {
			gatetest.Suite{Open: func() retry.Gate { g, _ := profile.New(name); return g }, Elapsed: name == "resilience4j"}.Run(t)
		})
	}
}

// opened returns a driver of a profile's breaker in HalfOpen, and whether one failed probe decides.
func opened(t *testing.T, name string) *driver {
	d := named(t, name)
	for d.g.State() != breaker.Open {
		if a, err := d.admit(); err == nil {
			d.bad(a)
		}
		d.now += 100 * ms
	}
	d.now += time.Minute + 1
	return d
}

var stateful = []string{"hystrix", "resilience4j", "polly", "failsafe", "gobreaker"}

// What is not copied from anybody: see the package comment.
func TestDefectsAreNotCopied(t *testing.T) {
	for _, name := range stateful {
		t.Run(name+" bears a hung probe", func(t *testing.T) {
			d := opened(t, name)
			a := d.began()
			for range 9 {
				d.admit() // resilience4j has ten
			}
			d.refused(breaker.HalfOpen)
			d.now += time.Minute
			d.admit()
			d.now += time.Minute + 1 // its lease is over, and so is the time that it opened for
			b := d.began()
			d.good(a) // too late
			d.wants(breaker.HalfOpen)
			d.good(b)
			if name != "resilience4j" {
				d.wants(breaker.Closed)
			}
		})
		t.Run(name+" gives the permit of a neutral probe back", func(t *testing.T) {
			d := opened(t, name)
			for range 100 {
				d.ends(d.began(), retry.Canceled, 0, 0)
				d.ends(d.began(), retry.NotStarted, 0, 0)
				d.ends(d.began(), retry.Failed, retry.Permanent, 0)
			}
			d.wants(breaker.HalfOpen)
		})
		t.Run(name+" is not opened by callers who give up", func(t *testing.T) {
			d := named(t, name)
			for range 1000 {
				d.ends(d.began(), retry.Canceled, 0, 0)
				d.ends(d.began(), retry.Failed, retry.Permanent, 0)
			}
			d.wants(breaker.Closed)
			if got := d.g.(*profile.Breaker).Counts(); got != (profile.Counts{}) {
				t.Errorf("Counts() = %+v; want none", got)
			}
		})
		t.Run(name+" probes with first attempts of Idempotent policies only", func(t *testing.T) {
			d := opened(t, name)
			for _, a := range []*retry.Attempt{
				{Policy: &retry.Policy{}, Number: 1, Note: new(uint64)},
				{Policy: read, Number: 2, Note: new(uint64)},
				{Policy: read, Number: 1},
				{Number: 1, Note: new(uint64)},
			} {
				a.At = epoch.Add(d.now)
				if err := d.g.Admit(t.Context(), a); !errors.Is(err, breaker.ErrOpen) {
					t.Errorf("%+v: %v; want refused", a, err)
				}
			}
			d.began()
		})
	}
}

// A lease is no longer than the call may take.
func TestLeaseEndsWithTheCall(t *testing.T) {
	for _, p := range []*retry.Policy{
		{Idempotent: true, AttemptTimeout: time.Second, MaxElapsed: time.Hour},
		{Idempotent: true, MaxElapsed: time.Second},
	} {
		d := opened(t, "gobreaker")
		a := &retry.Attempt{Policy: p, Number: 1, At: epoch.Add(d.now), Note: new(uint64)}
		if err := d.g.Admit(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		d.now += time.Second - 1
		d.refused(breaker.HalfOpen)
		d.now++
		d.refused(breaker.Open)
		d.now += time.Minute // strictly: the lease ended a minute ago
		d.refused(breaker.Open)
		d.now++
		d.began()
	}
}

// A lease ends when it ends, and not when somebody notices.
func TestLeaseEndsUnnoticed(t *testing.T) {
	d := opened(t, "gobreaker")
	d.began()
	d.now += 2*time.Minute + 1
	d.began()
}

// Of several leases the one that ends first counts first.
func TestLeasesEndInOrder(t *testing.T) {
	d := opened(t, "resilience4j")
	for i := range 10 {
		p := *read
		p.AttemptTimeout = time.Duration(10-i) * time.Second
		if err := d.g.Admit(t.Context(), &retry.Attempt{Policy: &p, Number: 1, At: epoch.Add(d.now), Note: new(uint64)}); err != nil {
			t.Fatal(err)
		}
	}
	began := d.now
	d.now += 10 * time.Second
	d.refused(breaker.Open)
	d.now = began + 70*time.Second
	d.refused(breaker.Open)
	d.now++
	d.began()
}

// Panics and our own timeouts count, whatever their class; a result without a note counts while closed.
func TestWhatCounts(t *testing.T) {
	for _, test := range []struct {
		o    retry.Outcome
		want breaker.State
	}{
		{retry.Outcome{State: retry.Panicked}, breaker.Open},
		{retry.Outcome{State: retry.Failed, Class: retry.Throttled}, breaker.Open},
		{retry.Outcome{State: retry.Failed, Class: retry.Permanent, Err: retry.ErrAttemptTimeout}, breaker.Open},
		{retry.Outcome{State: retry.Failed, Class: retry.Permanent, Err: errBad}, breaker.Closed},
		{retry.Outcome{State: retry.NotStarted}, breaker.Closed},
	} {
		b := profile.Failsafe{}.New("venue")
		a := &retry.Attempt{Number: 1, At: epoch}
		b.Admit(t.Context(), a)
		b.Settle(a, &test.o)
		if got := b.State(); got != test.want {
			t.Errorf("%+v: %v; want %v", test.o, got, test.want)
		}
	}
}

// C11, and the rule that permits are never exceeded, whoever comes when.
func TestPermitsHoldUnderAnyInterleaving(t *testing.T) {
	for _, name := range stateful {
		most := 1
		if name == "resilience4j" {
			most = 10
		}
		for seed := range uint64(20) {
			d := opened(t, name)
			random := rand.New(rand.NewPCG(seed, 4))
			var probes []*retry.Attempt
			for range 500 {
				a, err := d.admit()
				if d.g.State() != breaker.HalfOpen {
					probes = nil
					if d = opened(t, name); err == nil {
						continue
					}
				} else if err == nil {
					probes = append(probes, a)
				}
				if len(probes) > most {
					t.Fatalf("%s: %d probes at once; want at most %d", name, len(probes), most)
				}
				if len(probes) > 0 && random.IntN(2) == 0 {
					i := random.IntN(len(probes))
					switch random.IntN(3) {
					case 0:
						d.bad(probes[i])
					case 1:
						d.good(probes[i])
					default:
						d.ends(probes[i], retry.Canceled, 0, 0)
					}
					probes = append(probes[:i], probes[i+1:]...)
				}
				d.now += time.Duration(random.IntN(100)) * ms
			}
		}
		d := opened(t, name)
		var mu sync.Mutex
		var wg sync.WaitGroup
		admitted := 0
		for range 50 {
			wg.Go(func() {
				if _, err := d.admit(); err == nil {
					mu.Lock()
					admitted++
					mu.Unlock()
				}
			})
		}
		if wg.Wait(); admitted != most {
			t.Errorf("%s: %d of 50 callers probe; want %d", name, admitted, most)
		}
	}
}

func TestRefusalSaysForHowLong(t *testing.T) {
	d := named(t, "failsafe")
	d.calls(1, 0, "F")
	d.now += 10 * time.Second
	_, err := d.admit()
	if err == nil || err.Error() != "breaker failsafe: attempt refused while open, retry after 50s" || retry.Hint(err) != 50*time.Second {
		t.Error(err)
	}
}

func ExampleNew() {
	b, err := profile.New("gobreaker")
	if err != nil {
		fmt.Println(err)
		return
	}
	p := &retry.Policy{Name: "venue.quote", MaxAttempts: 1, Idempotent: true, Gates: []retry.Gate{b}}
	for range 7 {
		err = retry.Run(context.Background(), p, func(context.Context) error { return errors.New("connection reset") })
	}
	fmt.Println(b.State(), errors.Is(err, breaker.ErrOpen))
	// Output: open true
}

func ExampleEnvoy() {
	venue := profile.Envoy{Consecutive: 3}.New()
	for _, host := range []string{"a", "b"} {
		p := &retry.Policy{MaxAttempts: 1, Gates: []retry.Gate{venue.Host(host)}}
		for range 3 {
			retry.Run(context.Background(), p, func(context.Context) error {
				if host == "b" {
					return errors.New("bad gateway")
				}
				return nil
			})
		}
	}
	fmt.Println(venue.Host("a").State(), venue.Host("b").State())
	// Output: closed open
}

func BenchmarkSuccess(b *testing.B) {
	for _, name := range profile.Names() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			g, _ := profile.New(name)
			ctx := context.Background()
			a, o := &retry.Attempt{Policy: read, Number: 1, At: epoch, Note: new(uint64)}, &retry.Outcome{State: retry.Succeeded}
			for b.Loop() {
				a.At = a.At.Add(time.Microsecond)
				o.Start, o.End = a.At, a.At
				if g.Admit(ctx, a) != nil {
					b.Fatal("refused")
				}
				g.Settle(a, o)
			}
		})
	}
}
