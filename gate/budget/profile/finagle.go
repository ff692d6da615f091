package profile

import (
	"context"
	"time"

	"github.com/relent-go/relent/retry"
)

// Finagle is the retry budget of Twitter's Finagle (com.twitter.finagle.service.RetryBudget): each request
// deposits, each retry withdraws, and a reserve allows some retries a second in any case. It is funded by
// requests, so it keeps adding load when nothing succeeds.
//
// A request or retry that was admitted but never began is taken back.
type Finagle struct {
	TTL     time.Duration // how long deposits and withdrawals count, 1 s to 1 min; 0 means 10 s
	Min     int           // retries per second that need no deposit; 0 means 10, None means none
	Percent float64       // retries that a request pays for, up to 1000 (not in hundredths); 0 means 0.2, None means none

	leaky leaky
}

var _ Profile = (*Finagle)(nil)

// Admit deposits for a first attempt, and withdraws for a retry.
func (f *Finagle) Admit(_ context.Context, a *retry.Attempt) error {
	return f.open().admit("finagle", a)
}

// Settle takes back what an attempt that never began deposited or withdrew.
func (f *Finagle) Settle(a *retry.Attempt, o *retry.Outcome) { f.open().settle(a, o) }

// Balance returns how many retries it would allow now: at the latest time that it has seen.
func (f *Finagle) Balance() int64 { return f.open().retries() }

func (f *Finagle) open() *leaky { return f.leaky.open(f.TTL, f.Min, f.Percent, thousandths) }

// Check implements [Profile].
func (f *Finagle) Check() error { return check(f.fields()) }

// Policy implements [Profile]. Finagle publishes neither attempts nor a backoff with its budget.
func (f *Finagle) Policy() *retry.Policy { return &retry.Policy{Gates: []retry.Gate{f}} }

// Funding implements [Profile].
func (f *Finagle) Funding() (ratio, floorPerSecond float64) {
	return pick(f.Percent, leakyPercent, 0, 1000), float64(pick(f.Min, leakyMin, 0, leakyMostMin))
}

func (f *Finagle) fields() []field { return leakyFields(&f.TTL, &f.Min, &f.Percent) }
