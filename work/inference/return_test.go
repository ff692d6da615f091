package inference_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/inference"
)

// A log keeps the changes of a ladder.
type log []string

func (l *log) add(began time.Time) func(inference.Change) {
	return func(c inference.Change) {
		*l = append(*l, fmt.Sprintf("%v %s %v>%v %d%%: %s", c.At.Sub(began).Round(time.Second/10), c.Model, c.From, c.To, c.Percent, c.Cause))
	}
}

// drive asks with ever new keys, ten times a second, and says how many of each second's answers net gave.
func drive(t *testing.T, l *ladder, d time.Duration, key *int) (share []int) {
	for range int(d / time.Second) {
		n := 0
		for range 10 {
			*key++
			if a := must[answer](t)(l.Predict(t.Context(), *key)); a.Model == "net" {
				n++
			}
			synctest.Wait()
			time.Sleep(time.Second / 10)
		}
		share = append(share, n)
	}
	return share
}

func TestIN9AutomaticReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &toggle{}
		m.down.Store(true)
		l := two(m.predict)
		defer l.Close()
		var changes log
		began := time.Now()
		l.OnChange = changes.add(began)
		time.AfterFunc(7*time.Second, func() { m.down.Store(false) })
		key := 0
		share := drive(t, l, 24*time.Second, &key)
		for i, n := range share {
			if n > 0 {
				t.Errorf("net answered %d times in second %d, before the ramp", n, i)
			}
		}
		if n := m.calls.Load(); n != 6 { // three calls, a bad probe at 5.2 s, good ones at 15.2 s and 20.2 s
			t.Errorf("net was called %d times in 24 s; want 3 calls and 3 probes", n)
		}
		share = drive(t, l, 50*time.Second, &key)
		want := log{
			"200ms net normal>degraded 0%: 3 failed calls in a row",
			"25.2s net degraded>ramp 10%: 3 good probes over 10s",
			"35.2s net ramp>ramp 50%: the last step went well",
			"45.2s net ramp>ramp 100%: the last step went well",
			"55.2s net ramp>normal 100%: the ramp went well",
		}
		if got := strings.Join(changes, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("changes:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
		}
		for _, part := range []struct{ from, to, least, most int }{{2, 11, 2, 25}, {12, 21, 30, 60}, {22, 50, 280, 280}} {
			n := 0
			for _, s := range share[part.from:part.to] {
				n += s
			}
			if n < part.least || n > part.most {
				t.Errorf("net answered %d times from second %d to %d; want %d to %d: %v", n, part.from, part.to, part.least, part.most, share)
			}
		}
		if s := l.Status()[0]; s.State != inference.Normal || s.Percent != 100 || s.Failures != 0 || !s.NextProbe.IsZero() {
			t.Errorf("%+v", s)
		}
	})
}

func TestIN10Flapping(t *testing.T) {
	for _, u := range []float64{0, 0.25, 0.5, 0.75, 0.999} {
		synctest.Test(t, func(t *testing.T) {
			m := &toggle{}
			l := two(m.predict)
			defer l.Close()
			l.Rand = func() float64 { return u }
			ramps, normals := 0, 0
			l.OnChange = func(c inference.Change) {
				if c.To == inference.Ramp && c.From != inference.Ramp {
					ramps++
				}
				if c.To == inference.Normal {
					normals++
				}
			}
			stop := make(chan struct{})
			done := make(chan struct{})
			go func() {
				defer close(done)
				for tick := time.NewTicker(20 * time.Second); ; {
					select {
					case <-tick.C:
						m.down.Store(!m.down.Load())
					case <-stop:
						return
					}
				}
			}()
			key := 0
			drive(t, l, 10*time.Minute, &key)
			close(stop)
			<-done
			if ramps > 2 || normals > 0 {
				t.Errorf("jitter %v: %d ramps and %d times Normal; want at most 2 and 0", u, ramps, normals)
			}
		})
	}
}

