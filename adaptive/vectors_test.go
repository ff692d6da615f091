package adaptive

import (
	"math"
	"testing"
)

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-5*math.Abs(want) }

func newModel() *model { return fresh("venue.get") }

func TestHazardVectors(t *testing.T) {
	for _, test := range []struct {
		id      string
		outages []float64
		at      []float64
		want    []float64
	}{
		{"AD1", nil, []float64{.01, .02, .03, 1, 10, 3600}, []float64{.215391, .430783, .646174, 2.827013, 4.287636, 7.914900}},
		{"AD2", []float64{3}, []float64{.02, 1, 2.56, 5.12, 10}, []float64{.265703, 1.743677, 2.125625, 2.961873, 3.372463}},
		{"AD3", []float64{3, 3, .5}, []float64{.02, 1, 2.56, 5.12, 10}, []float64{.153781, 1.304744, 1.588243, 2.689646, 3.100236}},
	} {
		t.Run(test.id, func(t *testing.T) {
			var h hazard
			h.reset()
			for _, d := range test.outages {
				h.learn(d)
			}
			for i, x := range test.at {
				if got := h.at(x); !near(got, test.want[i]) {
					t.Errorf("hazard at %v s = %v; want %v", x, got, test.want[i])
				}
			}
		})
	}
}

// Bins meet at their edges, and the last one goes on.
func TestHazardIsContinuous(t *testing.T) {
	var h hazard
	h.reset()
	h.learn(7)
	last := 0.
	for x := .001; x < 3e4; x *= 1.01 {
		now := h.at(x)
		if now < last || now-last > .06 {
			t.Fatalf("hazard at %v s = %v after %v", x, now, last)
		}
		last = now
	}
	for i := range bins {
		x := firstEdge * math.Exp2(float64(i))
		if a, b := h.at(x), h.at(x*(1+1e-12)); math.Abs(a-b) > 1e-9 {
			t.Errorf("hazard jumps at %v s from %v to %v", x, a, b)
		}
	}
	h.learn(1e9) // beyond the last edge
	if i, part := bin(.04); i != 1 || part != 1 {
		t.Errorf("bin(40 ms) = %d, %v; want the end of bin 1", i, part)
	}
}

func TestBeliefVectors(t *testing.T) {
	t.Run("AD4", func(t *testing.T) {
		m := newModel()
		for i, want := range []float64{.046301, .701902, .991319, .995, .858993, .157174, .005676} {
			m.observe(&result{ok: i >= 4})
			m.up = .98 // as the vector fixes it
			if got := m.belief[available].down; !near(got, want) && math.Abs(got-want) > 1e-6 {
				t.Errorf("after result %d: down %v; want %v", i+1, got, want)
			}
		}
	})
	t.Run("AD5", func(t *testing.T) {
		m := newModel()
		for i, want := range []float64{.004831, .023004, .102494, .356442} {
			m.observe(&result{retry: i + 1, launched: m.belief[available].down})
			if got := m.belief[available].down; !near(got, want) && math.Abs(got-want) > 1e-6 {
				t.Errorf("after retry %d: down %v; want %v", i+1, got, want)
			}
		}
		if m.belief[available].seen != 0 {
			t.Error("an outage was recorded; want none")
		}
	})
}

func TestItemVectors(t *testing.T) {
	var i item
	i.reset()
	i.learn(0, true)
	if got := i.q(); !near(got, .867002) {
		t.Errorf("AD13: q after a success = %v; want .867002", got)
	}
	i.reset()
	i.learn(.1, false)
	if got := i.q(); !near(got, .604295) {
		t.Errorf("AD13: q after a failure = %v; want .604295", got)
	}
	before := i
	i.learn(.99, true)
	if i != before {
		t.Error("a retry that says nothing about the item changed it")
	}
}

func TestChoiceVectors(t *testing.T) {
	for _, test := range []struct {
		id               string
		down, e          float64
		left, hint       float64
		delay, p, j, net float64 // 0 is not checked
		preserve, stop   bool
	}{
		{id: "AD8", down: .95, e: 2, left: 8, delay: .4295, p: .142285, j: .291491, net: .284442},
		{id: "AD9", down: .95, e: 2, left: 3, delay: .4295, net: .241058},
		{id: "AD10", down: .95, e: 2, left: 8, hint: 3, delay: 4.5036, p: .435817, net: .222460},
		{id: "AD11 utility", down: .995, e: 600, left: 9, net: -.026487, stop: true},
		{id: "AD11 preserve", down: .995, e: 600, left: 9, preserve: true},
		{id: "AD12", down: .001, left: 9, delay: .01, p: .799355},
	} {
		t.Run(test.id, func(t *testing.T) {
			m := newModel()
			m.belief[available] = belief{down: test.down, in: test.e > 0, since: 1000 - test.e}
			v := m.choose(&ask{
				at: 1000, left: test.left, expected: .15, hint: test.hint, ceiling: 30, longest: 30,
				retry: 1, cost: .02, delayCost: .05, preserve: test.preserve,
			})
			for _, c := range []struct {
				name      string
				got, want float64
				tolerance float64
			}{{"delay", v.delay, test.delay, 1e-4}, {"P", v.success, test.p, 1e-5}, {"J", v.price, test.j, 1e-5}, {"net", v.net, test.net, 1e-5}} {
				if c.want != 0 && math.Abs(c.got-c.want) > c.tolerance*math.Abs(c.want) {
					t.Errorf("%s = %v; want %v", c.name, c.got, c.want)
				}
			}
			if v.stop != test.stop {
				t.Errorf("stop = %v; want %v", v.stop, test.stop)
			}
		})
	}
}
