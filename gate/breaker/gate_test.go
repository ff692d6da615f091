package breaker_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/gatetest"
	"github.com/relent-go/relent/retry"
)

// seeded is a Rand that draws the same numbers each time. The checks that use several goroutines do not use it.
func seeded() func() float64 {
	r := rand.New(rand.NewPCG(1, 2))
	return r.Float64
}

func TestGates(t *testing.T) {
	for _, test := range []struct {
		name string
		open func() retry.Gate
	}{
		{"breaker", func() retry.Gate { return &breaker.Breaker{Rand: even} }},
		{"classic", func() retry.Gate { return &breaker.Breaker{Rand: even, Rules: breaker.Rules{Classic: true, Calls: 50}} }},
		{"in a tree", func() retry.Gate { return (&breaker.Tree{Rand: even}).Gate("binance", "orders", "BTC") }},
		{"keyed", func() retry.Gate { return breaker.Keyed{Tree: &breaker.Tree{Rand: even}} }},
		{"feed", func() retry.Gate { return breaker.Feed{Health: &breaker.Health{}} }},
	} {
		t.Run(test.name, func(t *testing.T) { gatetest.Run(t, test.open) })
	}
	t.Run("latency", func(t *testing.T) {
		s := gatetest.Suite{Elapsed: true, Open: func() retry.Gate {
			return &breaker.Breaker{Rand: even, Rules: breaker.Rules{Latency: true, SlowAfter: time.Second}}
		}}
		s.Run(t)
	})
}

// What passes in which state, by the table of the package comment.
func TestWhatPasses(t *testing.T) {
	me := breaker.Order{Who: "me", Why: "a test", For: time.Hour}
	for _, test := range []struct {
		state               breaker.State
		reach               func(b *breaker.Breaker, d *driver)
		first, retry, hedge bool
	}{
		{breaker.Closed, func(b *breaker.Breaker, d *driver) { d.do(good) }, true, true, true},
		{breaker.Suspect, func(b *breaker.Breaker, d *driver) { d.times(40, 0, good).times(4, 0, bad) }, true, true, false},
		{breaker.Throttling, func(b *breaker.Breaker, d *driver) { d.times(40, 0, good).times(5, 0, bad) }, true, false, false},
		{breaker.Open, func(b *breaker.Breaker, d *driver) { d.ruin(b) }, false, false, false},
		{breaker.HalfOpen, func(b *breaker.Breaker, d *driver) { d.ruin(b).wait(5 * time.Second).do(canceled) }, true, false, false},
		{breaker.Isolated, func(b *breaker.Breaker, d *driver) { d.do(good); b.Isolate(me) }, false, false, false},
		{breaker.ForcedClosed, func(b *breaker.Breaker, d *driver) { d.do(good); b.ForceClose(me) }, true, true, true},
	} {
		t.Run(test.state.String(), func(t *testing.T) {
			var refusals []*breaker.Error
			b := &breaker.Breaker{Name: "binance", Rand: even, OnRefuse: func(_ context.Context, e *breaker.Error) { refusals = append(refusals, e) }}
			d := drive(t, b)
			test.reach(b, d)
			want(t, b, test.state)
			if b.Suspect() != test.state.Degraded() || b.Health().Suspect() != test.state.Degraded() {
				t.Errorf("Suspect() = %v, Health().Suspect() = %v in %v", b.Suspect(), b.Health().Suspect(), test.state)
			}
			refusals = nil
			for _, attempt := range []struct {
				number int
				pass   bool
			}{{2, test.retry}, {1, test.first}} {
				a := d.attempt(attempt.number)
				err := b.Admit(t.Context(), a)
				if (err == nil) != attempt.pass {
					t.Errorf("attempt %d: %v; want it to pass: %v", attempt.number, err, attempt.pass)
				}
				if err == nil {
					d.settle(a, unbegun)
					continue
				}
				e := err.(*breaker.Error)
				if e.Key != "binance" || e.State != test.state || e.Retry != (attempt.number > 1) {
					t.Errorf("refusal %+v of attempt %d in %v", e, attempt.number, test.state)
				}
				if len(refusals) == 0 || refusals[len(refusals)-1] != e {
					t.Errorf("OnRefuse was told %v; want %v", refusals, e)
				}
			}
			if err := b.Hedge(); (err == nil) != test.hedge {
				t.Errorf("hedge: %v; want it to pass: %v", err, test.hedge)
			}
			want(t, b, test.state)
		})
	}
}

