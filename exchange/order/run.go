package order

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Run takes the lease, restores what the log holds, and then verifies, repairs and sends again until ctx ends, Close is
// called, or the lease is lost to another process. It returns when its last goroutine has; nil after Close or the end of
// ctx. It can run once.
func (m *Machine) Run(ctx context.Context) error {
	m.init()
	if err := m.Check(); err != nil {
		return fmt.Errorf("order machine: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m.mu.Lock()
	if m.began {
		m.mu.Unlock()
		return errors.New("order machine: Run was called before")
	}
	m.began, m.stop = true, cancel
	m.mu.Unlock()
	defer close(m.done)
	if err := m.restore(ctx); err != nil {
		m.fail(err)
		return fmt.Errorf("order machine: %w", err)
	}
	var wg sync.WaitGroup
	jobs := make(chan *life)
	for range m.workers() {
		wg.Go(func() {
			for l := range jobs {
				m.step(ctx, l)
			}
		})
	}
	wg.Go(func() { m.renew(ctx) })
	wg.Go(func() { m.sweep(ctx) })
	wg.Go(func() { m.deadMan(ctx) })
	m.mu.Lock()
	m.running = true
	m.mu.Unlock()
	close(m.ready)
	m.serve(ctx, jobs)
	close(jobs)
	m.mu.Lock()
	m.running = false
	m.mu.Unlock()
	wg.Wait()
	m.calls.Wait()
	m.release(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

// release gives the lease back, so that a restart need not wait for its end.
func (m *Machine) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	_ = m.Log.Release(ctx, m.lease) // else it runs out by itself
}

// Ready is closed when orders can be submitted.
func (m *Machine) Ready() <-chan struct{} {
	m.init()
	return m.ready
}

// Close stops Run and returns when it has returned, which waits for the attempts of callers that are under way, so that
// their answers are not lost. What is in doubt then is verified by the next process. Without Run it does nothing.
func (m *Machine) Close() error {
	m.init()
	m.mu.Lock()
	began, stop := m.began, m.stop
	m.mu.Unlock()
	if began {
		stop()
		<-m.done
	}
	return nil
}

// serve hands out what is due.
func (m *Machine) serve(ctx context.Context, jobs chan<- *life) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		l, wait := m.next(time.Now())
		if l != nil {
			select {
			case jobs <- l:
			case <-ctx.Done():
				return
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-m.wake:
		case <-ctx.Done():
			return
		}
	}
}

// renew keeps the lease. A log that is away for a while is no reason to stop: it refuses what must not be written.
func (m *Machine) renew(ctx context.Context) {
	tick := time.NewTicker(m.leaseSpan() / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		lease, err := m.Log.Acquire(ctx, m.Scope, m.Owner, m.leaseSpan())
		switch {
		case err == nil && lease == m.lease, ctx.Err() != nil:
		case err == nil, errors.Is(err, ErrHeld):
			m.fail(ErrFenced)
			m.alarm(ctx, AlarmLog, nil, "the lease to write orders is lost to another process: this one sends nothing any more. See which of them should run")
		default:
			m.counts.logErrors.Add(1)
		}
	}
}

// restore takes the lease and finds what is open.
func (m *Machine) restore(ctx context.Context) error {
	lease, err := m.Log.Acquire(ctx, m.Scope, m.Owner, m.leaseSpan())
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.lease = lease
	m.mu.Unlock()
	after := ""
	for {
		ids, err := m.Log.Open(ctx, m.Scope, after, 500)
		if err != nil {
			return fmt.Errorf("%w: list what is open: %w", ErrLog, err)
		}
		if len(ids) == 0 {
			return nil
		}
		for _, id := range ids {
			if err := m.revive(ctx, id); err != nil {
				return err
			}
		}
		after = ids[len(ids)-1]
	}
}

// revive brings one intent back.
func (m *Machine) revive(ctx context.Context, id string) error {
	entries, err := m.Log.Load(ctx, m.Scope, id)
	if err != nil {
		return fmt.Errorf("%w: load %s: %w", ErrLog, id, err)
	}
	s, err := replay(entries)
	if err != nil {
		return err
	}
	l := newLife(s)
	l.must()
	defer l.give()
	if s.Intent.ID == "" { // something was written about an intent that was not
		s.Intent.ID = id
		return m.write(ctx, l, closing)
	}
	m.adopt(l)
	m.regate(&s.Intent, closesNothing, s.closes())
	switch s.State {
	case Parked, Breach:
		m.entered(ctx, l, s.State)
	case Sending:
		err = m.write(ctx, l, entry{kind: KindOutcome, line: line{
			Event: Unproven, Why: "the process ended before the answer", Answer: &Answer{N: s.last().N, Outcome: "unknown"},
		}})
	}
	if !s.State.Terminal() && s.State != Parked && s.State != Breach {
		l.restored = true
		m.mu.Lock()
		m.restored[s.Intent.Symbol]++
		m.mu.Unlock()
	}
	m.plan(l, 0)
	return err
}

// adopt puts a life into the tables.
func (m *Machine) adopt(l *life) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := l.story
	m.byID[s.Intent.ID] = l
	m.byWire[s.Intent.Wire] = l
	if s.VenueID != "" {
		m.byVenue[s.VenueID] = l
	}
	if !s.Closed {
		m.open++
	}
}

// resolved says that what a restart found has been read.
func (m *Machine) resolved(l *life) {
	if !l.restored {
		return
	}
	l.restored = false
	m.mu.Lock()
	defer m.mu.Unlock()
	symbol := l.story.Intent.Symbol
	if m.restored[symbol]--; m.restored[symbol] <= 0 {
		delete(m.restored, symbol)
	}
}

// retire lets a closed intent be forgotten when there are too many of them.
func (m *Machine) retire(l *life) {
	m.resolved(l)
	if l.retired {
		return
	}
	l.retired = true
	m.mu.Lock()
	defer m.mu.Unlock()
	if l.index > 0 {
		heap.Remove(&m.due, l.index-1)
	}
	m.open--
	m.closed = append(m.closed, l.story.Intent.ID)
	for len(m.closed) > m.maxRemember() {
		old := m.byID[m.closed[0]]
		m.closed = m.closed[1:]
		o := old.order()
		delete(m.byID, o.Intent.ID)
		delete(m.byWire, o.Intent.Wire)
		delete(m.byVenue, o.VenueID)
		if m.canary == old {
			m.canary = nil
		}
	}
}

// reopen counts a closed intent in again that has got late evidence.
func (m *Machine) reopen(l *life) {
	if !l.retired {
		return
	}
	l.retired = false
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open++
	m.closed = slices.DeleteFunc(m.closed, func(id string) bool { return id == l.story.Intent.ID })
}

// step does what is due for one intent.
func (m *Machine) step(ctx context.Context, l *life) {
	if l.take(ctx) != nil {
		return
	}
	defer l.give()
	if !l.named {
		l.named = true
		m.aside(ctx, l, func(ctx context.Context) { _, _ = m.holdingOf(ctx, l.order().Intent.Symbol) }) // its fills are to count
	}
	if l.flight != nil { // whoever made it goes on afterwards
		if l.flight.overdue() {
			m.doubt(ctx, l)
		} else {
			m.plan(l, time.Until(l.flight.until))
		}
		return
	}
	if l.void {
		m.bury(ctx, l)
		return
	}
	s := l.story
	if s.Closed {
		m.retire(l)
		return
	}
	if s.State == Parked || s.State == Breach {
		m.decided(ctx, l)
		if s = l.story; s.Closed {
			return
		}
	}
	switch s.State {
	case Recorded, Absent:
		m.again(ctx, l)
	case Unknown:
		if m.write(ctx, l, entry{kind: KindMove, line: line{Event: ReadDue}}) != nil {
			m.plan(l, m.Rules.spacing())
			return
		}
		m.verify(ctx, l)
	case Verifying:
		m.verify(ctx, l)
	case Acked, Breach:
		m.follow(ctx, l)
	default:
		m.settle(ctx, l)
	}
}
