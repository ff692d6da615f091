package breaker_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

func TestRamp(t *testing.T) {
	b, d := opened(t, breaker.Rules{})
	d.wait(5 * time.Second).do(bad)
	d.wait(10 * time.Second)
	for _, limit := range []int{1, 2, 4, 8} {
		var probes []*retry.Attempt
		for range limit {
			a, err := d.admit()
			if err != nil {
				t.Fatalf("limit %d: probe %d: %v", limit, len(probes)+1, err)
			}
			probes = append(probes, a)
		}
		if _, err := d.admit(); !errors.Is(err, breaker.ErrOpen) {
			t.Fatalf("limit %d: one more: %v; want a refusal", limit, err)
		}
		if s := b.Snapshot(); s.State != breaker.HalfOpen || s.Probes != limit || s.Permits != limit {
			t.Fatalf("%+v; want %d of %d", s, limit, limit)
		}
		d.settle(probes[0], good)
		for _, a := range probes[1:] {
			d.settle(a, canceled)
		}
	}
	want(t, b, breaker.Closed)
	if s := b.Snapshot(); s.CUSUM != 0 || s.Counts.Failures() != 0 {
		t.Errorf("%+v; want the window and the CUSUM begun anew", s)
	}
	// The doubled open time begins anew, too.
	if d.ruin(b); b.Snapshot().Until.Sub(d.at) != 5*time.Second {
		t.Errorf("open for %v; want 5 s again", b.Snapshot().Until.Sub(d.at))
	}
}

func TestOpenTimeDoubles(t *testing.T) {
	b, d := opened(t, breaker.Rules{})
	for _, next := range []time.Duration{10, 20, 40, 60, 60} {
		s := b.Snapshot()
		d.at = s.Until.Add(-time.Nanosecond)
		_, err := d.admit()
		var e *breaker.Error
		if !errors.As(err, &e) || e.RetryAfter() != time.Nanosecond || retry.Hint(err) != time.Nanosecond {
			t.Errorf("1 ns early: %v; want a refusal that says so", err)
		}
		if d.wait(time.Nanosecond); !d.do(bad) {
			t.Fatal("the probe was refused")
		}
		if s := b.Snapshot(); s.State != breaker.Open || s.Until.Sub(d.at) != next*time.Second {
			t.Errorf("%v for %v; want open for %d s", s.State, s.Until.Sub(d.at), next)
		}
	}
	// Odd limits: the longest is never shorter than the first.
	b = &breaker.Breaker{Rules: breaker.Rules{OpenFor: 3 * time.Minute}, Rand: even}
	d = drive(t, b).ruin(b)
	if d.wait(3 * time.Minute).do(bad); b.Snapshot().Until.Sub(d.at) != 3*time.Minute {
		t.Errorf("open for %v; want 3 min", b.Snapshot().Until.Sub(d.at))
	}
}

// Who gets a permit.
func TestProbesAreSafe(t *testing.T) {
	b, d := opened(t, breaker.Rules{})
	d.wait(5 * time.Second)
	for _, test := range []struct {
		name string
		a    retry.Attempt
	}{
		{"an order", retry.Attempt{Policy: order, Number: 1, Note: new(uint64)}},
		{"a retry", retry.Attempt{Policy: read, Number: 2, Note: new(uint64)}},
		{"without a policy", retry.Attempt{Number: 1, Note: new(uint64)}},
		{"that could not be recognised", retry.Attempt{Policy: read, Number: 1}},
	} {
		test.a.At = d.at
		err := b.Admit(t.Context(), &test.a)
		if !errors.Is(err, breaker.ErrOpen) || b.State() != breaker.HalfOpen {
			t.Errorf("%s: %v in %v; want no permit", test.name, err, b.State())
		}
	}
	if s := b.Snapshot(); s.Probes != 0 {
		t.Errorf("%d permits are held", s.Probes)
	}
}