// Throttling sheds p = max(0, (requests - 2 ok)/(requests + 1)).
func TestShedding(t *testing.T) {
	for _, test := range []struct {
		ok, failed int
		u          float64
		pass       bool
	}{
		{30, 5, 0, true},           // 35 - 60 < 0: nothing is shed
		{10, 20, 9.99 / 31, false}, // p = 10/31
		{10, 20, 10.01 / 31, true}, //
		{10, 20, 0.999, true},      //
		{10, 14, 3.99 / 25, false}, // p = 4/25
		{10, 14, 4.01 / 25, true},  //
		{0, 5, 4.99 / 6, false},    // p = 5/6
		{0, 5, 5.01 / 6, true},     //
	} {
		u := 0.9999
		b := &breaker.Breaker{Rules: breaker.Rules{FailureRate: 0.8}, Rand: func() float64 { return u }}
		d := drive(t, b)
		d.times(test.ok, 0, good).times(test.failed, 0, bad)
		want(t, b, breaker.Throttling)
		u = test.u
		if got := d.do(good); got != test.pass {
			t.Errorf("%d good, %d bad, draw %v: let through: %v; want %v", test.ok, test.failed, test.u, got, test.pass)
		}
	}
	// What was shed is a request, too: p was 5/6, and is 6/7.
	u := 0.5
	b := &breaker.Breaker{Rand: func() float64 { return u }}
	d := drive(t, b).times(6, 0, bad)
	if u = 0.84; d.do(good) {
		t.Errorf("draw %v: let through; want p = 6/7", u)
	}
	if got := b.Health().Counts(); got != (breaker.Counts{Transient: 5, Refused: 2}) {
		t.Errorf("counts %+v", got)
	}
	// What was refused before a window began anew is not: p is 5/6, though 100 were refused in the same second.
	u = 0.5
	b = &breaker.Breaker{Rules: breaker.Rules{OpenFor: time.Millisecond, Probes: 1}, Rand: func() float64 { return u }}
	d = drive(t, b).ruin(b).times(100, 0, bad)
	d.wait(time.Millisecond).do(good)
	if d.times(5, 0, bad); b.State() != breaker.Throttling {
		t.Fatalf("%+v; want throttling", b.Snapshot())
	}
	if u = 0.84; !d.do(bad) {
		t.Errorf("draw %v: shed; want p = 5/6", u)
	}
	// Odd draws count as a half.
	for _, odd := range []float64{-1, 1, 2} {
		u = odd
		b = &breaker.Breaker{Rules: breaker.Rules{FailureRate: 0.8}, Rand: func() float64 { return u }}
		if d = drive(t, b).times(10, 0, good).times(20, 0, bad); !d.do(good) { // p = 10/31
			t.Errorf("draw %v: shed", odd)
		}
		if d = drive(t, &breaker.Breaker{Rand: b.Rand}).times(5, 0, bad); d.do(good) { // p = 5/6
			t.Errorf("draw %v: let through", odd)
		}
	}
}

