package order

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// A Resolution is what two persons say of an order that is parked or in breach. It is recorded in the log before it counts.
type Resolution struct {
	ID       string `json:"id"`
	Actor    string `json:"actor"`    // who looked
	Approver string `json:"approver"` // who agrees: somebody else
	Reason   string `json:"reason"`   // what they saw, and where
	Ticket   string `json:"ticket,omitempty"`

	// Seen is the Changed of the order that they looked at. A decision that waits in a log of [Decisions] is only taken while the
	// order is still as it was. Machine.Resolve does not compare it.
	Seen time.Time `json:"seen,omitzero"`
}

// Resolve ends a parked order as abandoned, because two persons say that the venue does not have it, and opens its symbol
// and side again. Of an order in breach it says that the venue's orders have been put right: its account is opened again,
// and the order is closed as it is. Persons who saw a parked order exist report it with Seen instead.
func (m *Machine) Resolve(ctx context.Context, r Resolution) (Order, error) {
	return m.commanding(ctx, r.ID, func(l *life) error { return m.resolve(ctx, l, r) })
}

// resolve needs the turn.
func (m *Machine) resolve(ctx context.Context, l *life, r Resolution) error {
	if err := r.Check(); err != nil {
		return err
	}
	s := l.story
	event := OperatorAbsent
	switch {
	case s.State == Parked:
	case s.State == Breach && !s.Closed:
		event = NoEvent
	default:
		return fmt.Errorf("%w: it is %s; only what is parked or in breach is resolved", ErrState, s.State)
	}
	why := fmt.Sprintf("resolved by %s and %s: %s", strings.TrimSpace(r.Actor), strings.TrimSpace(r.Approver), r.Reason)
	if err := m.put(ctx, l, entry{kind: KindResolve, line: line{Event: event, Why: why, Resolve: &r}}, closing); err != nil {
		return err
	}
	m.retire(l)
	if event == NoEvent {
		m.alarm(ctx, AlarmResolved, l, "order %s in breach is %s", s.Intent.ID, why)
	}
	return nil
}
