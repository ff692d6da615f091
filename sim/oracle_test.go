package sim

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/gatetest"
	"github.com/relent-go/relent/retry"
)

func TestOracleKeepsThePromisesOfGates(t *testing.T) {
	w := World{Name: "quiet"}
	gatetest.Suite{Open: func() retry.Gate {
		return &oracle{y: newWeather(&w, 1, 10), cost: .02, failed: map[uint64]int{}}
	}}.Run(t)
}

// What the oracle does about the retry of an order 100 s after the beginning of a world, with 10 s to its end.
func TestOracle(t *testing.T) {
	const end = 102.
	spells := func(to float64) []spell { return []spell{{from: 50, to: 60, p: 1}, {from: 90, to: to, p: .99}} }
	busy := retry.Mark(errors.New("busy"), retry.Transient)
	for _, test := range []struct {
		name   string
		world  World
		with   func(*weather)
		number int
		err    error
		wait   float64 // -1: given up
	}{
		{"nothing is under way", World{Noise: []float64{.1}}, func(*weather) {}, 2, busy, 0},
		{"until an outage ends", World{}, func(y *weather) { y.spells[0] = [][]spell{spells(end)} }, 2, busy, 2},
		{"an outage that lasts", World{}, func(y *weather) { y.spells[0] = [][]spell{spells(300)} }, 2, busy, -1},
		{"until a quota is new", World{Quota: Quota{Attempts: 5, Window: 8}}, func(y *weather) { y.window, y.used = 12, 5 }, 2, busy, 4},
		{"a quota that is left", World{Quota: Quota{Attempts: 5, Window: 8}}, func(y *weather) { y.window, y.used = 12, 4 }, 2, busy, 0},
		{"not before a hint", World{}, func(y *weather) { y.spells[0] = [][]spell{spells(end)} }, 2, retry.After(busy, 3*time.Second), -1},
		{"until a dip ends", World{Capacity: Capacity{PerSecond: 10, Dip: Length{A: 400}, DipFor: 10}}, func(y *weather) { y.load, y.dips = 10, []spell{{from: 95, to: end}} }, 2, busy, 2},
		{"an item that may be dead", World{Noise: []float64{.1}, Dead: []float64{.05}}, func(*weather) {}, 2, busy, 0},
		{"an item that is dead", World{Noise: []float64{.01}, Dead: []float64{.5}}, func(*weather) {}, 2, busy, -1},
	} {
		test.world.Name = test.name
		y := newWeather(&test.world, 1, 1000)
		test.with(y)
		g := &oracle{y: y, cost: .02, failed: map[uint64]int{}}
		at := epoch.Add(100 * time.Second)
		ctx, cancel := context.WithDeadline(t.Context(), at.Add(10*time.Second)) // long over, but only asked for
		a := &retry.Attempt{Number: test.number, At: at, Err: test.err, Call: 7}
		err := g.Admit(ctx, a)
		cancel()
		if (err != nil) != (test.wait < 0) || err == nil && math.Abs(a.Wait.Seconds()-test.wait) > 1e-3 {
			t.Errorf("%s: %v, wait %v; want %v s", test.name, err, a.Wait, test.wait)
		}
		g.Settle(a, &retry.Outcome{State: retry.Succeeded})
		if len(g.failed) != 0 {
			t.Errorf("%s: %v is kept of a call that is over", test.name, g.failed)
		}
	}
}

// It gains where outages can be waited for, and more than anybody who does not know their end.
func TestOracleGains(t *testing.T) {
	for _, world := range []string{"outages", "classes"} {
		oracle, _, _ := gains(t, world, "oracle+B20", 2)
		if learner, _, _ := gains(t, world, "learn+B20", 2); oracle.Mean < learner.Mean {
			t.Errorf("%s: %v, and the learner %v", world, oracle, learner)
		}
	}
}

// A control arm has what its own first attempts earn, and the others the rest; without one, all is theirs.
func TestShareWithAControlArm(t *testing.T) {
	s := &Share{Ratio: .5, Burst: 10}
	c := s.Aside(.2)
	first, again := &retry.Attempt{Number: 1}, &retry.Attempt{Number: 2}
	admit := func(g retry.Gate, a *retry.Attempt) bool { return g.Admit(t.Context(), a) == nil }
	retries := func(g retry.Gate) (n int) {
		for admit(g, again) {
			n++
		}
		return n
	}
	if n := retries(c); n != 0 {
		t.Errorf("the control arm has %d retries before it earned any", n)
	}
	for range 100 {
		admit(c, first)
	}
	if n := retries(s); n != 8 {
		t.Errorf("%d retries of the others; want 8 of 10, since 2 are kept", n)
	}
	if n := retries(c); n != 2 {
		t.Errorf("%d retries of the control arm; want 2", n)
	}
	never := &retry.Outcome{State: retry.NotStarted}
	if c.Settle(again, never); retries(s) != 0 || retries(c) != 1 {
		t.Error("what the control arm gave back is not its own")
	}
	c.Settle(again, &retry.Outcome{State: retry.Failed})
	if s.Settle(again, never); retries(c) != 0 || retries(s) != 1 {
		t.Error("what the others gave back is not theirs")
	}
	for range 100 {
		admit(c, first)
	}
	for range 2000 {
		admit(s, first)
	}
	if n := retries(s); n != 9 {
		t.Errorf("%d retries without calls of a control arm for long; want 9 of 10, and the rest all but faded", n)
	}
}

func TestTeachingFails(t *testing.T) {
	w, _ := FindWorld("iid")
	if _, err := (Trial{World: w, Rival: Rival{learns: true, taught: "nope"}, Horizon: time.Minute}).Play(t.Context()); err == nil {
		t.Error("learned in a world that there is not")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopped)
	if _, err := (Trial{World: w, Rival: Rival{learns: true, taught: "iid"}, Horizon: time.Minute}).Play(ctx); !errors.Is(err, errStopped) {
		t.Errorf("Play = %v; want %v", err, errStopped)
	}
	for name, want := range map[string][2]bool{Reference: {true, true}, "exp": {true, false}, "learn": {false, false}, "oracle": {false, false}} {
		r, _ := FindRival(name)
		if simple, budget := r.Simple(); [2]bool{simple, budget} != want {
			t.Errorf("%s: simple %v, budget %v; want %v", name, simple, budget, want)
		}
	}
}