func TestEvidence(t *testing.T) {
	timeout := retry.Outcome{State: retry.Failed, Class: retry.Permanent, Err: retry.ErrAttemptTimeout}
	var none breaker.Counts
	for _, test := range []struct {
		name string
		o    retry.Outcome
		want breaker.Counts
	}{
		{"success", good, breaker.Counts{OK: 1}},
		{"transient", bad, breaker.Counts{Transient: 1}},
		{"throttled", throttle, breaker.Counts{Throttled: 1}},
		{"ambiguous", unknown, breaker.Counts{Ambiguous: 1}},
		{"panic", panicked, breaker.Counts{Ambiguous: 1}},
		{"client fault", permanent, none},
		{"attempt timeout that somebody called permanent", timeout, breaker.Counts{Ambiguous: 1}},
		{"cancelled", canceled, none},
		{"not started", unbegun, none},
		{"of an unknown class", retry.Outcome{State: retry.Failed, Class: 99}, breaker.Counts{Ambiguous: 1}},
	} {
		for _, h := range []struct {
			name   string
			gate   retry.Gate
			health *breaker.Health
		}{
			func() (h struct {
				name   string
				gate   retry.Gate
				health *breaker.Health
			}) {
				b := &breaker.Breaker{}
				h.name, h.gate, h.health = "breaker", b, b.Health()
				return h
			}(),
			func() (h struct {
				name   string
				gate   retry.Gate
				health *breaker.Health
			}) {
				h.name, h.health = "feed", &breaker.Health{}
				h.gate = breaker.Feed{Health: h.health}
				return h
			}(),
		} {
			drive(t, h.gate).do(test.o)
			n := h.health.Counts()
			if n != test.want {
				t.Errorf("%s by a %s: %+v; want %+v", test.name, h.name, n, test.want)
			}
			if failed := h.health.CUSUM() > 0; failed != (test.want.Failures() > 0) {
				t.Errorf("%s by a %s: CUSUM %v", test.name, h.name, h.health.CUSUM())
			}
		}
	}
}

func TestFeed(t *testing.T) {
	h := &breaker.Health{Rules: breaker.Rules{SlowAfter: time.Second, Latency: true}}
	d := drive(t, breaker.Feed{Health: h})
	took := func(took time.Duration) {
		a, _ := d.admit()
		d.wait(took)
		d.gate.Settle(a, &retry.Outcome{State: retry.Succeeded, Start: a.At, End: d.at})
	}
	took(time.Second)
	took(time.Second + 1)
	if n := h.Counts(); n != (breaker.Counts{OK: 2, Slow: 1}) || n.SlowRate() != 0.5 {
		t.Errorf("%+v; want one of two slow", n)
	}
	d.times(3, 0, bad)
	if h.Suspect() {
		t.Error("suspect after 3 failures")
	}
	if d.do(bad); !h.Suspect() {
		t.Error("not suspect after 4 failures")
	}
	h = &breaker.Health{Rules: breaker.Rules{Latency: true}}
	d = drive(t, breaker.Feed{Health: h})
	for range 1000 {
		took(10 * time.Millisecond)
	}
	for i := 0; !h.Suspect(); i++ {
		if took(50 * time.Millisecond); i > 1000 {
			t.Fatal("not suspect, though latency is fivefold")
		}
	}
	if !h.Lagging() {
		t.Error("suspect, though not for its latency")
	}

	d = drive(t, breaker.Feed{})
	if !d.do(good) || !d.do(bad) {
		t.Error("a feed of nothing refused")
	}
	plain := &breaker.Health{}
	d = drive(t, breaker.Feed{Health: plain}).times(3000, 10*time.Millisecond, good)
	if n := plain.Counts(); n.OK < 900 || n.OK > 1000 {
		t.Errorf("%d successes in the window; want those of 9 to 10 s at 100/s", n.OK)
	}
	if a := (&retry.Attempt{}); breaker.Feed(d.gate.(breaker.Feed)).Admit(t.Context(), a) != nil {
		t.Error("refused an odd attempt")
	}
	if s := (&breaker.Breaker{Name: "binance"}).Snapshot(); s != (breaker.Snapshot{Key: "binance"}) {
		t.Errorf("a new breaker knows %+v", s)
	}
	empty := &breaker.Health{}
	breaker.Feed{Health: empty}.Settle(&retry.Attempt{}, &retry.Outcome{State: retry.Succeeded})
	if empty.Counts() != (breaker.Counts{}) || empty.Suspect() || empty.CUSUM() != 0 {
		t.Error("an attempt without a time counts")
	}
}
