package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relent-go/relent/exchange"
)

// Replace cancels an order and places another one. next.Quantity is what is wanted in all: what the old order has executed
// by its end is taken off, and nothing is placed if nothing is left; the order returned is then the old one. It returns
// when the new order's first attempt has been judged. If ctx ends before, or the old order cannot be brought to an end,
// the cancel stands and nothing is placed.
func (m *Machine) Replace(ctx context.Context, old string, next Intent) (Order, error) {
	created := m.now() // waiting for the cancel makes the new order older
	if _, err := m.Cancel(ctx, old); err != nil {
		return Order{}, err
	}
	o, err := m.WaitDone(ctx, old)
	switch {
	case err != nil:
		return o, fmt.Errorf("replace: the old order has not ended, and the new one is not placed: %w", err)
	case !o.State.Terminal():
		return o, m.wrap(old, fmt.Errorf("%w: it is %s: the new order is not placed", ErrState, o.State))
	}
	q, err := ParseDecimal(string(next.Quantity))
	if err != nil {
		return o, m.wrap(old, fmt.Errorf("%w: Quantity: %w", ErrTerms, err))
	}
	if next.Quantity = q.Sub(o.Executed); next.Quantity.Sign() <= 0 {
		return o, nil
	}
	next.Old = old
	return m.after(ctx, next, created)
}

// ReplaceAtomic replaces a working order by the venue's own call, which places the new one only if it has cancelled the
// old one. next.Quantity is that of the new order: a fill of the old one on the way is not taken off. The two halves are
// judged apart, and what is unknown of either is verified.
func (m *Machine) ReplaceAtomic(ctx context.Context, old string, next Intent) (Order, error) {
	replacer, ok := m.Adapter.(Replacer)
	if !ok {
		return Order{}, m.wrap(old, ErrUnsupported)
	}
	if err := m.enter(); err != nil {
		return Order{}, m.wrap(next.ID, err)
	}
	defer m.leave()
	first, err := m.lookup(ctx, old)
	if err != nil {
		return Order{}, m.wrap(old, err)
	}
	ref, command, err := m.announce(ctx, first)
	if err != nil {
		return *first.order(), m.wrap(old, err)
	}
	next.Old = old
	return m.submit(ctx, next, m.now(), func(l *life) {
		f := &flight{l: l, kind: exchange.Replace, n: 1, command: command, until: time.Now().Add(m.sendTimeout())}
		legs, err := Legs{}, errPanicked
		m.fly(ctx, f, func(ctx context.Context, i Intent) { legs, err = replacer.Replace(ctx, ref, command, &i) }, func() {
			m.concludeLegs(ctx, f, &legs, err)
		})
		l.give() // one turn at a time
		first.must()
		if legs.Old.Status != "" {
			_ = m.see(ctx, first, &legs.Old, fromAnswer) // it is read in any case
		}
		m.plan(first, m.Rules.firstWait())
		first.give()
		l.must()
	})
}

// announce records the cancel of the old leg.
func (m *Machine) announce(ctx context.Context, l *life) (Ref, string, error) {
	if err := l.take(ctx); err != nil {
		return Ref{}, "", err
	}
	defer l.give()
	s := l.story
	if s.State != Acked || s.Command != nil || l.flight != nil {
		return Ref{}, "", fmt.Errorf("%w: the order is %s, or a command is under way", ErrState, s.State)
	}
	c := Command{ID: m.commandID(s), Kind: cancelling}
	if err := m.put(ctx, l, entry{KindCommand, c.ID, line{Command: &c}}); err != nil {
		return Ref{}, "", err
	}
	m.plan(l, m.sendTimeout()) // it is cancelled even if the call comes to nothing
	return s.Ref(), c.ID, nil
}

// concludeLegs judges the new half by what the answer says of it.
func (m *Machine) concludeLegs(ctx context.Context, f *flight, legs *Legs, err error) {
	if v := f.verdict; v != nil && v.Outcome == exchange.Partial {
		half := *v // half a result: the other half is in the body
		half.Outcome = exchange.Unknown
		if legs.NewErr != nil && legs.New.Status == "" {
			half.Outcome, half.Meaning, half.Err = exchange.NotPlaced, exchange.Rejected, legs.NewErr
		}
		f.verdict = &half
	}
	m.conclude(ctx, f, &legs.New, errors.Join(err, legs.NewErr))
}