// In Degraded no caller waits for the model, and no more than one probe asks it.
func TestProbesHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int32
		l := two(func(ctx context.Context, _ int) (float64, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			if l := ctx.Value(slow{}); l != nil {
				return 0, errLoading
			}
			return hang(ctx, 0)
		})
		defer l.Close()
		l.Cache, l.Rand = nil, nil
		ctx := context.WithValue(t.Context(), slow{}, true)
		for range 3 {
			must[answer](t)(l.Predict(ctx, 1))
		}
		began := time.Now()
		for range 60 {
			time.Sleep(time.Second)
			at := time.Now()
			must[answer](t)(l.Predict(ctx, 1))
			if took := time.Since(at); took != 0 {
				t.Errorf("a caller waited %v", took)
			}
		}
		if most.Load() != 1 {
			t.Errorf("%d at one time; want 1", most.Load())
		}
		if s := l.Status()[0]; s.State != inference.Degraded || s.Probes != 0 || !errors.Is(s.Err, inference.ErrShare) || s.NextProbe.Before(began) {
			t.Errorf("%+v; want a probe that ended for want of time", s)
		}
	})
}

type slow struct{}

func TestFailuresOnTheWayBack(t *testing.T) {
	for _, test := range []struct {
		name string
		good time.Duration // after the ramp began
		down time.Duration
		want string // the changes after it
		span time.Duration
	}{
		{"in the ramp", 5 * time.Second, 2 * time.Second, "degraded", 20 * time.Second},
		{"just after the return", 40 * time.Second, time.Second, "ramp ramp normal degraded", 20 * time.Second},
		{"a while after the return", 2 * time.Minute, time.Second, "ramp ramp normal degraded", 10 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &toggle{}
				l := two(m.predict)
				defer l.Close()
				m.down.Store(true)
				key := 0
				drive(t, l, time.Second, &key)
				m.down.Store(false)
				for l.Status()[0].State != inference.Ramp {
					drive(t, l, time.Second, &key)
				}
				var steps []string
				l.OnChange = func(c inference.Change) { steps = append(steps, c.To.String()) }
				drive(t, l, test.good, &key)
				m.down.Store(true)
				drive(t, l, test.down, &key)
				if got := strings.Join(steps, " "); got != test.want || l.Status()[0].Span != test.span {
					t.Errorf("%q, span %v; want %q, span %v", got, l.Status()[0].Span, test.want, test.span)
				}
			})
		})
	}
}

// Ten good minutes let a model come back as quickly as the first time.
func TestGoodTimesMakeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &toggle{}
		l := two(m.predict)
		defer l.Close()
		l.Rules.Span = 30 * time.Second
		key := 0
		relapse := func(up time.Duration) time.Duration {
			m.down.Store(false)
			for l.Status()[0].State != inference.Normal {
				drive(t, l, time.Second, &key)
			}
			drive(t, l, up, &key)
			m.down.Store(true)
			drive(t, l, time.Second, &key)
			return l.Status()[0].Span
		}
		for i, step := range []struct{ up, span time.Duration }{
			{time.Second, 30 * time.Second}, {time.Second, time.Minute}, {2 * time.Minute, time.Minute}, {time.Second, 2 * time.Minute},
			{time.Second, 4 * time.Minute}, {time.Second, 5 * time.Minute}, {11 * time.Minute, 30 * time.Second},
		} {
			if span := relapse(step.up); span != step.span {
				t.Errorf("%d: span %v after %v; want %v", i, span, step.up, step.span)
			}
		}
	})
}

// With few calls, none of them chosen, probes are the proof that the ramp needs; and a bad one ends it.
func TestRampWithoutChosenCalls(t *testing.T) {
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := &toggle{}
			l := two(m.predict)
			defer l.Close()
			l.Key, l.Rand = nil, func() float64 { return 0.7 } // beyond 50 %, and intervals of 5.5 s
			m.down.Store(true)
			var steps []string
			l.OnChange = func(c inference.Change) {
				steps = append(steps, fmt.Sprintf("%v %d", c.To, c.Percent))
				m.down.Store(fails && c.To == inference.Ramp)
			}
			for range 3 {
				must[answer](t)(l.Predict(t.Context(), 1))
			}
			m.down.Store(false)
			for range 70 {
				time.Sleep(time.Second)
				must[answer](t)(l.Predict(t.Context(), 1))
				synctest.Wait()
				if len(steps) == 3 && fails {
					break
				}
			}
			want := "degraded 0, ramp 10, ramp 50, ramp 100, normal 100"
			if fails {
				want = "degraded 0, ramp 10, degraded 0"
			}
			if got := strings.Join(steps, ", "); got != want {
				t.Errorf("%s; want %s", got, want)
			}
		})
	}
}