func TestLeases(t *testing.T) {
	for _, test := range []struct {
		name   string
		p      retry.Policy
		expiry time.Duration
	}{
		{"open time", retry.Policy{}, 5 * time.Second},
		{"attempt timeout", retry.Policy{AttemptTimeout: 2 * time.Second}, 2 * time.Second},
		{"the call's limit", retry.Policy{AttemptTimeout: 2 * time.Second, MaxElapsed: time.Second}, time.Second},
		{"longer than the open time", retry.Policy{AttemptTimeout: time.Minute}, 5 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, d := opened(t, breaker.Rules{})
			test.p.Idempotent = true
			d.p = &test.p
			d.wait(5 * time.Second)
			hung, err := d.admit()
			if err != nil {
				t.Fatal(err)
			}
			began := d.at
			_, err = d.wait(test.expiry - 1).admit()
			var e *breaker.Error
			if !errors.As(err, &e) || e.State != breaker.HalfOpen || e.Wait != 1 {
				t.Errorf("1 ns before the lease ends: %v; want half-open, 1 ns", err)
			}
			_, err = d.wait(1).admit()
			if !errors.As(err, &e) || e.State != breaker.Open || e.Wait != 10*time.Second {
				t.Errorf("as the lease ends: %v; want open for 10 s", err)
			}
			// It counts from the end of the lease, whenever somebody comes by.
			d.at = began.Add(test.expiry + 10*time.Second)
			probe, err := d.admit()
			if err != nil {
				t.Errorf("the next probe: %v", err)
			}
			d.settle(hung, good)
			if s := b.Snapshot(); s.Probes != 1 || s.Permits != 1 {
				t.Errorf("%+v; want the late result dropped", s)
			}
			d.settle(probe, good)
			if s := b.Snapshot(); s.Permits != 2 {
				t.Errorf("%+v; want 2 permits", s)
			}
		})
	}
	// Nobody came by for long: the lease ended, the open time too, and the next to come is the next probe.
	b, d := opened(t, breaker.Rules{})
	d.wait(5 * time.Second).admit()
	if _, err := d.wait(time.Hour).admit(); err != nil || b.Snapshot().Generation < 5 {
		t.Errorf("an hour later: %v, %+v; want a new round", err, b.Snapshot())
	}
}

// Whatever happens in whatever order, there are never more probes than permits, and a breaker whose dependency works
// again closes.
func TestHalfOpenUnderRandomInterleavings(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 7))
		b := &breaker.Breaker{Rules: breaker.Rules{Probes: 1 + random.IntN(9)}, Rand: random.Float64}
		d := drive(t, b).ruin(b)
		var running []*retry.Attempt
		mine := make(map[*retry.Attempt]uint64) // probes by generation
		for range 300 {
			switch n := random.IntN(10); {
			case n < 2:
				d.wait(time.Duration(random.IntN(3000)) * time.Millisecond)
			case n < 6:
				d.p = read
				if random.IntN(5) == 0 {
					d.p = order
				}
				if a, err := d.admit(); err == nil {
					running = append(running, a)
					if s := b.Snapshot(); s.State == breaker.HalfOpen {
						mine[a] = s.Generation
						if d.p == order {
							t.Fatalf("seed %d: an order is a probe", seed)
						}
					}
				}
			case len(running) > 0:
				i := random.IntN(len(running))
				a := running[i]
				running = append(running[:i], running[i+1:]...)
				d.settle(a, []retry.Outcome{good, good, good, bad, canceled, unbegun, panicked, permanent}[random.IntN(8)])
				delete(mine, a)
			}
			s := b.Snapshot()
			held := 0
			for _, generation := range mine {
				if generation == s.Generation {
					held++
				}
			}
			if s.State == breaker.HalfOpen && (s.Probes > s.Permits || held != s.Probes) {
				t.Fatalf("seed %d: %d probes by the breaker, %d by our account, %d permits", seed, s.Probes, held, s.Permits)
			}
		}
		d.p = read
		for i := 0; b.State() != breaker.Closed; i++ {
			if d.wait(time.Second).do(good); i > 500 {
				t.Fatalf("seed %d: stuck: %+v", seed, b.Snapshot())
			}
		}
	}
}
