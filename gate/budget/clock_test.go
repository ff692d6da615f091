package budget_test

import (
	"math"
	"testing"
	"time"
	"unsafe"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

// step sets the wall clock of a time by d, and leaves its monotonic reading: what a clock adjustment does to time.Now.
// It knows the layout of [time.Time]: 1 bit that says whether there is a reading, 33 bits of seconds and 30 of nanoseconds.
func step(t time.Time, d time.Duration) time.Time {
	seconds := uint64(int64(d / time.Second))
	*(*uint64)(unsafe.Pointer(&t)) += seconds << 30
	return t
}

func TestStepSetsTheWallClockOnly(t *testing.T) {
	now := time.Now()
	back := step(now, -time.Hour)
	if d := back.Sub(now); d != 0 {
		t.Errorf("monotonic clock moved by %v", d)
	}
	if d := back.Round(0).Sub(now.Round(0)); d != -time.Hour {
		t.Errorf("wall clock moved by %v; want -1h", d)
	}
}

func TestRB8WallClockStepsChangeNothing(t *testing.T) {
	// Two of each, with the same calls; for the second, the wall clock goes back an hour in the middle, then forward two.
	gates := func() []retry.Gate {
		return []retry.Gate{
			&budget.Budget{Max: 3, Trickle: 1},
			&budget.Window{Max: 5, Per: 10 * time.Second},
			&budget.Spend{Currency: "USD", Limit: 5, Window: 10 * time.Second, Estimate: budget.Amount{Micro: 1}},
		}
	}
	straight, stepped := gates(), gates()
	for i := range straight {
		allowed := 0
		for second := range 60 {
			for range 1 + second%3 {
				a, b := at(again(retry.Transient), time.Duration(second)*time.Second), at(again(retry.Transient), time.Duration(second)*time.Second)
				switch {
				case second > 40:
					b.At = step(b.At, time.Hour)
				case second > 20:
					b.At = step(b.At, -time.Hour)
				}
				got, want := run(stepped[i], b, retry.Failed) == nil, run(straight[i], a, retry.Failed) == nil
				if got != want {
					t.Fatalf("%T after %d s: allowed %v; want %v", straight[i], second, got, want)
				}
				if want {
					allowed++
				}
			}
		}
		if allowed < 25 || allowed > 80 {
			t.Errorf("%T allows %d of 120; want some refused and some after a while", straight[i], allowed)
		}
	}
}

func TestTrickle(t *testing.T) {
	for _, test := range []struct {
		trickle float64
		clients int
		after   time.Duration
		want    int64 // milli-tokens
	}{
		{0, 0, time.Hour, 0},
		{1, 0, time.Second, 1000},
		{1, 1, 999 * time.Microsecond, 0},
		{1, 1, 1999 * time.Microsecond, 1},
		{1, 10, time.Second, 100},
		{1, -10, time.Second, 1000},
		{3, 1, time.Second, 2999}, // 333 334 ns each, rounded up
		{0.001, 1000, time.Hour, 3},
		{1e9, 1, time.Microsecond, 1000},
		{math.Inf(1), 1, time.Microsecond, 1000},
		{math.NaN(), 1, time.Hour, 0},
		{-1, 1, time.Hour, 0},
		{5e-324, 1, time.Hour, 0},
		{1, 1, -time.Hour, 0},
		{1, 1, math.MaxInt64, 100000},
	} {
		b := &budget.Budget{Max: 100, Trickle: test.trickle, Load: budget.Load{Clients: test.clients}, Costs: budget.Costs{Transient: 100000}}
		run(b, again(retry.Transient), retry.Failed) // takes all, and starts the clock
		run(b, at(again(retry.Transient), test.after), retry.NotStarted)
		if s := b.Stats(); s.Balance != test.want {
			t.Errorf("%v/s for %d clients in %v: %d; want %d", test.trickle, test.clients, test.after, s.Balance, test.want)
		}
	}
}

// Attempts that come out of order are no reason to give out the same time twice.
func TestTrickleNeverGoesBack(t *testing.T) {
	b := &budget.Budget{Max: 100, Trickle: 1, Costs: budget.Costs{Transient: 100000}}
	run(b, again(retry.Transient), retry.Failed)
	for range 10 {
		run(b, at(again(retry.Transient), 3*time.Second), retry.NotStarted)
		run(b, at(again(retry.Transient), 0), retry.NotStarted)
	}
	if s := b.Stats(); s.Balance != 3000 {
		t.Errorf("%+v; want three tokens in three seconds", s)
	}
}

// What is left over of a period counts in the next, and an attempt without a time changes nothing.
func TestTrickleAddsUp(t *testing.T) {
	b := &budget.Budget{Trickle: 1}
	for range 10 {
		run(b, again(retry.Transient), retry.Failed)
	}
	run(b, &retry.Attempt{Number: 2}, retry.Failed)
	for i := range 2500 {
		d := time.Duration(i) * 400 * time.Microsecond // less than a milli-token each
		if err := run(b, at(again(retry.Transient), d), retry.Failed); err == nil {
			t.Fatalf("allowed after %v", d)
		}
	}
	if err := run(b, at(again(retry.Transient), time.Second), retry.Failed); err != nil {
		t.Errorf("after a second: %v; want one token", err)
	}
	refused(t, run(b, at(again(retry.Transient), time.Second), retry.Failed), budget.RuleTokens)
}