func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &toggle{}
		l := two(m.predict)
		defer l.Close()
		var changes log
		l.OnChange = changes.add(time.Now())
		if err := errors.Join(l.Release("net", "was not held"), l.Hold("net", "drift"), l.Hold("mean", "drift, too")); err != nil {
			t.Fatal(err)
		}
		_, err := l.Predict(t.Context(), 1)
		if !errors.Is(err, inference.ErrHeld) || !strings.Contains(err.Error(), "drift, too") || m.calls.Load() != 0 {
			t.Errorf("%v; want held", err)
		}
		time.Sleep(time.Hour)
		if err := errors.Join(l.Release("mean", "fine"), l.Release("net", "retrained")); err != nil {
			t.Fatal(err)
		}
		if a := must[answer](t)(l.Predict(t.Context(), 1)); a.Model != "mean" || !errors.Is(a.Why, inference.ErrDegraded) {
			t.Errorf("%+v; want mean until probes say otherwise", a)
		}
		synctest.Wait()
		if s := l.Status()[0]; s.Probes != 1 || s.Why != "retrained" {
			t.Errorf("%+v; want a good probe at once", s)
		}
		want := "0s net normal>held 0%: drift\n0s mean normal>held 0%: drift, too\n1h0m0s mean held>normal 100%: fine\n1h0m0s net held>degraded 0%: retrained"
		if got := strings.Join(changes, "\n"); got != want {
			t.Errorf("changes:\n%s\nwant:\n%s", got, want)
		}
	})
}

// A model that is left out still lends its stale answers, without a call; one that is held does not.
func TestWhatAModelSaidBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &toggle{}
		l := two(m.predict)
		defer l.Close()
		l.TTL, l.StaleFor = time.Second, time.Minute
		must[answer](t)(l.Predict(t.Context(), 7))
		m.down.Store(true)
		for i := range 3 {
			must[answer](t)(l.Predict(t.Context(), i))
		}
		full := answer{Value: 1, Model: "net", Version: "1", Quality: "full", Source: inference.Cached}
		check(t, "within TTL", must[answer](t)(l.Predict(t.Context(), 7)), full)
		time.Sleep(2 * time.Second)
		full.Source, full.Age, full.Degraded = inference.Stale, 2*time.Second, true
		check(t, "later", must[answer](t)(l.Predict(t.Context(), 7)), full)
		l.Hold("net", "drift")
		check(t, "held", must[answer](t)(l.Predict(t.Context(), 7)), answer{Value: 2, Model: "mean", Quality: "rough", Degraded: true, Attempts: 1})
	})
}

// A model that is held while a call runs stays so, whatever becomes of the call.
func TestLateNewsOfAnEarlierState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := two(func(ctx context.Context, _ int) (float64, error) {
			time.Sleep(time.Second)
			return 0, errLoading
		})
		defer l.Close()
		l.Key, l.Rules.Failures = nil, 1
		time.AfterFunc(time.Second/2, func() { l.Hold("net", "drift") })
		must[answer](t)(l.Predict(t.Context(), 1))
		if s := l.Status()[0]; s.State != inference.Held || s.Failures != 0 {
			t.Errorf("%+v; want held", s)
		}
		l.Release("net", "")
		must[answer](t)(l.Predict(t.Context(), 1)) // begins a probe
		time.Sleep(time.Second / 2)
		l.Hold("net", "drift")
		synctest.Wait()
		time.Sleep(time.Second)
		if s := l.Status()[0]; s.State != inference.Held {
			t.Errorf("%+v; want held after a probe of before", s)
		}
	})
}

// A listener may use the ladder, hears changes in their order, and misses some when it takes too long.
func TestListener(t *testing.T) {
	l := two(simple)
	defer l.Close()
	var heard []string
	dropped := 0
	l.OnChange = func(c inference.Change) {
		heard = append(heard, c.Cause)
		dropped += c.Dropped
		if len(heard) == 1 {
			for i := range 100 {
				l.Hold("net", fmt.Sprint(i))
			}
		}
	}
	l.Hold("net", "first")
	l.Hold("net", "last")
	if len(heard) != 66 || heard[1] != "0" || heard[65] != "last" || dropped != 36 {
		t.Errorf("heard %d, %d dropped: %q", len(heard), dropped, heard)
	}
	l.OnChange = func(inference.Change) { panic("listener") }
	func() {
		defer func() {
			if r := recover(); r != "listener" {
				t.Errorf("recovered %v", r)
			}
		}()
		l.Hold("net", "x")
	}()
	heard = nil
	l.OnChange = func(c inference.Change) { heard = append(heard, c.Cause) }
	if l.Hold("net", "y"); len(heard) != 1 {
		t.Errorf("after a panic of the listener: %q", heard)
	}
}

