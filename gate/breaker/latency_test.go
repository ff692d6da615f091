package breaker

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// Delays in a queue follow one another. Without the means of blocks, a third of healthy minutes would alarm.
func TestLatencyOfQueues(t *testing.T) {
	const minutes, calls = 200, 6000
	alarms := 0
	for seed := range uint64(minutes) {
		random := rand.New(rand.NewPCG(seed, 9))
		var l latency
		x := 0.0
		for range calls {
			x = 0.9*x + 0.3*random.NormFloat64()
			if l.add(time.Duration(1e7*math.Exp(x)), true) {
				alarms++
				break
			}
		}
	}
	if alarms > minutes*5/100 {
		t.Errorf("%d of %d healthy minutes alarm", alarms, minutes)
	}
}

// Latency that creeps up by steps too small to be seen is learned while all is well, and found out otherwise.
func TestBaselineIsLearnedInGoodTimesOnly(t *testing.T) {
	for _, healthy := range []bool{true, false} {
		var l latency
		took := 10 * time.Millisecond
		for range 100 * blockCalls {
			l.add(took, true)
		}
		late := false
		for range 4 {
			took += took * 3 / 100
			for range 200 * blockCalls {
				late = l.add(took, healthy) || late
			}
		}
		if late == healthy {
			t.Errorf("learning %v: alarm %v", healthy, late)
		}
	}
}

// The breaker learns in Closed only.
func TestBaselineOfABreaker(t *testing.T) {
	for _, forced := range []bool{false, true} {
		b := &Breaker{Rules: Rules{Latency: true}}
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		calls := func(n int, took time.Duration) {
			for range n * blockCalls {
				pass(t, b, at, took)
				at = at.Add(time.Millisecond)
			}
		}
		calls(100, 10*time.Millisecond)
		if forced {
			b.ForceClose(Order{Who: "me", Why: "test", For: time.Hour})
		}
		for i := range 4 {
			calls(200, 10*time.Millisecond+time.Duration(i+1)*300*time.Microsecond)
		}
		if b.Health().Lagging() != forced {
			t.Errorf("forced closed %v: lagging %v", forced, b.Health().Lagging())
		}
	}
}
