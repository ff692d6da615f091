package order

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Submit records an intent and makes its first attempt. It returns when the attempt has been judged; what is to be done
// after that is done by Run: see the State of the order, and Wait.
//
//   - A nil error means that an attempt was made. The order may be acked or done, in doubt (Unknown), refused by the venue
//     (Rejected), or about to be sent again (Recorded).
//   - [ErrGuard] and [ErrGated] mean that nothing was sent and nothing will be. Such an error matches its cause, too: what the
//     gate or the check has returned.
//   - [ErrExists] means that the id was submitted before with the same terms; the order is that one. [ErrReused] means
//     that it was for other terms.
//   - [ErrLog] means that nothing was sent. The machine gives the intent up as soon as the log lets it.
//
// The context bounds the attempt. If it ends after a byte has left, the order is in doubt and verified as any other.
func (m *Machine) Submit(ctx context.Context, i Intent) (Order, error) {
	return m.after(ctx, i, time.Time{})
}

// after is Submit for an intent that was made a while ago; the zero time means now.
func (m *Machine) after(ctx context.Context, i Intent, created time.Time) (Order, error) {
	if err := m.enter(); err != nil {
		return Order{}, m.wrap(i.ID, err)
	}
	defer m.leave()
	if created.IsZero() {
		created = m.now()
	}
	return m.submit(ctx, i, created, nil)
}

func (m *Machine) wrap(id string, err error) error {
	return fmt.Errorf("order %s %s: %w", m.Venue, id, err)
}

// submit makes the first attempt by launch; nil means a plain order.
func (m *Machine) submit(ctx context.Context, i Intent, created time.Time, launch func(*life)) (Order, error) {
	l, err := m.record1(ctx, i, created)
	if l == nil {
		return Order{}, m.wrap(i.ID, err)
	}
	if err != nil {
		return *l.order(), m.wrap(l.order().Intent.ID, err)
	}
	defer l.give()
	if launch == nil {
		m.send(ctx, l, false)
	} else {
		launch(l)
	}
	o := l.order()
	if o.State == Abandoned {
		err = m.wrap(o.Intent.ID, guarded(l.cause))
	}
	return *o, err
}

// record1 writes an intent. The life it returns without an error is the caller's turn; one with an error is somebody else's.
func (m *Machine) record1(ctx context.Context, i Intent, created time.Time) (*life, error) {
	if err := m.complete(&i, created); err != nil {
		return nil, err
	}
	if l, err := m.taken(ctx, &i); l != nil || err != nil {
		return l, err
	}
	if err := m.check(ctx, &i, 1, false); err != nil {
		return nil, err
	}
	s := &story{Order: Order{Intent: i, Terms: i.Terms}, keys: make(map[string]bool)}
	l := newLife(s)
	l.must()
	if err := m.reserve(l); err != nil {
		l.give()
		return nil, err
	}
	err := m.put(ctx, l, entry{KindIntent, "1", line{Intent: &i}})
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, ErrTwice): // written before this process: the story is that one now
		m.forget(l)
		l.give()
		if l.story == s { // which could not be read
			return nil, err
		}
		return l, m.same(&l.story.Intent, &i)
	}
	l.void = true // the log may have it; a restart must not send it
	m.plan(l, m.Rules.spacing())
	l.give()
	return nil, err
}

// complete fills in what the caller leaves to the machine, and checks the rest.
func (m *Machine) complete(i *Intent, created time.Time) error {
	if err := i.Terms.normalize(); err != nil {
		return err
	}
	if i.ID == "" {
		if i.Strategy == "" {
			return fmt.Errorf("%w: ID: is missing, and so is the Strategy to make one of", ErrTerms)
		}
		i.ID = NewID(m.Prefix, i.Strategy, i.Counter)
	}
	if err := checkID(i.ID, m.Prefix); err != nil {
		return fmt.Errorf("%w: %w", ErrTerms, err)
	}
	var err error
	if i.GuardBPS != 0 || i.Decision != "" {
		if i.Decision, err = ParseDecimal(string(i.Decision)); err != nil || i.Decision.Sign() <= 0 || i.GuardBPS <= 0 || i.GuardBPS > 10_000 {
			return fmt.Errorf("%w: GuardBPS: a price guard needs 1 to 10,000 bps, and the price of the decision: %w", ErrTerms, errors.Join(err))
		}
	}
	if i.MaxAttempts <= 0 {
		i.MaxAttempts = 3
	}
	i.Venue, i.Account, i.Wire, i.Created = m.Venue, m.Account, m.Rules.Wire(i.ID), created
	i.Taking = m.takes(&i.Terms)
	sum := i.Hash()
	i.Sum = hex.EncodeToString(sum[:])
	return nil
}

