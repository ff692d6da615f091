package order

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Seen takes what the private stream or a list says of an order. A report on an order that is not ours is nil; one that
// cannot be read is [ErrEvidence], and changes nothing. Evidence that our order exists ends all thought of sending it again.
func (m *Machine) Seen(ctx context.Context, r Report) error {
	return m.witness(ctx, r.Wire, r.VenueID, func(l *life) error { return m.see(ctx, l, &r, fromStream) })
}

// SeenFill takes a fill from the private stream or a list. One that is known already is nil.
func (m *Machine) SeenFill(ctx context.Context, f Fill) error {
	return m.witness(ctx, f.Wire, f.VenueID, func(l *life) error { return m.fills(ctx, l, []Fill{f}, fromStream) })
}

// witness finds whose evidence it is, and takes it in its turn.
func (m *Machine) witness(ctx context.Context, wire, venueID string, see func(*life) error) error {
	if err := m.enter(); err != nil {
		return err
	}
	defer m.leave()
	l, err := m.owner(ctx, wire, venueID)
	if err != nil || l == nil {
		return err
	}
	if err := l.take(ctx); err != nil {
		return err
	}
	defer l.give()
	if err := see(l); err != nil {
		return m.wrap(l.story.Intent.ID, err)
	}
	return nil
}

// owner finds the intent that a client id or a venue's id belongs to; nil if it is not ours.
func (m *Machine) owner(ctx context.Context, wire, venueID string) (*life, error) {
	m.mu.Lock()
	l := m.byWire[wire]
	if l == nil && venueID != "" && wire == "" {
		l = m.byVenue[venueID]
	}
	m.mu.Unlock()
	if l != nil {
		return l, nil
	}
	id, ok := strings.CutPrefix(wire, m.Rules.IDPrefix)
	if !ok || m.Rules.IDInteger || checkID(id, m.Prefix) != nil {
		m.counts.foreign.Add(1)
		return nil, nil
	}
	l, err := m.lookup(ctx, id)
	if err == ErrNoOrder {
		m.counts.foreign.Add(1)
		return nil, nil
	}
	return l, err
}

// tolerance is by how much the venue's clock may show less than the time that was signed: venues accept times from the
// near future (Binance: up to 1 s). What the estimate of that clock may have been wrong by comes on top.
const tolerance = time.Second

// earliest is when the venue can have made the order at the earliest; the zero time if it was not sent.
func (s *story) earliest() time.Time {
	first := s.firstSent()
	if first.IsZero() {
		return first
	}
	return first.Add(-tolerance - s.Attempts[0].Off)
}

// errContested says that evidence may be of an order that somebody else made.
var errContested = fmt.Errorf("%w: the venue had the client id before it was sent for the first time, and this does not say when it made its order", ErrEvidence)

// contested says that the venue knew the id when it was sent for the first time. Nothing is ours then but what it says it made
// since, or, once the order is parked, what persons have seen.
func (s *story) contested() bool {
	return s.duplicate && len(s.Attempts) == 1 && s.VenueID == "" && s.State != Parked
}

// see takes a report on an order. It needs the turn. Whatever it returns, a report that could not be written has not
// counted.
func (m *Machine) see(ctx context.Context, l *life, r *Report, source string) error {
	s := l.story
	event, err := m.read(s, r, source)
	if err != nil {
		m.counts.unreadable.Add(1)
		return err
	}
	known := s.VenueID != "" && r.VenueID == s.VenueID
	if s.contested() && r.Created.IsZero() {
		m.counts.unreadable.Add(1)
		return errContested
	}
	if !known && !r.Created.IsZero() && r.Created.Before(s.earliest()) {
		return m.clash(ctx, l, fmt.Sprintf("the venue's order %s was made %v before ours was sent: the client id was used before", r.VenueID, s.firstSent().Sub(r.Created)))
	}
	if why := s.mismatch(r); why != "" {
		if s.duplicate && len(s.Attempts) == 1 {
			return m.clash(ctx, l, why)
		}
		return m.breach(ctx, l, why)
	}
	if s.stale(r, event) {
		m.counts.stale.Add(1)
		m.resolved(l)
		return m.fills(ctx, l, r.Fills, source)
	}
	var entries []entry
	if s.says(r, source) {
		bare := *r
		bare.Fills = nil
		entries = append(entries, entry{kind: KindReport, line: line{Event: event, Why: r.why(), Report: &bare, Source: source}})
	}
	fresh, err := s.fresh(r.Fills)
	if err != nil {
		m.counts.unreadable.Add(1)
		return err
	}
	return m.take(ctx, l, append(entries, filled(fresh, source)...))
}

