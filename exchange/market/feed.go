package market

import (
	"context"
	"sync"
)

// A Feed is a consumer of trades or candles, with a bounded queue of its own. When it is full, what
// comes is dropped, and a [Hole] with [ErrOverflow] stands in its place; of candles that still
// change, nothing does. Nobody waits for a slow consumer. Next is for one goroutine.
type Feed struct {
	size  int
	wake  chan struct{} // of capacity 1
	end   chan struct{} // closed by Close
	leave []func(*Feed)

	mu     sync.Mutex
	queue  []Event           // guarded by mu
	lost   map[string]*Event // guarded by mu; by symbol, what was dropped since the queue was full
	closed bool              // guarded by mu
}

func newFeed(size int) *Feed {
	return &Feed{
		size: positive(size, 1024), wake: make(chan struct{}, 1), end: make(chan struct{}), lost: make(map[string]*Event),
	}
}

// Next waits for the next event. It ends with ctx, with its cause, or with [ErrClosed].
func (f *Feed) Next(ctx context.Context) (Event, error) {
	for {
		if e, ok := f.take(); ok {
			return e, nil
		}
		select {
		case <-f.wake:
		case <-f.end:
			return Event{}, ErrClosed
		case <-ctx.Done():
			return Event{}, context.Cause(ctx)
		}
	}
}

// Close ends the consumer, and a Next that waits.
func (f *Feed) Close() {
	f.mu.Lock()
	if !f.closed {
		f.closed = true
		close(f.end)
	}
	f.queue = nil
	clear(f.lost)
	f.mu.Unlock()
	for _, leave := range f.leave {
		leave(f)
	}
}

func (f *Feed) take() (Event, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) > 0 {
		e := f.queue[0]
		f.queue = append(f.queue[:0], f.queue[1:]...)
		return e, true
	}
	for symbol, hole := range f.lost {
		delete(f.lost, symbol)
		return *hole, true
	}
	return Event{}, false
}

// push adds an event, after the hole before it if there is one.
func (f *Feed) push(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	hole := f.lost[e.Symbol]
	switch {
	case hole == nil && len(f.queue) < f.size:
		f.queue = append(f.queue, e)
	case hole != nil && len(f.queue)+2 <= f.size:
		f.queue = append(f.queue, *hole, e)
		delete(f.lost, e.Symbol)
	case e.Kind == Live:
		return
	case hole == nil:
		f.lost[e.Symbol] = &Event{Symbol: e.Symbol, Kind: Missing, Hole: e.span()}
	default:
		hole.Hole.join(e.span())
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// span is the hole that an event leaves when it is dropped.
func (e *Event) span() Hole {
	h := e.Hole
	switch e.Kind {
	case Traded:
		h = Hole{First: e.Trade.ID, Last: e.Trade.ID, From: e.Trade.At, To: e.Trade.At}
	case Closed, Correction:
		h = Hole{From: e.Candle.Start, To: e.Candle.Start}
	}
	h.Why = ErrOverflow
	return h
}

// join widens a hole by another.
func (h *Hole) join(o Hole) {
	h.First, h.Last = min(h.First, o.First), max(h.Last, o.Last)
	if o.From.Before(h.From) {
		h.From = o.From
	}
	if o.To.After(h.To) {
		h.To = o.To
	}
}