// taken finds an intent of the same id in memory.
func (m *Machine) taken(ctx context.Context, i *Intent) (*life, error) {
	m.mu.Lock()
	l := m.byID[i.ID]
	m.mu.Unlock()
	if l == nil {
		return nil, nil
	}
	if err := l.take(ctx); err != nil { // whoever holds it may be writing it
		return nil, err
	}
	defer l.give()
	return l, m.same(&l.story.Intent, i)
}

func (m *Machine) same(old, i *Intent) error {
	if old.Sum == i.Sum {
		return ErrExists
	}
	return ErrReused
}

// reserve puts a life into the tables if there is room and nobody else was quicker.
func (m *Machine) reserve(l *life) error {
	i := &l.story.Intent
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open >= m.maxOpen() {
		return fmt.Errorf("%w: %d", ErrFull, m.open)
	}
	if m.byID[i.ID] != nil || m.byWire[i.Wire] != nil {
		return fmt.Errorf("%w: another call submits it now, or the venue would take its client id for another order's", ErrReused)
	}
	m.byID[i.ID], m.byWire[i.Wire] = l, l
	m.open++
	return nil
}

// forget takes a life out of the tables.
func (m *Machine) forget(l *life) {
	o := l.order()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byID[o.Intent.ID] == l {
		delete(m.byID, o.Intent.ID)
		delete(m.byWire, o.Intent.Wire)
		m.open--
	}
}

// bury ends an intent of which nobody knows whether it is in the log.
func (m *Machine) bury(ctx context.Context, l *life) {
	err := m.write(ctx, l, entry{kind: KindMove, line: line{Event: GuardFailed, Why: "the log did not take it when it was submitted"}}, closing)
	switch {
	case err == nil || l.story.Closed:
		l.void = false
		m.retire(l)
	default:
		m.plan(l, m.Rules.spacing())
	}
}

// Wait returns when an order is acked, terminal, parked or in breach.
func (m *Machine) Wait(ctx context.Context, id string) (Order, error) {
	return m.await(ctx, id, func(o *Order) bool {
		return o.State == Acked || o.State.Terminal() || o.State == Parked || o.State == Breach
	})
}

// WaitDone returns when an order is terminal and its fills add up, or when it is parked or in breach.
func (m *Machine) WaitDone(ctx context.Context, id string) (Order, error) {
	return m.await(ctx, id, func(o *Order) bool { return o.Closed || o.State == Parked || o.State == Breach })
}

func (m *Machine) await(ctx context.Context, id string, until func(*Order) bool) (Order, error) {
	l, err := m.lookup(ctx, id)
	if err != nil {
		return Order{}, m.wrap(id, err)
	}
	for {
		now := l.shown.Load()
		if until(&now.order) {
			return now.order, nil
		}
		select {
		case <-now.changed:
		case <-ctx.Done():
			return now.order, m.wrap(id, context.Cause(ctx))
		case <-m.done:
			return now.order, m.wrap(id, ErrNotReady)
		}
	}
}

// Get returns what is known of an order, also of one that was closed long ago.
func (m *Machine) Get(ctx context.Context, id string) (Order, error) {
	l, err := m.lookup(ctx, id)
	if err != nil {
		return Order{}, m.wrap(id, err)
	}
	return *l.order(), nil
}

// lookup finds an intent in memory, or else in the log.
func (m *Machine) lookup(ctx context.Context, id string) (*life, error) {
	m.init()
	m.mu.Lock()
	l := m.byID[id]
	m.mu.Unlock()
	if l != nil {
		return l, nil
	}
	entries, err := m.Log.Load(ctx, m.Scope, id)
	if err != nil {
		return nil, fmt.Errorf("%w: load: %w", ErrLog, err)
	}
	s, err := replay(entries)
	switch {
	case err != nil:
		return nil, err
	case s.Intent.ID == "":
		return nil, ErrNoOrder
	}
	return m.recall(newLife(s)), nil
}

// recall brings a closed intent back into memory, where it may get late evidence.
func (m *Machine) recall(l *life) *life {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := l.story.Intent.ID
	if quicker := m.byID[id]; quicker != nil {
		return quicker
	}
	if !l.story.Closed || !m.running {
		return l // of another prefix, or only to be looked at
	}
	m.byID[id], m.byWire[l.story.Intent.Wire] = l, l
	if l.story.VenueID != "" {
		m.byVenue[l.story.VenueID] = l
	}
	l.retired = true
	m.closed = append(m.closed, id)
	return l
}
