package inference_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/inference"
)

// The last model is asked whatever it does.
func TestLastModelStays(t *testing.T) {
	m := &toggle{}
	m.down.Store(true)
	l := two(m.predict)
	l.Key, l.Models = nil, l.Models[:1]
	for range 10 {
		l.Predict(t.Context(), 1)
	}
	if s := l.Status()[0]; s.State != inference.Normal || s.Failures != 10 || m.calls.Load() != 10 {
		t.Errorf("%+v after %d calls; want 10 failures, and Normal", s, m.calls.Load())
	}
}

// Only failures in a row count.
func TestInARow(t *testing.T) {
	m := &toggle{}
	l := two(m.predict)
	l.Key = nil
	for _, down := range []bool{true, true, false, true, true} {
		m.down.Store(down)
		must[answer](t)(l.Predict(t.Context(), 1))
	}
	if s := l.Status()[0]; s.State != inference.Normal || s.Failures != 2 {
		t.Errorf("%+v; want 2 failures, and Normal", s)
	}
	must[answer](t)(l.Predict(t.Context(), 1))
	if s := l.Status()[0]; s.State != inference.Degraded {
		t.Errorf("%+v; want Degraded", s)
	}
}

// The way back needs enough probes as well as enough time.
func TestEnoughProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &toggle{}
		l := two(m.predict)
		defer l.Close()
		l.Key, l.Rules = nil, inference.Rules{Failures: 1, Probes: 4, Span: 1}
		m.down.Store(true)
		must[answer](t)(l.Predict(t.Context(), 1))
		m.down.Store(false)
		for i := range 4 {
			if s := l.Status()[0]; s.State != inference.Degraded || s.Probes != i {
				t.Errorf("after %d probes: %+v; want Degraded", i, s)
			}
			time.Sleep(5 * time.Second)
			must[answer](t)(l.Predict(t.Context(), 1))
			synctest.Wait()
		}
		if s := l.Status()[0]; s.State != inference.Ramp {
			t.Errorf("after 4 probes: %+v; want Ramp", s)
		}
	})
}

// back is a ladder whose model has had one good probe, so that the next one brings it into the ramp, and is about to have that
// one, which takes d.
func back(t *testing.T, d time.Duration) *ladder {
	m := &toggle{}
	m.down.Store(true)
	takes := time.Duration(0)
	l := two(func(ctx context.Context, i int) (float64, error) {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		return m.predict(ctx, i)
	})
	l.Key, l.Rand = nil, func() float64 { return 0.75 }
	l.Rules = inference.Rules{Failures: 1, Probes: 1, Span: 1, ProbeAfter: 800 * time.Millisecond, Step: 2 * time.Second}
	must[answer](t)(l.Predict(t.Context(), 1))
	m.down.Store(false)
	time.Sleep(time.Second)
	must[answer](t)(l.Predict(t.Context(), 1))
	synctest.Wait()
	takes = d
	time.Sleep(time.Second)
	must[answer](t)(l.Predict(t.Context(), 1))
	return l
}

// A step of the ramp takes time and proof: here no call is chosen, and the probe takes longer than the step.
func TestRampNeedsProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := back(t, 3*time.Second)
		defer l.Close()
		time.Sleep(3100 * time.Millisecond)
		for range 6 { // the next probe begins within 2 s, and takes 3 s
			must[answer](t)(l.Predict(t.Context(), 1))
			if s := l.Status()[0]; s.State != inference.Ramp || s.Percent != 10 {
				t.Errorf("%+v; want no step without proof", s)
			}
			time.Sleep(time.Second * 3 / 4)
		}
		synctest.Wait()
		if s := l.Status()[0]; s.Percent != 50 {
			t.Errorf("%+v; want a step after proof", s)
		}
	})
}

// A probe that began before a model was held does not take it back.
func TestLateGoodProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := back(t, time.Second)
		defer l.Close()
		l.Hold("net", "drift")
		time.Sleep(2 * time.Second)
		if s := l.Status()[0]; s.State != inference.Held {
			t.Errorf("%+v; want held", s)
		}
	})
}

// A probe is one attempt, whatever the model's policy allows.
func TestProbeIsOneAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &toggle{}
		m.down.Store(true)
		l := two(m.predict)
		defer l.Close()
		l.Rules.Failures, l.Models[0].Policy = 1, &retry.Policy{MaxAttempts: 5}
		must[answer](t)(l.Predict(t.Context(), 1))
		time.Sleep(5 * time.Second)
		before := m.calls.Load()
		must[answer](t)(l.Predict(t.Context(), 1))
		time.Sleep(9 * time.Second)
		if n := m.calls.Load() - before; before != 5 || n != 1 {
			t.Errorf("%d calls, then %d for the probe; want 5, 1", before, n)
		}
	})
}

// No rule is so odd that a probe comes at once, or overflows.
func TestOddRules(t *testing.T) {
	for _, test := range []struct {
		rules inference.Rules
		u     float64
		least time.Duration
		most  time.Duration
	}{
		{inference.Rules{}, math.NaN(), 5 * time.Second, 5 * time.Second},
		{inference.Rules{}, -7, 5 * time.Second, 5 * time.Second},
		{inference.Rules{}, 1e300, 5 * time.Second, 5 * time.Second},
		{inference.Rules{ProbeAfter: -1, ProbeMax: -1, Span: -1, MaxSpan: -1, Step: -1, ProbeTimeout: -1, Failures: -1, Probes: -1}, 0, 3750 * time.Millisecond, 3750 * time.Millisecond},
		{inference.Rules{ProbeAfter: math.MaxInt64, ProbeMax: math.MaxInt64, Span: math.MaxInt64, MaxSpan: math.MaxInt64, Step: math.MaxInt64, ProbeTimeout: math.MaxInt64}, 0.999, 1249 * time.Hour, 1250 * time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := &toggle{}
			m.down.Store(true)
			l := two(m.predict)
			defer l.Close()
			l.Rules, l.Rand = test.rules, func() float64 { return test.u }
			for range 3 {
				must[answer](t)(l.Predict(t.Context(), 1))
			}
			if wait := time.Until(l.Status()[0].NextProbe); wait < test.least || wait > test.most {
				t.Errorf("%+v, Rand %v: a probe in %v; want %v to %v", test.rules, test.u, wait, test.least, test.most)
			}
		})
	}
	if err := (inference.Rules{Step: math.MaxInt64}).Check(); err == nil || err.Error() != "Step: 2562047h47m16.854775807s counts as 1000h0m0s" {
		t.Errorf("Check() = %v", err)
	}
}
