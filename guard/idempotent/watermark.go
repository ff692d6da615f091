package idempotent

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/relent-go/relent/retry"
)

// ErrStale is what a [Watermark] refuses with: the caller held a claim that somebody has taken over. Its
// effect must not happen; it is Permanent.
var ErrStale = retry.Mark(errors.New("stale fencing token"), retry.Permanent)

// A Watermark is the resource's half of fencing, for one resource in memory: it refuses tokens smaller
// than the largest it has seen. A lease alone cannot do that, because its holder may sleep through its
// end. In a database it is a column, and WHERE fence <= the new one.
//
// The zero value has seen none. It is safe for concurrent use.
type Watermark struct{ seen atomic.Uint64 }

// Pass returns nil if fence is not smaller than any token that passed before, else an error that
// wraps [ErrStale].
func (w *Watermark) Pass(fence uint64) error {
	for {
		seen := w.seen.Load()
		if fence < seen {
			return fmt.Errorf("%w: %d after %d", ErrStale, fence, seen)
		}
		if w.seen.CompareAndSwap(seen, fence) {
			return nil
		}
	}
}
