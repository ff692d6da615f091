package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relent-go/relent/exchange"
)

// Cancel asks to take an order back, and returns when the venue has been asked once; Run asks again until there is
// evidence that the order is done. An order that was not sent yet is given up at once. An order in doubt is cancelled,
// too, which helps but proves nothing: it may not have arrived. So is one whose amend is in doubt. Until it is terminal an order counts in full.
//
// An error means that nothing has left by this call. If it matches [ErrUnsent], the wish is in the log all the same, and Run asks
// again; the error matches its cause, too, such as the stop that forbade the request.
func (m *Machine) Cancel(ctx context.Context, id string) (Order, error) {
	return m.commanding(ctx, id, func(l *life) error { return m.wish(ctx, l) })
}

// commanding runs a command on an order of this process, in its turn.
func (m *Machine) commanding(ctx context.Context, id string, do func(*life) error) (Order, error) {
	if err := m.enter(); err != nil {
		return Order{}, m.wrap(id, err)
	}
	defer m.leave()
	l, err := m.lookup(ctx, id)
	if err != nil {
		return Order{}, m.wrap(id, err)
	}
	if err := l.take(ctx); err != nil {
		return *l.order(), m.wrap(id, err)
	}
	defer l.give()
	if err := do(l); err != nil {
		return *l.order(), m.wrap(id, err)
	}
	return *l.order(), nil
}

// wish records that an order shall be cancelled, and does what can be done at once.
func (m *Machine) wish(ctx context.Context, l *life) error {
	s := l.story
	if s.State.Terminal() {
		return nil
	}
	if !s.wanted {
		c := Command{ID: m.commandID(s), Kind: cancelling}
		if err := m.put(ctx, l, entry{KindCommand, c.ID, line{Command: &c}}); err != nil {
			return err
		}
	}
	switch {
	case l.flight != nil: // it follows when the answer is there
	case s.State == Recorded, s.State == Absent:
		m.abandon(ctx, l, errUnwanted)
	default:
		if err := m.sendCancel(ctx, l); err != nil {
			return fmt.Errorf("%w: %w", ErrUnsent, err)
		}
	}
	return nil
}

// commandID makes the next id of a command on an order.
func (m *Machine) commandID(s *story) string {
	return NewID(m.Prefix, "command:"+s.Intent.ID, uint64(s.commands+1))
}

// maxCancels is how often a cancel is asked for before a person is told.
const maxCancels = 5

// sendCancel asks the venue to cancel, once, or says why nothing has left. It needs the turn.
func (m *Machine) sendCancel(ctx context.Context, l *life) error {
	s := l.story
	f := &flight{l: l, kind: exchange.Cancel, command: m.commandID(s), until: time.Now().Add(m.sendTimeout())}
	if s.Command != nil {
		f.command = s.Command.ID
	}
	l.cancels++
	ref := s.Ref()
	err := errPanicked
	m.fly(ctx, f, func(ctx context.Context, _ Intent) { err = m.Adapter.Cancel(ctx, ref, f.command) }, func() {
		// Whatever the answer was, "unknown order" and "already done" too: a read decides.
		wait := min(m.Rules.firstWait()<<min(l.cancels-1, 6), 30*time.Second)
		if f.verdict != nil {
			wait = max(wait, f.verdict.After)
		}
		l.cancelAfter = time.Now().Add(wait)
		m.plan(l, wait)
	})
	return m.unsent(f, err)
}

// follow reads on what is acked, or in breach, as long as something about it is open. It needs the turn.
func (m *Machine) follow(ctx context.Context, l *life) {
	s := l.story
	breach := s.State == Breach && s.late && s.Status.rank() < 3
	if !breach && !(s.State == Acked && m.unsettled(l)) {
		return
	}
	l.repairs++
	r, err := m.look(ctx, l, breach)
	if err == nil {
		l.unseen = false
	}
	switch {
	case s.State != Acked && s.State != Breach || l.flight != nil:
		m.onward(l)
		return
	case s.Command != nil && s.Command.Kind == amending:
		m.compare(ctx, l, &r)
	case s.wanted && s.State == Acked, breach && s.Status.rank() < 3:
		m.insist(ctx, l)
	}
	if err == nil && s.Filled != s.Executed {
		m.repair(ctx, l)
	}
	m.plan(l, min(m.Rules.spacing()<<min(l.repairs, 5), 30*time.Second))
}

// look reads an order that is known to exist.
func (m *Machine) look(ctx context.Context, l *life, breach bool) (Report, error) {
	r, err := m.ask(ctx, l, l.story.Ref())
	switch {
	case errors.Is(err, ErrUnsupported), errors.Is(err, ErrNotFound) && !m.Rules.QueryClosed:
		_, err = m.lists(ctx, l)
	case err == nil && breach && l.story.State == Breach:
		err = m.late(ctx, l, &r)
	case err == nil:
		err = m.see(ctx, l, &r, fromQuery)
	}
	return r, err
}

// late takes what a read says of an order in breach, whose terms need not match any more.
func (m *Machine) late(ctx context.Context, l *life, r *Report) error {
	event, err := m.read(l.story, r, fromQuery)
	if err != nil || l.story.stale(r, event) || !l.story.says(r, fromQuery) {
		return err
	}
	return m.write(ctx, l, entry{kind: KindReport, line: line{Report: r, Source: fromQuery}})
}

// unsettled says that something about an acked order is open.
func (m *Machine) unsettled(l *life) bool {
	s := l.story
	return s.wanted || l.restored || l.unseen || s.Command != nil || !s.whole() || !s.firm && !m.Rules.AckIsEngine
}

// insist asks to cancel again, and tells a person if that does not work.
func (m *Machine) insist(ctx context.Context, l *life) {
	if time.Now().Before(l.cancelAfter) {
		return
	}
	_ = m.sendCancel(ctx, l) // it is asked for again
	if l.cancels > maxCancels && !l.alarmed {
		l.alarmed = true
		m.alarm(ctx, AlarmCancel, l, "order %s still works after %d requests to cancel it: cancel it at the venue", l.story.Intent.ID, l.cancels)
	}
}

// settle completes the fills of an order that is done. It needs the turn.
func (m *Machine) settle(ctx context.Context, l *life) {
	s := l.story
	if !s.State.Terminal() {
		return // parked: a person or evidence comes
	}
	if !s.whole() {
		l.repairs++
		m.repair(ctx, l)
	}
	if !s.Closed && s.State.Terminal() && s.whole() && m.write(ctx, l, closing) == nil { // opened again by a line that says nothing new
		m.retire(l)
	}
	if s.Closed {
		return
	}
	m.plan(l, min(m.Rules.spacing()<<min(l.repairs, 5), 30*time.Second))
}

// maxRepairs is how often missing fills are read before a person is told. The reads go on.
const maxRepairs = 5

// repair reads the fills that are missing. None is invented.
func (m *Machine) repair(ctx context.Context, l *life) {
	s := l.story
	_, err := m.readFills(ctx, l)
	if s.whole() || l.repairs < maxRepairs || l.alarmed {
		return
	}
	l.alarmed = true
	m.alarm(ctx, AlarmFills, l, "the venue says that %s of order %s was executed, and its fills add up to %s: %s. Look them up at the venue",
		s.Executed, s.Intent.ID, s.Filled, errText(err))
}
