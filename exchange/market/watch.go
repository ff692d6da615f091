package market

import (
	"context"
	"errors"
	"sync"
)

// ErrClosed is returned by consumers that were closed.
var ErrClosed = errors.New("closed")

// A Watch is a consumer of books. A symbol that changed waits in its queue once, however often it
// changed: a slow consumer sees the newest state and how many it missed, and makes nobody wait. So
// the queue is never longer than the list of symbols. Next is for one goroutine.
type Watch struct {
	depth int
	wake  chan struct{} // of capacity 1
	end   chan struct{} // closed by Close

	mu     sync.Mutex
	queue  []*seat // guarded by mu
	seats  []*seat
	closed bool // guarded by mu
}

// A seat is where a Watch waits for one book.
type seat struct {
	watch  *Watch
	entry  *entry
	queued bool   // guarded by watch.mu
	missed uint64 // guarded by watch.mu
}

// Watch returns a consumer of the best depth levels of symbols, all levels if depth is not positive.
// Symbols that were not added are left out. The first Next returns the states as they are.
func (b *Books) Watch(depth int, symbols ...string) *Watch {
	w := &Watch{depth: depth, wake: make(chan struct{}, 1), end: make(chan struct{})}
	for _, symbol := range symbols {
		if e := b.entry(symbol); e != nil {
			s := &seat{watch: w, entry: e}
			w.seats = append(w.seats, s)
			e.mu.Lock()
			e.watchers = append(e.watchers, s)
			s.changed()
			e.mu.Unlock()
		}
	}
	return w
}

// Next waits until a book has changed and copies its newest state into v. It ends with ctx, with its
// cause, or with [ErrClosed].
func (w *Watch) Next(ctx context.Context, v *View) error {
	for {
		if s, missed := w.take(); s != nil {
			s.entry.mu.Lock()
			s.entry.book.View(v, w.depth)
			s.entry.mu.Unlock()
			v.Missed = missed
			return nil
		}
		select {
		case <-w.wake:
		case <-w.end:
			return ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Close ends the consumer, and a Next that waits.
func (w *Watch) Close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.end)
	}
	w.queue = nil
	w.mu.Unlock()
	for _, s := range w.seats {
		s.entry.leave(s)
	}
}

func (w *Watch) take() (*seat, uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return nil, 0
	}
	s := w.queue[0]
	w.queue = append(w.queue[:0], w.queue[1:]...)
	missed := s.missed
	s.queued, s.missed = false, 0
	return s, missed
}

// changed is called with the mutex of the entry held.
func (s *seat) changed() {
	w := s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
	case s.queued:
		s.missed++
	default:
		s.queued = true
		w.queue = append(w.queue, s)
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}
