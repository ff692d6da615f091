package venue

import (
	"slices"

	"github.com/shopspring/decimal"
)

// A ladder is one side of a book: levels with the best price last, so that taking from the best is cheap.
type ladder struct {
	side   side
	levels []*level
}

// A level is the orders at one price, the oldest first.
type level struct {
	price  decimal.Decimal
	amount decimal.Decimal // remaining quantity of all orders
	orders []*order
}

// find returns the place of a price and whether there is a level.
func (l *ladder) find(price decimal.Decimal) (int, bool) {
	return slices.BinarySearchFunc(l.levels, price, func(lv *level, p decimal.Decimal) int {
		if l.side == buy {
			return lv.price.Cmp(p)
		}
		return p.Cmp(lv.price)
	})
}

func (l *ladder) best() *level {
	if len(l.levels) == 0 {
		return nil
	}
	return l.levels[len(l.levels)-1]
}

// add rests an order and returns the amount at its price before and after.
func (l *ladder) add(o *order) (before, after decimal.Decimal) {
	i, ok := l.find(o.price)
	if !ok {
		l.levels = slices.Insert(l.levels, i, &level{price: o.price})
	}
	lv := l.levels[i]
	before = lv.amount
	lv.orders = append(lv.orders, o)
	lv.amount = lv.amount.Add(o.remaining())
	return before, lv.amount
}

// remove takes an order out and returns the amount at its price before and after; one that is not in the book changes
// nothing and is told by false.
func (l *ladder) remove(o *order) (before, after decimal.Decimal, was bool) {
	i, ok := l.find(o.price)
	if !ok {
		return before, after, false
	}
	lv := l.levels[i]
	j := slices.Index(lv.orders, o)
	if j < 0 {
		return before, after, false
	}
	before = lv.amount
	lv.orders = slices.Delete(lv.orders, j, j+1)
	lv.amount = lv.amount.Sub(o.remaining())
	if len(lv.orders) == 0 {
		l.levels = slices.Delete(l.levels, i, i+1)
	}
	return before, lv.amount, true
}

// reduce notes that the oldest order of the best level, already updated, traded qty.
func (l *ladder) reduce(qty decimal.Decimal) (before, after decimal.Decimal) {
	lv := l.best()
	before = lv.amount
	lv.amount = lv.amount.Sub(qty)
	if lv.orders[0].remaining().IsZero() {
		lv.orders = slices.Delete(lv.orders, 0, 1)
	}
	if len(lv.orders) == 0 {
		l.levels = slices.Delete(l.levels, len(l.levels)-1, len(l.levels))
	}
	return before, lv.amount
}

// top returns up to n levels as pairs of price and quantity, the best first.
func (l *ladder) top(n int) [][2]string {
	n = min(n, len(l.levels))
	out := make([][2]string, n)
	for i := range n {
		lv := l.levels[len(l.levels)-1-i]
		out[i] = [2]string{text(lv.price), text(lv.amount)}
	}
	return out
}
