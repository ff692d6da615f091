package market

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A roster runs errands when they are due, a few at a time. It holds an errand once at the most, so
// it is as long as there are symbols.
type roster struct {
	mu      sync.Mutex
	waiting []*errand     // guarded by mu
	changed chan struct{} // guarded by mu; closed when waiting changes
}

// An errand is one thing to do for one symbol: read a snapshot, fill a gap.
type errand struct {
	do func(context.Context) // set before the first put

	// Guarded by the roster's mu.
	due     time.Time
	tries   int     // how often it failed in a row
	weight  float64 // the heaviest goes first
	waiting bool
}

// put makes e due at a time, instead of any time before.
func (r *roster) put(e *errand, due time.Time, tries int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.due, e.tries = due, tries
	if !e.waiting {
		e.waiting = true
		r.waiting = append(r.waiting, e)
	}
	r.wake()
}

// drop takes e off, if it waits.
func (r *roster) drop(e *errand) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(e)
}

// weigh gives e a weight.
func (r *roster) weigh(e *errand, weight float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.weight = weight
}

func (r *roster) remove(e *errand) {
	if i := slices.Index(r.waiting, e); i >= 0 {
		r.waiting = slices.Delete(r.waiting, i, i+1)
		e.waiting = false
	}
}

func (r *roster) wake() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// take returns an errand that is due, or how long to wait, or until what changes; never, if nothing waits.
//
// The times are random, but who takes them need not be: when a time has come, it is taken by the heaviest
// of those that failed as often as the one it was drawn for, which gets the other's time for it. So
// the most traded symbol is first, and the waits are spread as they were drawn.
func (r *roster) take(now time.Time) (e *errand, wait time.Duration, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.waiting {
		if e == nil || w.due.Before(e.due) {
			e = w
		}
	}
	if e != nil && !e.due.After(now) {
		first := e
		for _, w := range r.waiting {
			if w.tries == first.tries && w.weight > e.weight {
				e = w
			}
		}
		first.due, e.due = e.due, first.due
		r.remove(e)
		return e, 0, nil
	}
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	if e == nil {
		return nil, 1<<63 - 1, r.changed
	}
	return nil, e.due.Sub(now), r.changed
}

// run runs errands, n at a time, until ctx ends and the last one has returned.
func (r *roster) run(ctx context.Context, n int) error {
	var workers sync.WaitGroup
	for range n {
		workers.Go(func() { r.work(ctx) })
	}
	workers.Wait()
	return context.Cause(ctx)
}

func (r *roster) work(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		e, wait, changed := r.take(time.Now())
		if e != nil {
			e.do(ctx)
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
	}
}
