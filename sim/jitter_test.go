package sim_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/sim"
)

// A cell is one mean of the table: calls and milliseconds.
type cell struct{ calls, ms float64 }

// table is what the experiment yields, by the number of clients, in the order of Spacings.
var table = map[int][5]cell{
	10:  {{50, 382}, {51, 3590}, {42, 732}, {38, 465}, {37, 434}},
	20:  {{151, 596}, {151, 14817}, {107, 1683}, {99, 1012}, {102, 802}},
	50:  {{687, 1132}, {624, 36237}, {347, 4303}, {332, 2922}, {376, 2164}},
	100: {{2421, 2027}, {1853, 62862}, {812, 6658}, {797, 4879}, {1002, 4530}},
	150: {{5143, 2873}, {3549, 86037}, {1323, 8246}, {1317, 6285}, {1758, 6602}},
	190: {{7997, 3538}, {5186, 101357}, {1759, 9487}, {1771, 7427}, {2441, 7887}},
}

// means plays each of the spacings runs times.
func means(t *testing.T, spacings []sim.Spacing, clients, runs int) []cell {
	t.Helper()
	cells := make([]cell, len(spacings))
	for i, s := range spacings {
		for seed := range runs {
			score, err := sim.Contest{Seed: uint64(seed + 1), Clients: clients, Backoff: s.Backoff}.Play(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			cells[i].calls += float64(score.Calls) / float64(runs)
			cells[i].ms += score.Time.Seconds() * 1000 / float64(runs)
		}
	}
	return cells
}

// miss returns the first mean that is further than 5 % from the table, or "".
func miss(clients int, got []cell) string {
	for i, s := range sim.Spacings() {
		want := table[clients][i]
		if math.Abs(got[i].calls-want.calls) > 0.05*want.calls || math.Abs(got[i].ms-want.ms) > 0.05*want.ms {
			return s.Name
		}
	}
	return ""
}

// S14: the acceptance at 100 clients over 100 runs.
func TestJitterTable(t *testing.T) {
	got := means(t, sim.Spacings(), 100, 100)
	if name := miss(100, got); name != "" {
		t.Errorf("means %.0f; want those of the table, %v, within 5 %%: %s is off", got, table[100], name)
	}
	none, exponential, equal, full, decorrelated := got[0], got[1], got[2], got[3], got[4]
	if !(full.calls <= equal.calls && equal.calls < decorrelated.calls && decorrelated.calls < exponential.calls && exponential.calls < none.calls) {
		t.Errorf("calls %.0f are not in the order full, equal, decorrelated, exponential, none", got)
	}
	if share := full.calls / exponential.calls; math.Abs(share-0.43) > 0.05 {
		t.Errorf("full jitter makes %.2f of the calls without; want 0.43", share)
	}
	if exponential.ms <= 9*max(equal.ms, full.ms, decorrelated.ms) {
		t.Errorf("times %.0f: without jitter it should take 9 times as long", got)
	}
}

// V9: the table is red when jitter is removed.
func TestJitterTableNeedsJitter(t *testing.T) {
	broken := sim.Spacings()
	for i := range broken {
		if e, ok := broken[i].Backoff.(backoff.Exponential); ok {
			e.Jitter = backoff.None
			broken[i].Backoff = e
		}
	}
	if name := miss(100, means(t, broken, 100, 20)); name != "equal" {
		t.Errorf("without jitter, %q is the first off the table; want equal", name)
	}
}

// relent's own decorrelated jitter makes as many calls as the published one, and is done sooner.
func TestDecorrelatedBelowTheMaximum(t *testing.T) {
	ours := []sim.Spacing{{Name: "ours", Backoff: backoff.Decorrelated{Base: 5 * time.Millisecond, Max: 2 * time.Second}}}
	got, want := means(t, ours, 100, 100)[0], table[100][4]
	if math.Abs(got.calls-want.calls) > 0.05*want.calls || got.ms >= want.ms {
		t.Errorf("%.0f; want the calls of %.0f in less time", got, want)
	}
}

func TestContestIsRepeatable(t *testing.T) {
	c := sim.Contest{Seed: 7, Backoff: backoff.Default()}
	first, _ := c.Play(t.Context())
	again, _ := c.Play(t.Context())
	c.Seed++
	other, _ := c.Play(t.Context())
	if first != again || first == other {
		t.Errorf("%v, %v with the same seed, %v with another", first, again, other)
	}
	if alone, _ := (sim.Contest{Clients: 1}).Play(t.Context()); alone.Calls != 1 {
		t.Errorf("%v for one client; want one call", alone)
	}
}

func TestContestEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if score, err := (sim.Contest{}).Play(ctx); err != enough || score != (sim.Score{}) {
		t.Errorf("%v, %v; want %v", score, err, enough)
	}
}
