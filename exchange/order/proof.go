package order

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// prove checks what absence needs beside two not-found reads after the fence. missing says what does not hold. It needs
// the turn.
func (m *Machine) prove(ctx context.Context, l *life, now time.Time) (missing string, found bool) {
	s := l.story
	gapless := m.Stream != nil && m.Stream.Gapless(s.firstSent())
	if !m.Rules.QueryClosed || !gapless {
		switch found, err := m.lists(ctx, l); {
		case found:
			return "", true
		case err != nil:
			return "the lists of orders: " + errText(err), false
		}
	}
	if !m.Rules.QueryClosed || !gapless || s.Intent.Taking {
		switch found, err := m.readFills(ctx, l); {
		case found:
			return "", true
		case err != nil:
			return "the fills: " + errText(err), false
		}
	}
	if s.Intent.Taking {
		if err := m.unmoved(ctx, l); err != nil {
			return "the holding: " + errText(err), false
		}
	}
	if err := m.sees(ctx, l); err != nil {
		return "the canary: " + errText(err), false
	}
	return "", false
}

// readFills reads the fills since before the send, and takes those of the order.
func (m *Machine) readFills(ctx context.Context, l *life) (found bool, err error) {
	reader, ok := m.Adapter.(FillReader)
	if !ok {
		return false, fmt.Errorf("fills cannot be read: %w", ErrUnsupported)
	}
	began, ref := m.now(), l.story.Ref()
	var list, mine []Fill
	m.aside(ctx, l, func(ctx context.Context) {
		list, err = reader.Fills(ctx, ref.Symbol, ref.Sent.Add(-m.Rules.lookback()))
	})
	venueID := l.story.VenueID // it may have come to be known meanwhile
	for _, f := range list {
		if f.Wire == ref.Wire || f.Wire == "" && venueID != "" && f.VenueID == venueID {
			mine = append(mine, f)
		}
	}
	m.log(ctx, l, Read{What: "fills", Began: began, Found: len(mine) > 0, Err: errText(err)})
	if err != nil || len(mine) == 0 {
		return false, err
	}
	return true, m.fills(ctx, l, mine, fromList)
}

// sees reads an order known to exist, through the same path.
func (m *Machine) sees(ctx context.Context, l *life) error {
	began := m.now()
	var err error
	if p, ok := m.Adapter.(Prober); ok {
		m.aside(ctx, l, func(ctx context.Context) { err = p.Canary(ctx, l.story.Intent.Symbol) })
	} else {
		err = m.ownCanary(ctx, l)
	}
	m.log(ctx, l, Read{What: "canary", Began: began, Found: err == nil, Err: errText(err)})
	return err
}

// ownCanary reads an order of this process.
func (m *Machine) ownCanary(ctx context.Context, l *life) error {
	m.mu.Lock()
	c := m.canary
	m.mu.Unlock()
	if c == nil || c == l {
		return errors.New("no other order is known to exist, and the adapter knows none")
	}
	o := c.order()
	if o.State != Acked && !m.Rules.QueryClosed {
		return errors.New("the last order known to exist is done, and the query does not show what is done")
	}
	r, err := m.ask(ctx, l, o.Ref())
	switch {
	case err != nil:
		return fmt.Errorf("order %s exists: %w", o.Intent.ID, err)
	case r.Wire != o.Intent.Wire && r.VenueID != o.VenueID:
		return fmt.Errorf("asked for %s, the venue showed %.60s", o.Intent.Wire, r.Wire)
	}
	return nil
}
