package order

import (
	"context"
	"errors"
	"fmt"
)

// A holding is what a Holder counts: the balance of an asset, or the position in a symbol. The zero value is any asset.
type holding struct{ asset, symbol string }

// A tide is how far what this process has seen traded had moved a holding at some moment.
type tide struct {
	moved  Decimal // net of what came in and went out, fees included
	unsure int     // fills of which nobody knows how they moved it
}

// assets are what a symbol trades, and what it is paid with.
type assets struct{ base, quote string }

// holdingOf returns what Holding counts for a symbol. It asks once; an error means that nobody knows.
func (m *Machine) holdingOf(ctx context.Context, symbol string) (holding, error) {
	c, ok := m.Adapter.(Custodian)
	if !ok {
		return holding{symbol: symbol}, nil
	}
	m.mu.Lock()
	a, ok := m.assets[symbol]
	m.mu.Unlock()
	if !ok {
		var err error
		if a.base, a.quote, err = c.Assets(ctx, symbol); err != nil {
			return holding{}, err
		}
		m.mu.Lock()
		m.assets[symbol] = a
		m.mu.Unlock()
	}
	return a.holding(symbol), nil
}

func (a assets) holding(symbol string) holding {
	if a.base == "" {
		return holding{symbol: symbol}
	}
	return holding{asset: a.base}
}

// tideOf needs mu.
func (m *Machine) tideOf(h holding) tide {
	t := m.tides[h]
	if h.asset != "" {
		t.unsure += m.tides[holding{}].unsure
	}
	return t
}

// held returns what the account holds before an order that can fill, and the tide before that was read; nil if it cannot be
// known.
func (m *Machine) held(ctx context.Context, symbol string) (*Decimal, tide) {
	h, ok := m.Adapter.(Holder)
	if !ok {
		return nil, tide{}
	}
	of, err := m.holdingOf(ctx, symbol)
	if err != nil {
		return nil, tide{}
	}
	m.mu.Lock()
	before := m.tideOf(of)
	m.mu.Unlock()
	q, err := h.Holding(ctx, symbol, false)
	if err == nil {
		q, err = signed(q)
	}
	if err != nil {
		return nil, tide{}
	}
	return new(q), before
}

// flow keeps how a fill has moved what the account holds.
func (m *Machine) flow(f *Fill, i *Intent) {
	q := f.Quantity
	if i.Side == Sell {
		q = Decimal("").Sub(q)
	}
	fee, err := signed(f.Fee)
	_, named := m.Adapter.(Custodian)
	m.mu.Lock()
	defer m.mu.Unlock()
	move := func(h holding, by Decimal, unsure int) {
		t := m.tides[h]
		m.tides[h] = tide{t.moved.Add(by), t.unsure + unsure}
	}
	a, known := m.assets[i.Symbol]
	switch {
	case !named:
		move(holding{symbol: i.Symbol}, q, 1) // a fee may have been taken of it
	case !known:
		move(holding{}, "", 1)
	case a.base == "":
		move(holding{symbol: i.Symbol}, q, 0)
	default:
		move(holding{asset: a.base}, q, 0)
		move(holding{asset: a.quote}, "", 1) // what was paid
		if f.FeeAsset == "" || err != nil {
			move(holding{}, "", 1)
		} else {
			move(holding{asset: f.FeeAsset}, Decimal("").Sub(fee), 0)
		}
	}
}

// unmoved checks that the account holds what it held before the send, but for what this process has seen traded.
func (m *Machine) unmoved(ctx context.Context, l *life) error {
	before := l.story.Attempts[0].Held
	h, ok := m.Adapter.(Holder)
	if !ok || before == nil {
		return errors.New("what the account held before the send is not known")
	}
	symbol := l.story.Intent.Symbol
	began := m.now()
	var of holding
	var held Decimal
	var err error
	m.aside(ctx, l, func(ctx context.Context) {
		if of, err = m.holdingOf(ctx, symbol); err == nil {
			held, err = h.Holding(ctx, symbol, true)
		}
		if err == nil {
			held, err = signed(held)
		}
	})
	m.mu.Lock()
	now := m.tideOf(of)
	m.mu.Unlock()
	want := before.Add(now.moved.Sub(l.tide.moved))
	switch {
	case err != nil:
	case now.unsure != l.tide.unsure:
		err = errors.New("other orders have moved what the account holds, and nobody knows by how much, because of their fees or their prices")
	case held != want:
		err = fmt.Errorf("the account holds %s; without the order it would hold %s", held, want)
	}
	m.log(ctx, l, Read{What: "holding", Began: began, Err: errText(err)})
	return err
}
