package budget_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

// However long it was idle, a bucket holds no more than Max: an outage in the first second after a quiet night sees ten
// retries, not a night's worth.
func TestIdleThenBurst(t *testing.T) {
	for _, b := range []*budget.Budget{{}, {Trickle: 5}} {
		earn(b, 100_000)
		night := 12 * time.Hour
		retries := 0
		for range 1000 {
			if run(b, at(first(0), night), retry.Failed); run(b, at(again(retry.Transient), night), retry.Failed) == nil {
				retries++
			}
		}
		if retries != 10 {
			t.Errorf("%d retries in the burst; want 10", retries)
		}
	}
}

// At one to twenty requests in each window of ten seconds, where percentages of a window round to nothing, failures
// below the funding ratio are still retried, every one.
func TestFewRequests(t *testing.T) {
	for requests := 1; requests <= 20; requests++ {
		b := &budget.Budget{}
		n := 0
		for window := range 200 {
			for range requests {
				now := time.Duration(window) * 10 * time.Second
				if n++; n%12 != 0 { // 8 % fail once
					run(b, at(first(0), now), retry.Succeeded)
					continue
				}
				run(b, at(first(0), now), retry.Failed)
				if err := run(b, at(again(retry.Transient), now), retry.Succeeded); err != nil {
					t.Fatalf("%d requests per window, request %d: %v", requests, n, err)
				}
			}
		}
	}
}

// While the share of failures is below Ratio, no retry is refused: also not in bad luck, as long as it is within Max.
func TestRetriesBelowTheFundingRatioAreAllAllowed(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	b := &budget.Budget{Max: 100, Ratio: 0.1}
	for n := range 200_000 {
		if r.Float64() >= 0.07 {
			run(b, first(0), retry.Succeeded)
			continue
		}
		run(b, first(0), retry.Failed)
		if err := run(b, again(retry.Transient), retry.Succeeded); err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
	}
}

// A tenant whose calls all fail takes what the others earn, but not what the floors keep: critical calls go on.
func TestHotTenant(t *testing.T) {
	for _, test := range []struct {
		name     string
		floors   budget.Floors
		critical int // retries that the critical tenant gets in 20 bad moments
	}{
		{"no floors", budget.Floors{}, 0},
		{"floors", budget.Trading(), 20},
	} {
		b := &budget.Budget{Floors: test.floors}
		got, hot, successes := 0, 0, 0
		for range 20 {
			for range 200 { // the hot tenant fails, and retries at once
				run(b, first(0), retry.Failed)
				if run(b, prio(retry.Sheddable), retry.Failed) == nil {
					hot++
				}
			}
			if run(b, prio(retry.Critical), retry.Failed) == nil {
				got++
			}
			earn(b, 9)
			successes += 9
		}
		if got != test.critical {
			t.Errorf("%s: the critical tenant has %d of 20 retries; want %d", test.name, got, test.critical)
		}
		if most := (10000 + 100*successes) / 1000; hot+got > most {
			t.Errorf("%s: %d retries in all; want at most %d", test.name, hot+got, most)
		}
	}
}
