package venue

import (
	"time"

	"github.com/shopspring/decimal"
)

// run matches an order that was accepted, then rests, finishes or expires it.
func (e *engine) run(o *order, now time.Time) {
	if o.tif == fok && e.available(o).Cmp(o.qty) < 0 {
		e.finish(o, statusExpired, now)
		return
	}
	for against := o.market.against(o); o.isOpen(); {
		best := against.best()
		if best == nil || !o.crosses(best.price) {
			break
		}
		maker := best.orders[0]
		qty := decimal.Min(o.wants(best.price), maker.remaining())
		if qty.IsZero() {
			break
		}
		price := best.price
		e.trade(maker, o, price, qty, now)
		before, after := against.reduce(qty)
		o.market.changed(against.side, price, before, after, now)
		if maker.remaining().IsZero() {
			e.finish(maker, statusFilled, now)
		}
		if o.quoteQty.IsZero() && o.remaining().IsZero() {
			e.finish(o, statusFilled, now)
		}
	}
	switch {
	case !o.isOpen():
	case !o.executed.IsZero() && (o.spent.Equal(o.quoteQty) || !o.quoteQty.IsZero() && o.market.against(o).best() != nil):
		o.qty = o.executed
		e.finish(o, statusFilled, now) // what is left buys less than a step
	case o.typ == market, o.tif == ioc:
		if !o.quoteQty.IsZero() {
			o.qty = o.executed
		}
		e.finish(o, statusExpired, now)
	default:
		before, after := o.market.along(o).add(o)
		o.market.changed(o.side, o.price, before, after, now)
	}
	e.hub.aggregate(o.market)
}

// wants is the quantity that o would take at a price.
func (o *order) wants(price decimal.Decimal) decimal.Decimal {
	if o.quoteQty.IsZero() {
		return o.remaining()
	}
	left := o.quoteQty.Sub(o.spent)
	qty, _ := left.QuoRem(price.Mul(o.market.terms.Step), 0)
	return qty.Mul(o.market.terms.Step)
}

// available is the quantity on the book that o may take.
func (e *engine) available(o *order) decimal.Decimal {
	var sum decimal.Decimal
	levels := o.market.against(o).levels
	for i := len(levels) - 1; i >= 0 && o.crosses(levels[i].price) && sum.Cmp(o.qty) < 0; i-- {
		sum = sum.Add(levels[i].amount)
	}
	return sum
}

// reserve is what o must own to be accepted. A MARKET order is priced by walking the book, which is exact because
// nothing comes between the walk and the match.
func (o *order) reserve() (decimal.Decimal, *apiError) {
	switch {
	case o.side == sell && o.quoteQty.IsZero():
		return o.qty, nil
	case o.typ != market:
		return o.price.Mul(o.qty), nil
	case o.side == buy && !o.quoteQty.IsZero():
		return o.quoteQty, nil
	}
	var cost decimal.Decimal // in the asset that is paid
	left := o.qty
	if !o.quoteQty.IsZero() {
		left = o.quoteQty
	}
	levels := o.market.against(o).levels
	for i := len(levels) - 1; i >= 0 && left.IsPositive(); i-- {
		lv := levels[i]
		if o.side == buy {
			qty := decimal.Min(left, lv.amount)
			cost, left = cost.Add(qty.Mul(lv.price)), left.Sub(qty)
			continue
		}
		worth := lv.amount.Mul(lv.price)
		if worth.Cmp(left) <= 0 {
			cost, left = cost.Add(lv.amount), left.Sub(worth)
			continue
		}
		steps, _ := left.QuoRem(lv.price.Mul(o.market.terms.Step), 0)
		cost, left = cost.Add(steps.Mul(o.market.terms.Step)), decimal.Zero
	}
	return cost, nil
}
