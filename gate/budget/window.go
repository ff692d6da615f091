package budget

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/relent-go/relent/retry"
)

// What zero fields of a [Window] mean.
const (
	DefaultWindowMax = 100
	DefaultWindowPer = time.Minute
)

// parts is into how many a window is divided. What a window remembers is forgotten one part at a time.
const parts = 16

// A Window is a [retry.Gate] that bounds the retries of all policies that share it: at most Max are
// admitted in any stretch of time of length Per. A retry that was admitted but never began is given back.
// It remembers a retry for up to a sixteenth of Per longer than it must.
//
// The zero value is ready. The fields are not modified while in use. A Window is safe for
// concurrent use, never waits, and must not be copied.
type Window struct {
	Name string        // in errors
	Max  int           // retries in any window; 0 means 100, negative means none
	Per  time.Duration // length of a window; not positive means 1 minute

	mu      sync.Mutex
	origin  time.Time        // of the first retry
	part    int64            // the present one, counted from origin
	counts  [parts + 1]int64 // of the present part and those before it, by number modulo their number
	total   int64            // sum of counts
	denied  int64
	defects int64
}

var _ retry.Gate = (*Window)(nil)

// Admit refuses a retry that would be one too many in the window that ends with it.
func (w *Window) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Number <= 1 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance(a.At)
	if most := w.most(); w.total >= most {
		w.denied++
		return &Error{Budget: w.Name, Policy: policy(a).Name, Rule: RuleWindow, Balance: most - w.total, Cost: 1, Limit: most}
	}
	w.total++
	w.counts[w.part%(parts+1)]++
	a.Keep(uint64(w.part) + 1)
	return nil
}

// Settle gives back a retry that never began.
func (w *Window) Settle(a *retry.Attempt, o *retry.Outcome) {
	if a.Number <= 1 || a.Note == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	note := a.Kept()
	a.Keep(settled)
	if note == 0 || note == settled {
		w.defects++
		return
	}
	if part := int64(note - 1); o.State == retry.NotStarted && part >= w.part-parts {
		w.total--
		w.counts[part%(parts+1)]--
	}
}

func (w *Window) most() int64 { return max(0, int64(cmp.Or(w.Max, DefaultWindowMax))) }

// advance forgets the parts that are over. An attempt that is older than the last one counts as of now.
func (w *Window) advance(at time.Time) {
	if w.origin.IsZero() {
		w.origin = at
		return
	}
	per := w.Per
	if per <= 0 {
		per = DefaultWindowPer
	}
	now := int64(at.Sub(w.origin) / (per/parts + 1)) // rounded up, so that the parts together are no shorter than Per
	if now > w.part+parts {
		w.counts, w.total, w.part = [parts + 1]int64{}, 0, now
	}
	for w.part < now {
		w.part++
		w.total -= w.counts[w.part%(parts+1)]
		w.counts[w.part%(parts+1)] = 0
	}
}

// WindowStats is what a [Window] holds and did.
type WindowStats struct {
	Retries int64 // remembered, as of the last retry
	Max     int64
	Denied  int64
	Defects int64 // retries that were settled twice, or never admitted; always 0 under package retry
}

// Stats returns a snapshot.
func (w *Window) Stats() WindowStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return WindowStats{Retries: w.total, Max: w.most(), Denied: w.denied, Defects: w.defects}
}

// Check returns all mistakes in the fields, joined, each beginning with its field's name, or nil.
func (w *Window) Check() error {
	var errs []error
	if w.Max < 0 {
		errs = append(errs, fmt.Errorf("Max: %d is negative and admits no retry", w.Max))
	}
	if w.Per < 0 {
		errs = append(errs, fmt.Errorf("Per: %v is negative and counts as %v", w.Per, DefaultWindowPer))
	}
	return errors.Join(errs...)
}
