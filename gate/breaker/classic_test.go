package breaker_test

import (
	"testing"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

func TestClassic(t *testing.T) {
	for _, test := range []struct {
		name string
		r    breaker.Rules
		do   func(d *driver)
		want breaker.State
	}{
		{"too few samples", breaker.Rules{}, func(d *driver) { d.times(19, 0, bad) }, breaker.Closed},
		{"enough", breaker.Rules{}, func(d *driver) { d.times(20, 0, bad) }, breaker.Open},
		{"a success completes them", breaker.Rules{}, func(d *driver) { d.times(19, 0, bad).do(good) }, breaker.Open},
		{"below the rate", breaker.Rules{}, func(d *driver) { d.times(11, 0, good).times(10, 0, bad) }, breaker.Closed},
		{"at the rate", breaker.Rules{}, func(d *driver) { d.times(10, 0, good).times(10, 0, bad) }, breaker.Open},
		{"the window slides", breaker.Rules{}, func(d *driver) { d.times(19, 0, bad).wait(10*time.Second).times(19, 0, bad) }, breaker.Closed},
		{"last calls: too few", breaker.Rules{Calls: 10}, func(d *driver) { d.times(9, time.Hour, bad) }, breaker.Closed},
		{"last calls: enough", breaker.Rules{Calls: 10}, func(d *driver) { d.times(10, time.Hour, bad) }, breaker.Open},
		{"last calls: old ones leave", breaker.Rules{Calls: 10}, func(d *driver) { d.times(4, 0, bad).times(10, 0, good).times(4, 0, bad) }, breaker.Closed},
		{"last calls: new ones stay", breaker.Rules{Calls: 10}, func(d *driver) { d.times(4, 0, bad).times(10, 0, good).times(5, 0, bad) }, breaker.Open},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.r.Classic = true
			b := &breaker.Breaker{Rules: test.r, Rand: even}
			test.do(drive(t, b))
			want(t, b, test.want)
		})
	}
}

func TestSlowCalls(t *testing.T) {
	for _, test := range []struct {
		r          breaker.Rules
		took       time.Duration
		slow       uint64
		want       breaker.State
		wantFailed uint64
	}{
		{breaker.Rules{SlowAfter: time.Minute, SlowRate: 1, Calls: 100, MinSamples: 100}, time.Minute, 0, breaker.Closed, 0},
		{breaker.Rules{SlowAfter: time.Minute, SlowRate: 1, Calls: 100, MinSamples: 100}, time.Minute + time.Millisecond, 100, breaker.Open, 0},
		{breaker.Rules{SlowAfter: time.Minute, Calls: 100}, time.Hour, 100, breaker.Closed, 0}, // no rate: counted, and that is all
	} {
		test.r.Classic = true
		b := &breaker.Breaker{Rules: test.r, Rand: even}
		d := drive(t, b)
		for range 100 {
			a, err := d.admit()
			if err != nil {
				t.Fatal(err)
			}
			b.Settle(a, &retry.Outcome{State: retry.Succeeded, Start: d.at, End: d.at.Add(test.took)})
		}
		want(t, b, test.want)
		if n := b.Health().Counts(); n != (breaker.Counts{OK: 100, Slow: test.slow}) {
			t.Errorf("%v: %+v; want %d slow", test.took, n, test.slow)
		}
	}
}

// A count window begins anew when probes have succeeded, and shedding has a window of its own.
func TestLastCallsAfterAnOutage(t *testing.T) {
	b := &breaker.Breaker{Rules: breaker.Rules{Calls: 50, Probes: 1}, Rand: even}
	d := drive(t, b).ruin(b)
	if n := b.Health().Counts(); n.Failures() == 0 {
		t.Errorf("%+v; want failures", n)
	}
	d.wait(5 * time.Second).do(good)
	want(t, b, breaker.Closed)
	if n := b.Health().Counts(); n.Total() != 0 {
		t.Errorf("%+v; want a new window", n)
	}
	d.times(100, 0, good)
	if n := b.Health().Counts(); n != (breaker.Counts{OK: 50}) {
		t.Errorf("%+v; want the last 50", n)
	}
}

// The note of a late attempt that resembles that of a probe: classic rules mark the word with a 1, and the first lease
// has that number.
func TestLateResultLooksLikeAProbe(t *testing.T) {
	b := &breaker.Breaker{Rules: breaker.Rules{Classic: true}, Rand: even}
	d := drive(t, b)
	d.do(bad)
	late, err := d.admit()
	if err != nil {
		t.Fatal(err)
	}
	d.times(19, 0, bad)
	want(t, b, breaker.Open)
	if _, err := d.wait(5 * time.Second).admit(); err != nil {
		t.Fatal(err)
	}
	d.settle(late, good)
	if s := b.Snapshot(); s.Probes != 1 || s.Permits != 1 {
		t.Errorf("%+v; want the late result dropped", s)
	}
}
