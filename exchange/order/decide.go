package order

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Decisions is a [Log] that also keeps what persons decide while a machine runs elsewhere, or before it runs again. A machine
// asks it about orders that are parked or in breach: at once after a restart, then at least once for each [Machine.Sweep]. It
// takes a decision as [Machine.Resolve] does. So the machine stays the only writer of its prefix.
type Decisions interface {
	// Decision returns what was decided last about an order; ok is false if nothing was. It may be of long ago: what it must
	// fit is Resolution.Seen.
	Decision(ctx context.Context, s Scope, id string) (r Resolution, ok bool, err error)
}

// Check returns all that a resolution lacks, joined, each beginning with its field's name, or nil.
func (r *Resolution) Check() error {
	var errs []error
	actor, approver := strings.TrimSpace(r.Actor), strings.TrimSpace(r.Approver)
	if actor == "" {
		errs = append(errs, errors.New("Actor: is missing: say who looked"))
	}
	if approver == "" || strings.EqualFold(actor, approver) {
		errs = append(errs, fmt.Errorf("Approver: %.80q is nobody else: say who agrees", r.Approver))
	}
	if strings.TrimSpace(r.Reason) == "" {
		errs = append(errs, errors.New("Reason: is missing: say what was seen, and where"))
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrPersons, errors.Join(errs...))
}

// Fits says that an order is as it was when a decision about it was made. The log gives times back to the microsecond.
func (r *Resolution) Fits(o *Order) bool {
	return r.ID == o.Intent.ID && r.Seen.Truncate(time.Microsecond).Equal(o.Changed.Truncate(time.Microsecond))
}

// decided takes what persons have decided about an order that is parked or in breach. It needs the turn.
func (m *Machine) decided(ctx context.Context, l *life) {
	log, ok := m.Log.(Decisions)
	if !ok {
		return
	}
	var r Resolution
	var err error
	m.aside(ctx, l, func(ctx context.Context) { r, ok, err = log.Decision(ctx, m.Scope, l.order().Intent.ID) })
	if err == nil && ok && r.Fits(&l.story.Order) {
		_ = m.resolve(ctx, l, r) // what cannot be taken is no decision
	}
}

// undecided plans to ask about what waits for a decision.
func (m *Machine) undecided() {
	var list []*life
	m.mu.Lock()
	for _, l := range m.byID {
		if o := l.order(); o.State == Parked || o.State == Breach && !o.Closed {
			list = append(list, l)
		}
	}
	m.mu.Unlock()
	for _, l := range list {
		m.plan(l, 0)
	}
}
