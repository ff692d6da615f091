package order

import (
	"context"
	"fmt"
	"strings"
)

// A Resolution is what two persons say of an order that is parked or in breach. It is recorded in the log before it counts.
type Resolution struct {
	ID       string `json:"id"`
	Actor    string `json:"actor"`    // who looked
	Approver string `json:"approver"` // who agrees: somebody else
	Reason   string `json:"reason"`   // what they saw, and where
	Ticket   string `json:"ticket,omitempty"`
}

// Resolve ends a parked order as abandoned, because two persons say that the venue does not have it, and opens its symbol
// and side again. Of an order in breach it says that the venue's orders have been put right: its account is opened again,
// and the order is closed as it is. Persons who saw a parked order exist report it with Seen instead.
func (m *Machine) Resolve(ctx context.Context, r Resolution) (Order, error) {
	actor, approver := strings.TrimSpace(r.Actor), strings.TrimSpace(r.Approver)
	if actor == "" || approver == "" || strings.EqualFold(actor, approver) || strings.TrimSpace(r.Reason) == "" {
		return Order{}, m.wrap(r.ID, fmt.Errorf("%w, and say why: actor %q, approver %q, reason %.80q", ErrPersons, r.Actor, r.Approver, r.Reason))
	}
	return m.commanding(ctx, r.ID, func(l *life) error {
		s := l.story
		event := OperatorAbsent
		switch {
		case s.State == Parked:
		case s.State == Breach && !s.Closed:
			event = NoEvent
		default:
			return fmt.Errorf("%w: it is %s; only what is parked or in breach is resolved", ErrState, s.State)
		}
		why := fmt.Sprintf("resolved by %s and %s: %s", actor, approver, r.Reason)
		if err := m.put(ctx, l, entry{kind: KindResolve, line: line{Event: event, Why: why, Resolve: &r}}, closing); err != nil {
			return err
		}
		m.retire(l)
		if event == NoEvent {
			m.alarm(ctx, AlarmResolved, l, "order %s in breach is %s", s.Intent.ID, why)
		}
		return nil
	})
}
