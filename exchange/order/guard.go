package order

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// check runs the checks before attempt n. A value that is missing fails its check. Only what a restart found may pass
// before all of that has been read.
func (m *Machine) check(ctx context.Context, i *Intent, n int, found bool) error {
	if err := m.fresh(i); err != nil {
		return err
	}
	if err := m.gate(i, found); err != nil {
		return err
	}
	if m.Ban != nil {
		if until := m.Ban.Banned(); !until.IsZero() {
			return &banned{until}
		}
	}
	if m.Book != nil {
		if err := m.Book.Open(i.Symbol); err != nil {
			return fmt.Errorf("%w: market of %s: %w", ErrGuard, i.Symbol, err)
		}
	}
	if err := m.price(i, n); err != nil {
		return err
	}
	switch {
	case i.ReduceOnly:
		return nil // in doubt, reduce risk
	case m.Risk != nil:
		if err := m.Risk.Permit(ctx, i, n); err != nil {
			return fmt.Errorf("%w: risk: %w", ErrGuard, err)
		}
	case n > 1:
		return fmt.Errorf("%w: risk: cannot be read again without a Risk", ErrGuard)
	}
	return nil
}

// fresh checks the age.
func (m *Machine) fresh(i *Intent) error {
	now, bound, ok := m.Clock.Venue()
	if !ok {
		return fmt.Errorf("%w: the venue's time is not known", ErrGuard)
	}
	most := m.Rules.MaxAges.Of(i)
	if age := now.Sub(i.Created) + bound; most > 0 && age > most {
		return fmt.Errorf("%w: the intent is %v old; it may be %v", ErrGuard, age, most)
	}
	return nil
}

// gate checks what orders in doubt have closed.
func (m *Machine) gate(i *Intent, found bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case i.ReduceOnly:
	case m.breaches > 0:
		return fmt.Errorf("%w: account %s has an order in breach", ErrGated, m.Account)
	case m.parked[lane{i.Symbol, i.Side}] > 0:
		return fmt.Errorf("%w: %s %s has a parked order", ErrGated, i.Symbol, i.Side)
	case !found && m.restored[i.Symbol] > 0:
		return fmt.Errorf("%w: %s has orders from before the restart that are being read", ErrGated, i.Symbol)
	}
	return nil
}

// maxQuoteAge is how old the book may be for orders that can fill.
const maxQuoteAge = time.Second

// price checks the book.
func (m *Machine) price(i *Intent, n int) error {
	takes := i.Taking && !i.ReduceOnly
	switch {
	case !takes && i.GuardBPS == 0:
		return nil
	case m.Book == nil && i.GuardBPS == 0 && n == 1:
		return nil // Unguarded
	case m.Book == nil:
		return fmt.Errorf("%w: price: there is no Book", ErrGuard)
	}
	q, ok := m.Book.Quote(i.Symbol)
	at := q.Ask
	if i.Side == Sell {
		at = q.Bid
	}
	switch {
	case !ok || !q.Synced || at.Sign() <= 0:
		return fmt.Errorf("%w: price: the book of %s is not known", ErrGuard, i.Symbol)
	case takes && q.Age >= maxQuoteAge:
		return fmt.Errorf("%w: price: the book of %s is %v old; it may be %v", ErrGuard, i.Symbol, q.Age, maxQuoteAge)
	case i.GuardBPS > 0 && !at.Within(i.Decision, i.GuardBPS):
		return fmt.Errorf("%w: price: %s is more than %d bps from %s", ErrGuard, at, i.GuardBPS, i.Decision)
	}
	return nil
}

// takes says whether an order may fill at once: all but those known to rest.
func (m *Machine) takes(t *Terms) bool {
	switch {
	case t.immediate():
		return true
	case t.PostOnly || t.triggered():
		return false
	case m.Book == nil:
		return true
	}
	q, ok := m.Book.Quote(t.Symbol)
	switch {
	case !ok || !q.Synced || q.Age >= maxQuoteAge || q.Bid.Sign() <= 0 || q.Ask.Sign() <= 0:
		return true
	case t.Side == Buy:
		return t.Price.Cmp(q.Ask) >= 0
	}
	return t.Price.Cmp(q.Bid) <= 0
}

// banned is a failed check that passes by itself.
type banned struct{ until time.Time }

func (b *banned) Error() string {
	return fmt.Sprintf("%v: the venue's host must be left alone until %s", ErrGuard, b.until.UTC().Format(time.RFC3339))
}

func (b *banned) Unwrap() error { return ErrGuard }

// patience says how long an intent may wait for a check to pass; false if it does not, or is too old by then.
func (m *Machine) patience(i *Intent, err error) (time.Duration, bool) {
	b, ok := errors.AsType[*banned](err)
	if !ok {
		return 0, false
	}
	wait := max(0, time.Until(b.until)) + time.Second
	most := m.Rules.MaxAges.Of(i)
	return wait, most == 0 || m.now().Add(wait).Sub(i.Created) < most
}
