package audit

import (
	"context"
	"errors"
)

// Record writes a record and returns when it is durable, in the store or in the spool. It is for commands and for anything else that must be on
// record before it counts. What is missing is filled in: ID, Time, Mono, Node, Build and Config. Texts are cut to their limits.
//
// It waits for room and for the write; the end of ctx ends that. After an error the record may still be written: a closed log returns at once, and
// keeps the record for when its store is back. Errors match [ErrClosed], [ErrNotRunning], what the store returned, or the cause of the
// context.
func (l *Log) Record(ctx context.Context, r Record) error {
	l.init()
	r = l.complete(r)
	err := l.durable(ctx, nil, r)
	if errors.Is(err, ErrClosed) {
		l.note(r, true)
	}
	return err
}

// durable hands a record over and waits until it is written, or ctx or halted, which may be nil, ends.
func (l *Log) durable(ctx context.Context, halted context.Context, r Record) error {
	if halted == nil {
		halted = context.Background()
	}
	done := make(chan error, 1)
	for {
		room, err := l.offer(item{r, done})
		if err != nil {
			return err
		}
		if room == nil {
			break
		}
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-halted.Done():
			return context.Cause(halted)
		}
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-halted.Done():
		return context.Cause(halted)
	}
}

// offer puts an item that somebody waits for into the queue. If there is no room for it, it returns a channel that is closed when there may
// be. A quarter of the queue is kept for how things ended.
func (l *Log) offer(i item) (room <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.running:
		return nil, ErrNotRunning
	case l.shut.Load():
		return nil, errors.Join(ErrClosed, l.stats.Err)
	case len(l.waiting) >= max(1, l.queue()-l.queue()/4):
		if l.room == nil {
			l.room = make(chan struct{})
		}
		return l.room, nil
	}
	l.push(i)
	return nil, nil
}

// note puts a record that nobody waits for into the queue, or counts that it found no room.
func (l *Log) note(r Record, order bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	most := l.queue()
	if !order {
		most = max(1, most/2)
	}
	if len(l.waiting) < most && !l.ended {
		l.push(item{record: r})
		return
	}
	l.dropped++
	if order {
		l.stats.LostOrders++
	} else {
		l.stats.Dropped++
	}
}

// push adds an item. mu is held.
func (l *Log) push(i item) {
	l.waiting = append(l.waiting, i)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// pull takes up to n items, and tells those who wait for room. Where records were dropped, it adds one that says so.
func (l *Log) pull(n int) []item {
	l.mu.Lock()
	defer l.mu.Unlock()
	n = min(n, len(l.waiting))
	batch := make([]item, n, n+1)
	copy(batch, l.waiting)
	left := copy(l.waiting, l.waiting[n:])
	clear(l.waiting[left:])
	l.waiting = l.waiting[:left]
	if l.dropped > 0 {
		batch = append(batch, item{record: l.complete(Record{Decision: Drop, Rule: "the queue was full", Count: l.dropped})})
		l.dropped = 0
	}
	if l.room != nil && n > 0 {
		close(l.room)
		l.room = nil
	}
	return batch
}
