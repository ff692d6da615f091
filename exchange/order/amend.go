package order

import (
	"context"
	"fmt"
	"time"

	"github.com/relent-go/relent/exchange"
)

// Amend changes quantity and price of a working order in place; empty values stay as they are. The old and the desired
// terms are recorded before the venue is asked. An amend of unknown outcome is read and compared, and sent again only
// where the venue keeps the client id. Until then the order has a Command under way, and takes no other.
//
// An error means that nothing has left and nothing will; it matches its cause, too, such as the stop that forbade the request.
func (m *Machine) Amend(ctx context.Context, id string, quantity, price Decimal) (Order, error) {
	return m.commanding(ctx, id, func(l *life) error {
		s := l.story
		_, can := m.Adapter.(Amender)
		switch {
		case !can:
			return ErrUnsupported
		case s.State != Acked || s.Command != nil || s.wanted || l.flight != nil:
			return fmt.Errorf("%w: the order is %s, or a command is under way", ErrState, s.State)
		}
		want := s.Terms
		if quantity != "" {
			want.Quantity = quantity
		}
		if price != "" {
			want.Price = price
		}
		if err := want.normalize(); err != nil {
			return err
		}
		if want.Quantity.Cmp(s.Executed) <= 0 {
			return fmt.Errorf("%w: Quantity: %s is executed already; cancel the rest instead", ErrTerms, s.Executed)
		}
		i := s.Intent
		i.Terms, i.Created = want, m.now()
		if err := m.check(ctx, &i, 1, false); err != nil {
			return err
		}
		c := Command{ID: m.commandID(s), Kind: amending, Want: &want}
		if err := m.put(ctx, l, entry{KindCommand, c.ID, line{Command: &c}}); err != nil {
			return err
		}
		return m.sendAmend(ctx, l, false)
	})
}

// sendAmend asks the venue, once, or says why nothing has left. What an attempt in doubt was followed by speaks of itself only.
// It needs the turn.
func (m *Machine) sendAmend(ctx context.Context, l *life, doubt bool) (unsent error) {
	s := l.story
	c := *s.Command
	f := &flight{l: l, kind: exchange.Amend, command: c.ID, until: time.Now().Add(m.sendTimeout())}
	ref := s.Ref()
	var r Report
	err := errPanicked
	l.amends++
	m.fly(ctx, f, func(ctx context.Context, _ Intent) { r, err = m.Adapter.(Amender).Amend(ctx, ref, c.ID, *c.Want) }, func() {
		v := f.verdict
		unsent = m.unsent(f, err)
		switch {
		case err == nil && m.see(ctx, l, &r, fromAnswer) == nil && c.Want.settles(&r):
			m.endAmend(ctx, l, c, ended, "amended")
		case doubt && unsent != nil:
		case unsent != nil:
			m.endAmend(ctx, l, c, failed, "the amend was not sent: "+errText(unsent))
		case !doubt && v != nil && (v.Outcome == exchange.NotPlaced || v.Outcome == exchange.Unchanged):
			m.endAmend(ctx, l, c, failed, "the amend was refused: "+errText(err))
		default:
			l.amended = m.now()
			if !f.deadline.IsZero() {
				l.amended = f.deadline.Add(m.Rules.Residual)
			}
		}
		m.plan(l, m.Rules.firstWait())
	})
	return unsent
}

// settles says that a report shows the desired terms.
func (t *Terms) settles(r *Report) bool {
	return r.Terms.Quantity == t.Quantity && (t.Price == "" || r.Terms.Price == t.Price)
}

// endAmend records how an amend ended.
func (m *Machine) endAmend(ctx context.Context, l *life, c Command, end, why string) {
	c.End = end
	if m.write(ctx, l, entry{kind: KindCommand, line: line{Command: &c, Why: why}}) == nil {
		l.amends = 0
	}
}

// maxAmends is how often an amend is sent.
const maxAmends = 3

// longestWindow is the longest deadline that a request is given (Binance's largest recvWindow), where it is not known.
const longestWindow = time.Minute

// compare settles an amend of unknown outcome by what the venue shows. It needs the turn.
func (m *Machine) compare(ctx context.Context, l *life, r *Report) {
	s := l.story
	if l.amended.IsZero() { // a restart has found it
		l.amended = m.now().Add(longestWindow + m.Rules.Residual)
	}
	settled := m.now().After(l.amended.Add(m.Rules.spacing())) // what has not come by now does not come
	switch {
	case s.Command.Want.settles(r):
		m.endAmend(ctx, l, *s.Command, ended, "amended")
	case !s.Terms.settles(r): // not stated
	case m.Rules.AmendKeepID && l.amends < maxAmends:
		_ = m.sendAmend(ctx, l, true)
	case settled && m.Rules.Fence:
		m.endAmend(ctx, l, *s.Command, failed, "the amend did not arrive")
	case !l.alarmed && l.repairs >= maxRepairs:
		l.alarmed = true
		m.alarm(ctx, AlarmAmend, l, "order %s still has its old terms, and nothing says that the amend cannot arrive any more: compare it at the venue", s.Intent.ID)
	}
}
