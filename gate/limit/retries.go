package limit

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/relent-go/relent/retry"
)

// DefaultRetries is what a zero Retries.Max means.
const DefaultRetries = 16

// A Retries is a [retry.Gate] that lets at most Max retries be under way at one time, from the decision to retry
// to the end of the attempt, the backoff included: a retry that waits is load that is promised already, and a
// cap on running ones would let any number wait and wake together. First attempts pass.
//
// It never waits: the next retry is refused with [ErrBusy]. The zero value allows 16. It is safe for concurrent
// use, and must not be copied once used.
type Retries struct {
	Name string // in errors
	Max  int    // retries under way at one time; 0 means 16, negative means none

	running atomic.Int64
	refused atomic.Uint64
}

var _ retry.Gate = (*Retries)(nil)

// Admit takes a place for a retry.
func (r *Retries) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Number <= 1 {
		return nil
	}
	for most := r.max(); ; {
		n := r.running.Load()
		if n >= most {
			r.refused.Add(1)
			return &Error{Name: r.Name, Reason: ErrBusy}
		}
		if r.running.CompareAndSwap(n, n+1) {
			return nil
		}
	}
}

// Settle gives a retry's place back.
func (r *Retries) Settle(a *retry.Attempt, _ *retry.Outcome) {
	if a.Number > 1 {
		r.running.Add(-1)
	}
}

func (r *Retries) max() int64 {
	if r.Max == 0 {
		return DefaultRetries
	}
	return int64(max(0, r.Max))
}

// Stats returns how things stand.
func (r *Retries) Stats() Stats {
	return Stats{Running: int(r.running.Load()), Refused: r.refused.Load()}
}

// Check returns the mistake in r's fields, which begins with the field's name, or nil.
func (r *Retries) Check() error {
	if r.Max < 0 {
		return fmt.Errorf("Max: %d is negative and allows no retry", r.Max)
	}
	return nil
}
