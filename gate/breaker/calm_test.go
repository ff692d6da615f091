package breaker_test

import (
	"testing"
	"time"

	"github.com/relent-go/relent/gate/breaker"
)

func TestCalm(t *testing.T) {
	suspect := func(t *testing.T) (*breaker.Breaker, *driver) {
		b := &breaker.Breaker{Rand: even}
		d := drive(t, b).times(500, 10*time.Millisecond, good).times(4, 0, bad)
		want(t, b, breaker.Suspect)
		return b, d
	}
	t.Run("not before the CUSUM is 0", func(t *testing.T) {
		b, d := suspect(t)
		d.times(90, 0, good).wait(5 * time.Second).do(good) // of the 97 that it takes
		want(t, b, breaker.Suspect)
		d.times(6, 0, good)
		want(t, b, breaker.Closed)
	})
	t.Run("not before one open time is over", func(t *testing.T) {
		b, d := suspect(t)
		d.times(100, 0, good).wait(5*time.Second - 1).do(good)
		want(t, b, breaker.Suspect)
		d.wait(1)
		if _, err := d.admit(); err != nil {
			t.Error(err)
		}
		want(t, b, breaker.Closed)
	})
	t.Run("lone failures do not matter", func(t *testing.T) {
		b, d := suspect(t)
		for range 5 {
			d.times(100, 10*time.Millisecond, good).do(bad)
		}
		d.times(50, 10*time.Millisecond, good)
		want(t, b, breaker.Closed)
	})
	t.Run("failures close together do", func(t *testing.T) {
		b, d := suspect(t)
		for range 10 {
			d.times(100, 10*time.Millisecond, good).times(3, 0, bad)
		}
		want(t, b, breaker.Suspect)
	})
	t.Run("with few samples", func(t *testing.T) {
		b := &breaker.Breaker{Rand: func() float64 { return 0.99 }}
		d := drive(t, b).times(5, time.Second, bad)
		want(t, b, breaker.Throttling)
		d.wait(4*time.Second).times(4, 2*time.Second, good)
		want(t, b, breaker.Throttling) // four in a row
		d.do(good)
		want(t, b, breaker.Closed)
		if s := b.Health().CUSUM(); s != 0 {
			t.Errorf("CUSUM %v; want it begun anew", s)
		}
	})
	t.Run("with few samples, and a failure among them", func(t *testing.T) {
		b := &breaker.Breaker{Rand: func() float64 { return 0.99 }}
		d := drive(t, b).times(5, time.Second, bad).wait(4*time.Second).times(4, 2*time.Second, good)
		d.times(1, time.Second, bad).times(5, 500*time.Millisecond, good)
		want(t, b, breaker.Throttling) // five in a row, in 2.5 s
		d.times(1, 3*time.Second, good).do(good)
		want(t, b, breaker.Closed)
	})
}

// The five failures that let a client with few samples throttle must outweigh a uniform prior.
func TestFewSamples(t *testing.T) {
	for _, test := range []struct {
		ok, failed int
		want       breaker.State
	}{
		{0, 4, breaker.Suspect},
		{0, 5, breaker.Throttling},  // 6/7
		{4, 5, breaker.Throttling},  // 6/11
		{5, 5, breaker.Suspect},     // 6/12
		{14, 5, breaker.Suspect},    // 6/21
		{15, 5, breaker.Throttling}, // 20 samples: the CUSUM decides
	} {
		b := &breaker.Breaker{Rand: func() float64 { return 0.999 }}
		drive(t, b).times(test.ok, 0, good).times(test.failed, 0, bad)
		if got := b.State(); got != test.want {
			t.Errorf("%d good, then %d bad: %v; want %v", test.ok, test.failed, got, test.want)
		}
	}
	// After 5 of 5 the prior leaves 6/7.
	b := &breaker.Breaker{Rules: breaker.Rules{FailureRate: 0.9}, Rand: even}
	drive(t, b).times(5, 0, bad)
	want(t, b, breaker.Suspect)
	// A success breaks the row, and CUSUM alone does not throttle below 20 samples.
	b = &breaker.Breaker{Rand: func() float64 { return 0.999 }}
	drive(t, b).times(4, 0, bad).times(1, 0, good).times(4, 0, bad)
	want(t, b, breaker.Suspect)
}

