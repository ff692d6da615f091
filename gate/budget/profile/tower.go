package profile

import (
	"context"
	"time"

	"github.com/relent-go/relent/retry"
)

// Tower is the retry budget of the Rust library tower (tower::retry::budget::TpsBudget): Finagle's, with coarser
// integers. With Percent 0.3, for one, it asks three deposits for a retry and so allows 0.33.
//
// A request or retry that was admitted but never began is taken back.
type Tower struct {
	TTL     time.Duration // how long deposits and withdrawals count, 1 s to 1 min; 0 means 10 s
	Min     int           // retries per second that need no deposit; 0 means 10, None means none
	Percent float64       // retries that a request pays for, up to 1000 (not in hundredths); 0 means 0.2, None means none
	Exact   bool          // counts in millionths instead of the coarse integers

	leaky leaky
}

var _ Profile = (*Tower)(nil)

// Admit deposits for a first attempt, and withdraws for a retry.
func (t *Tower) Admit(_ context.Context, a *retry.Attempt) error { return t.open().admit("tower", a) }

// Settle takes back what an attempt that never began deposited or withdrew.
func (t *Tower) Settle(a *retry.Attempt, o *retry.Outcome) { t.open().settle(a, o) }

// Balance returns how many retries it would allow now: at the latest time that it has seen.
func (t *Tower) Balance() int64 { return t.open().retries() }

func (t *Tower) open() *leaky {
	amounts := coarse
	if t.Exact {
		amounts = millionths
	}
	return t.leaky.open(t.TTL, t.Min, t.Percent, amounts)
}

// coarse are the amounts of Tower, which counts in single precision.
func coarse(percent float64) (deposit, withdrawal int64) {
	if percent <= 1 {
		return 1, truncate(float64(1 / float32(percent)))
	}
	return 1000, truncate(float64(1000 / float32(percent)))
}

func millionths(percent float64) (deposit, withdrawal int64) {
	return 1_000_000, truncate(1_000_000 / percent)
}

// Check implements [Profile].
func (t *Tower) Check() error { return check(t.fields()) }

// Policy implements [Profile]. Tower publishes neither attempts nor a backoff with its budget.
func (t *Tower) Policy() *retry.Policy { return &retry.Policy{Gates: []retry.Gate{t}} }

// Funding implements [Profile].
func (t *Tower) Funding() (ratio, floorPerSecond float64) {
	return pick(t.Percent, leakyPercent, 0, 1000), float64(pick(t.Min, leakyMin, 0, leakyMostMin))
}

func (t *Tower) fields() []field {
	return append(leakyFields(&t.TTL, &t.Min, &t.Percent), field{name: "Exact", at: &t.Exact})
}