// fills takes fills. It needs the turn.
func (m *Machine) fills(ctx context.Context, l *life, list []Fill, source string) error {
	if l.story.contested() && len(list) > 0 {
		m.counts.unreadable.Add(1)
		return errContested
	}
	fresh, err := l.story.fresh(list)
	if err != nil {
		m.counts.unreadable.Add(1)
		return err
	}
	entries := filled(fresh, source)
	if len(entries) > 0 {
		sum := l.story.Filled
		for _, f := range fresh {
			sum = sum.Add(f.Quantity)
		}
		event := SeenWorking
		if sum.Cmp(l.story.Terms.Quantity) >= 0 {
			event = SeenFilled
		}
		entries[len(entries)-1].line.Event = event
	}
	return m.take(ctx, l, entries)
}

// take writes evidence and closes what it completes.
func (m *Machine) take(ctx context.Context, l *life, entries []entry) error {
	s := l.story
	if len(entries) == 0 {
		m.resolved(l)
		return nil
	}
	trial := *s // the fold without its effects
	trial.keys = make(map[string]bool)
	for i := range entries {
		trial.fold(entries[i].kind, s.Changed, &entries[i].line)
	}
	if trial.Executed.Cmp(s.most) > 0 {
		entries = append(entries, entry{kind: KindMove, line: line{
			Event: Mismatch, Why: fmt.Sprintf("%s was executed of %s", trial.Executed, s.most),
		}})
	} else if trial.State.Terminal() && trial.whole() || s.Closed && trial.State == Breach && s.State == Breach {
		entries = append(entries, closing)
	}
	if err := m.write(ctx, l, entries...); err != nil {
		m.plan(l, m.Rules.spacing()) // it is read again
		return err
	}
	m.resolved(l)
	l.retries = 0
	if s.Closed {
		m.retire(l)
		return nil
	}
	m.reopen(l)
	switch {
	case s.State == Breach, s.wanted:
		m.plan(l, 0)
	default:
		m.plan(l, m.Rules.firstWait())
	}
	return nil
}

// breach records that what the venue has is not what was meant. It needs the turn.
func (m *Machine) breach(ctx context.Context, l *life, why string) error {
	if l.story.State == Breach {
		return nil
	}
	if err := m.write(ctx, l, entry{kind: KindMove, line: line{Event: Mismatch, Why: why}}); err != nil {
		return err
	}
	m.resolved(l)
	m.reopen(l)
	m.plan(l, 0)
	return nil
}

// clash parks an order whose id somebody used before: what the venue has under it is not ours, and nobody can tell what ours is.
func (m *Machine) clash(ctx context.Context, l *life, why string) error {
	return m.park(ctx, l, "id clash: "+why)
}

// park gives up proving. It needs the turn.
func (m *Machine) park(ctx context.Context, l *life, why string) error {
	if s := l.story; s.State != Verifying && s.State != Unknown {
		return fmt.Errorf("%w: %s", ErrEvidence, why)
	}
	if err := m.write(ctx, l, entry{kind: KindMove, line: line{Event: ProofImpossible, Why: why}}); err != nil {
		m.plan(l, m.Rules.spacing())
		return err
	}
	m.resolved(l)
	return nil
}
