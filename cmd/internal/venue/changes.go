package venue

import (
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// A change is one new amount at one price. Their ids are the update ids of the market: without gaps from 1.
type change struct {
	at            time.Time
	side          side
	price         decimal.Decimal
	before, after decimal.Decimal
}

// changed notes that the amount at a price went from one value to another.
func (m *marketState) changed(s side, price, before, after decimal.Decimal, now time.Time) {
	m.updates++
	if len(m.changes) >= 2*m.keepChanges {
		m.changes = append(m.changes[:0], m.changes[len(m.changes)-m.keepChanges:]...)
	}
	m.changes = append(m.changes, change{now, s, price, before, after})
}

// firstChange is the id of the oldest change that is kept.
func (m *marketState) firstChange() int64 { return m.updates - int64(len(m.changes)) + 1 }

// after returns the changes with ids above id, and false if some of them are no longer kept.
func (m *marketState) after(id int64) ([]change, bool) {
	first := m.firstChange()
	if id+1 < first || id > m.updates {
		return nil, false
	}
	return m.changes[id+1-first:], true
}

// sequenceAt is the id of the latest change at a time, as far back as changes are kept.
func (m *marketState) sequenceAt(t time.Time) int64 {
	n, _ := slices.BinarySearchFunc(m.changes, t, func(c change, t time.Time) int {
		if c.at.After(t) {
			return 1
		}
		return -1
	})
	return m.firstChange() + int64(n) - 1
}

// A priceLevel is an amount at a price.
type priceLevel struct{ price, amount decimal.Decimal }

// A sideOf collects amounts by price. The text of a price is its key: decimals that are equal may differ in form.
type sideOf map[string]priceLevel

func (s sideOf) set(price, amount decimal.Decimal) { s[text(price)] = priceLevel{price, amount} }

// sorted returns the levels, the best first; those without an amount only if empty says so.
func (s sideOf) sorted(of side, empty bool) []priceLevel {
	levels := slices.SortedFunc(maps.Values(s), func(a, b priceLevel) int {
		if of == buy {
			return b.price.Cmp(a.price)
		}
		return a.price.Cmp(b.price)
	})
	if !empty {
		levels = slices.DeleteFunc(levels, func(l priceLevel) bool { return l.amount.IsZero() })
	}
	return levels
}

// bookAt returns the book as it was after the change with an id, and false if that can no longer be told.
func (m *marketState) bookAt(id int64) (bids, asks []priceLevel, ok bool) {
	later, ok := m.after(id)
	if !ok {
		return nil, nil, false
	}
	sides := map[side]sideOf{buy: {}, sell: {}}
	for s, l := range map[side]*ladder{buy: &m.bids, sell: &m.asks} { // each fills its own map
		for _, lv := range l.levels {
			sides[s].set(lv.price, lv.amount)
		}
	}
	for _, c := range slices.Backward(later) {
		sides[c.side].set(c.price, c.before)
	}
	return sides[buy].sorted(buy, false), sides[sell].sorted(sell, false), true
}

// since returns what changed after an id: the latest amount at each price, zero where a level is gone.
func (m *marketState) since(id int64) (bids, asks []priceLevel, ok bool) {
	later, ok := m.after(id)
	if !ok {
		return nil, nil, false
	}
	sides := map[side]sideOf{buy: {}, sell: {}}
	for _, c := range later {
		sides[c.side].set(c.price, c.after)
	}
	return sides[buy].sorted(buy, true), sides[sell].sorted(sell, true), true
}

// pairs writes levels as the venue does.
func pairs(levels []priceLevel) [][2]string {
	out := make([][2]string, len(levels))
	for i, l := range levels {
		out[i] = [2]string{text(l.price), text(l.amount)}
	}
	return out
}