// A probe that panics, or that bad input ends, or that a gate refuses.
func TestOddProbes(t *testing.T) {
	for _, test := range []struct {
		name string
		f    func() (float64, error)
		gate retry.Gate
		wait time.Duration // until the next probe
		err  string
	}{
		{"panic", func() (float64, error) { panic("index out of range") }, nil, 10 * time.Second, "panicked: index out of range"},
		{"bad input", func() (float64, error) { return 0, errInput }, nil, 5 * time.Second, "model is loading"},
		{"a stop", nil, refuses{errors.New("stopped")}, 5 * time.Second, "model is loading"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &toggle{}
				m.down.Store(true)
				predict := m.predict
				l := two(func(ctx context.Context, i int) (float64, error) { return predict(ctx, i) })
				defer l.Close()
				for range 3 {
					must[answer](t)(l.Predict(t.Context(), 1))
				}
				if test.f != nil {
					predict = func(context.Context, int) (float64, error) { return test.f() }
				}
				if test.gate != nil {
					l.Models[0].Policy = &retry.Policy{Gates: []retry.Gate{test.gate}}
				}
				time.Sleep(5 * time.Second)
				must[answer](t)(l.Predict(t.Context(), 1))
				synctest.Wait()
				s := l.Status()[0]
				if wait := time.Until(s.NextProbe); wait != test.wait || !strings.Contains(s.Err.Error(), test.err) {
					t.Errorf("next probe in %v, last error %v; want %v, %s", wait, s.Err, test.wait, test.err)
				}
			})
		})
	}
}

// A breaker that is open is asked again soon, and does not count as a bad probe.
func TestProbeRefusedByBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := two(simple)
		l.Models[0].Policy = &retry.Policy{Gates: []retry.Gate{refuses{breaker.ErrOpen}}}
		must[answer](t)(l.Predict(t.Context(), 1))
		time.Sleep(5 * time.Second)
		must[answer](t)(l.Predict(t.Context(), 1))
		synctest.Wait()
		if wait := time.Until(l.Status()[0].NextProbe); wait != 5*time.Second {
			t.Errorf("next probe in %v; want 5s", wait)
		}
		l.Models[0].Policy, l.Models[0].Predict = once, hang
		time.Sleep(5 * time.Second)
		must[answer](t)(l.Predict(t.Context(), 1))
		synctest.Wait()
		l.Close() // ends the probe that hangs
		if wait := time.Until(l.Status()[0].NextProbe); wait != 5*time.Second {
			t.Errorf("next probe in %v; want 5s", wait)
		}
	})
}

// Behind a breaker, too, a model that is well again comes back by itself: the probes here are the breaker's.
func TestReturnBehindABreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &toggle{}
		l := two(m.predict)
		defer l.Close()
		b := &breaker.Breaker{Name: "net", Rand: half}
		l.Models[0].Policy = &retry.Policy{MaxAttempts: 1, Idempotent: true, Gates: []retry.Gate{b}}
		l.Rules.Failures = 1000 // so that the breaker is what leaves it out
		var causes []string
		l.OnChange = func(c inference.Change) { causes = append(causes, c.To.String()+": "+c.Cause) }
		key := 0
		drive(t, l, 10*time.Second, &key)
		m.down.Store(true)
		drive(t, l, 30*time.Second, &key)
		if len(causes) != 1 || causes[0] != "degraded: its breaker is open" {
			t.Fatalf("%q with the breaker %v; want that it is open", causes, b.State())
		}
		m.down.Store(false)
		drive(t, l, 2*time.Minute, &key)
		if s := l.Status()[0]; s.State != inference.Normal || len(causes) != 5 || b.State() != breaker.Closed {
			t.Errorf("%+v, breaker %v, %q; want Normal, and closed", s, b.State(), causes)
		}
	})
}