// The open test needs CUSUM, samples and the lower bound.
func TestOpenTest(t *testing.T) {
	b := &breaker.Breaker{Rand: func() float64 { return 0.999 }}
	d := drive(t, b)
	for i := 1; i <= 19; i++ {
		if d.do(bad); b.State() == breaker.Open {
			t.Fatalf("open after %d samples", i)
		}
	}
	d.do(bad)
	want(t, b, breaker.Open)

	b = &breaker.Breaker{Rand: func() float64 { return 0.999 }}
	d = drive(t, b).times(20, 0, good)
	for b.State() != breaker.Open {
		if n := b.Health().Counts(); n.LowerBound() > 0.5 {
			t.Fatalf("not open with a lower bound of %v: %+v", n.LowerBound(), n)
		}
		d.do(bad)
	}
	if n := b.Health().Counts(); n.LowerBound() <= 0.5 {
		t.Errorf("open with a lower bound of %v: %+v", n.LowerBound(), n)
	}

	// Samples and a bad rate that it has known for long are not enough: there must be news, close together.
	b = &breaker.Breaker{Rules: breaker.Rules{Healthy: 0.8, Failing: 0.9, FailureRate: 0.5}, Rand: func() float64 { return 0.999 }}
	d = drive(t, b)
	for range 5 {
		d.times(4, 0, bad).do(good)
	}
	for range 100 {
		d.times(5, 0, bad).do(good)
	}
	want(t, b, breaker.Closed)
}

func TestCounts(t *testing.T) {
	var none breaker.Counts
	if none.FailureRate() != 0 || none.SlowRate() != 0 || none.LowerBound() != 0 {
		t.Error("rates of nothing are not 0")
	}
	for _, test := range []struct {
		ok, failed uint64
		want       float64 // the usual tables of Wilson intervals
	}{
		{10, 0, 0}, {0, 10, 0.7224672}, {5, 5, 0.2365931}, {70, 30, 0.2189489}, {0, 20, 0.8388748},
	} {
		n := breaker.Counts{OK: test.ok, Ambiguous: test.failed}
		if got := n.LowerBound(); got < test.want-1e-6 || got > test.want+1e-6 {
			t.Errorf("lower bound of %d in %d = %.7f; want %.7f", test.failed, n.Total(), got, test.want)
		}
	}
}

func TestWindowSlides(t *testing.T) {
	b := &breaker.Breaker{}
	d := drive(t, b).times(3, 0, bad).wait(9 * time.Second)
	d.do(good)
	if n := b.Health().Counts(); n != (breaker.Counts{OK: 1, Transient: 3}) {
		t.Errorf("after 9 s: %+v; want all", n)
	}
	d.wait(time.Second).do(good)
	if n := b.Health().Counts(); n != (breaker.Counts{OK: 2}) {
		t.Errorf("after 10 s: %+v; want the old ones gone", n)
	}
	// Time that goes back changes nothing.
	d.wait(-time.Hour).do(bad)
	if n := b.Health().Counts(); n != (breaker.Counts{OK: 2, Transient: 1}) {
		t.Errorf("after a step back: %+v; want one more failure", n)
	}
	if (&breaker.Health{}).Counts() != (breaker.Counts{}) {
		t.Error("a new health counts something")
	}
}

// A long outage does not delay recovery: the CUSUM stops at 20.
func TestCUSUMIsCapped(t *testing.T) {
	b := &breaker.Breaker{Rand: even}
	d := drive(t, b)
	d.do(good)
	b.ForceClose(breaker.Order{Who: "me", Why: "test", For: time.Hour})
	if d.times(1000, 0, bad); b.Health().CUSUM() != 20 {
		t.Errorf("CUSUM %v after 1000 failures; want 20", b.Health().CUSUM())
	}
}

// An outage that a breaker meets before it has seen anything opens it, too, since there is demand; without demand it throttles at most.
func TestColdStart(t *testing.T) {
	b := &breaker.Breaker{Rand: even}
	d := drive(t, b).times(19, 10*time.Millisecond, bad)
	want(t, b, breaker.Throttling)
	if n := b.Health().Counts(); n != (breaker.Counts{Transient: 5, Refused: 14}) {
		t.Errorf("%+v; want 14 of 19 shed", n)
	}
	d.do(bad)
	want(t, b, breaker.Open)

	b = &breaker.Breaker{Rand: even}
	drive(t, b).times(5, 0, bad).times(100, time.Second, bad)
	want(t, b, breaker.Throttling)
}

// However a breaker meets an outage of 7 s, with true chance, it is over it after a second round of probes at the latest.
func TestRecovery(t *testing.T) {
	for _, warm := range []time.Duration{0, time.Second, 20 * time.Second} {
		for seed := range uint64(50) {
			s := newStream(breaker.Rules{}, seed)
			s.b.Rand = s.random.Float64
			for s.at < warm {
				s.call(0.001)
			}
			for s.at < warm+7*time.Second {
				s.call(1)
			}
			if s.b.State() != breaker.Open {
				t.Errorf("%v of good times, seed %d: %v after 7 s of outage", warm, seed, s.b.State())
			}
			for s.b.State() != breaker.Closed {
				if s.call(0); s.at > warm+20*time.Second {
					t.Fatalf("%v of good times, seed %d: %v 13 s after the outage", warm, seed, s.b.State())
				}
			}
		}
	}
}
