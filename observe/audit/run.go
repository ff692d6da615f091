package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Run writes records until ctx ends or Close is called, then writes those that wait, makes a last checkpoint and returns nil. It
// returns an error at once if the fields make no sense, if the spool cannot be read, or if it was called before; and at its end if records
// that waited could not be written.
func (l *Log) Run(ctx context.Context) error {
	l.init()
	if l.Store == nil {
		return errors.New("audit log: Store: missing")
	}
	if err := CheckChain(l.chain()); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	w := writer{log: l, heads: make(chan Head, 1)}
	if err := l.begin(&w, stop); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	defer close(l.done)
	var anchoring sync.WaitGroup
	if l.Anchor != nil && len(l.Key) == ed25519.PrivateKeySize {
		anchoring.Go(func() { l.anchor(context.WithoutCancel(ctx), w.heads) })
	}
	for ctx.Err() == nil {
		w.round(ctx)
		w.wait(ctx)
	}
	err := w.end(context.WithoutCancel(ctx))
	close(w.heads)
	anchoring.Wait()
	if l.Spool != nil {
		err = errors.Join(err, l.Spool.close())
	}
	return err
}

// begin marks the log as running, once.
func (l *Log) begin(w *writer, stop context.CancelFunc) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running || l.ended {
		return errors.New("Run was called before")
	}
	if l.Spool != nil {
		left, _, err := l.Spool.next(1)
		if err != nil {
			return err
		}
		w.spooled = len(left) > 0
	}
	l.running, l.stop = true, stop
	if l.closing {
		stop()
	}
	return nil
}

// Close ends Run, and returns when it has ended. A Run that has not begun by then writes what waits, and ends.
func (l *Log) Close() error {
	l.init()
	l.mu.Lock()
	stop := l.stop
	l.closing = true
	l.mu.Unlock()
	if stop != nil {
		stop()
		<-l.done
	}
	return nil
}

// A writer is what Run keeps to itself.
type writer struct {
	log     *Log
	heads   chan Head // for checkpoints; holds the latest
	stuck   []Record  // that neither the store nor the spool took; nothing else is written before
	spooled bool      // the spool has records that the store lacks
	again   time.Time // when to try the store next, after it failed
	err     error     // of the store, when it failed
}

// round writes what waits, as far as it goes.
func (w *writer) round(ctx context.Context) {
	if w.stuck != nil && w.commit(ctx, w.stuck) != nil {
		return
	}
	for {
		batch := w.log.pull(w.log.batch())
		if len(batch) == 0 {
			break
		}
		records := make([]Record, len(batch))
		for i := range batch {
			records[i] = batch[i].record
		}
		err := w.commit(ctx, records)
		for _, i := range batch {
			if i.done != nil {
				i.done <- err
			}
		}
		if err != nil {
			w.refuse(err)
			return
		}
	}
	if w.spooled {
		w.commit(ctx, nil)
	}
}

// refuse tells those who wait that nothing is written. What they wanted recorded stays in the queue.
func (w *writer) refuse(err error) {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	for i := range w.log.waiting {
		if done := w.log.waiting[i].done; done != nil {
			done <- err
			w.log.waiting[i].done = nil
		}
	}
	if w.log.room != nil { // who waits for room must learn of it, too
		close(w.log.room)
		w.log.room = nil
	}
}

// commit makes records durable, in the store or in the spool. If it cannot, they are stuck, and the log is closed.
func (w *writer) commit(ctx context.Context, records []Record) error {
	l := w.log
	if !time.Now().Before(w.again) {
		w.err = w.store(ctx, records)
		if w.err == nil {
			w.stuck, w.again = nil, time.Time{}
			w.tell(func(s *Stats) { s.Err = nil })
			l.shut.Store(false)
			return nil
		}
		w.again = time.Now().Add(or(l.Again, 500*time.Millisecond))
		w.tell(func(s *Stats) { s.Err = w.err })
	}
	err := w.err
	if l.Spool != nil && len(records) > 0 {
		if err = l.Spool.put(records); err == nil {
			w.spooled, w.stuck = true, nil
			w.tell(func(s *Stats) { s.Spooled += uint64(len(records)) })
			l.shut.Store(false)
			return nil
		}
		err = errors.Join(w.err, err)
	}
	if len(records) > 0 {
		w.stuck = records
		l.shut.Store(true)
	}
	return err
}

// store appends what the spool has, and then records, to the store.
func (w *writer) store(ctx context.Context, records []Record) error {
	for w.spooled {
		old, bytes, err := w.log.Spool.next(w.log.batch())
		if err != nil {
			return err
		}
		if len(old) > 0 {
			err = w.append(ctx, old)
		}
		if err == nil {
			err = w.log.Spool.took(bytes)
		}
		if err != nil {
			return err
		}
		w.spooled = len(old) == w.log.batch()
	}
	if len(records) == 0 {
		return nil
	}
	return w.append(ctx, records)
}

func (w *writer) append(ctx context.Context, records []Record) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), or(w.log.Timeout, time.Second))
	defer stop()
	head, err := w.log.Store.Append(ctx, w.log.chain(), records)
	if err != nil {
		return err
	}
	w.tell(func(s *Stats) { s.Written += uint64(len(records)); s.Batches++; s.Head = head })
	select {
	case <-w.heads: // nobody has looked at the one before
	default:
	}
	w.heads <- head
	return nil
}

// tell changes the counts.
func (w *writer) tell(change func(*Stats)) {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	change(&w.log.stats)
}

// wait returns when there may be something to do.
func (w *writer) wait(ctx context.Context) {
	var timer <-chan time.Time
	if w.stuck != nil || w.spooled {
		timer = time.After(time.Until(w.again))
	}
	wake := w.log.wake
	if w.stuck != nil {
		wake = nil // nothing new is written before
	}
	select {
	case <-wake:
	case <-timer:
	case <-ctx.Done():
	}
}

// end writes what waits, for the last time.
func (w *writer) end(ctx context.Context) error {
	l := w.log
	l.mu.Lock()
	l.running, l.ended = false, true
	l.mu.Unlock()
	w.again = time.Time{}
	w.round(ctx)
	l.mu.Lock()
	lost := len(w.stuck) + len(l.waiting)
	l.mu.Unlock()
	w.refuse(ErrNotRunning)
	if lost > 0 {
		return fmt.Errorf("audit log: %d records were not written: %w", lost, w.err)
	}
	return nil
}

// anchor makes checkpoints of the heads that come.
func (l *Log) anchor(ctx context.Context, heads <-chan Head) {
	ticker := time.NewTicker(or(l.Within, 10*time.Second))
	defer ticker.Stop()
	var head Head
	var last uint64 // that the anchor has
	var retry time.Time
	for more := true; more; {
		var due bool
		select {
		case h, ok := <-heads:
			if more = ok; ok {
				head = h
			}
			due = !ok || head.Sequence-last >= uint64(or(l.Every, 10_000)) && !time.Now().Before(retry)
		case <-ticker.C:
			due = true
		}
		if !due || head.Sequence <= last {
			continue
		}
		ctx, stop := context.WithTimeout(ctx, or(l.Timeout, time.Second))
		err := l.Anchor.Anchor(ctx, Sign(l.Key, head, time.Now()))
		stop()
		l.mu.Lock()
		if l.stats.AnchorErr = err; err == nil {
			last = head.Sequence
			l.stats.Checkpoints++
		} else {
			retry = time.Now().Add(or(l.Again, 500*time.Millisecond))
		}
		l.mu.Unlock()
	}
}
