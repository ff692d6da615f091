package venue

import (
	"time"

	"github.com/shopspring/decimal"
)

// trade moves the assets of one match at the maker's price.
func (e *engine) trade(maker, taker *order, price, qty decimal.Decimal, now time.Time) {
	m := taker.market
	t := m.record(price, qty, taker, now)
	e.hub.traded(m, t)
	for _, o := range []*order{maker, taker} {
		e.fillOrder(o, t, o == maker, now)
	}
	if !maker.account.house() || !taker.account.house() {
		e.log.trade(t, maker, taker)
	}
}

func (e *engine) fillOrder(o *order, t trade, isMaker bool, now time.Time) {
	gives, gets, asset := t.qty, t.quoteQty, o.market.quote
	reserved := t.qty
	if o.side == buy {
		gives, gets, asset = t.quoteQty, t.qty, o.market.base
		reserved = t.quoteQty
		if o.typ != market {
			reserved = o.price.Mul(t.qty)
		}
	}
	a := o.account
	a.pay(o.paid(), gives)
	a.unlock(o.paid(), reserved.Sub(gives)) // a buyer may trade below his limit
	fee := decimal.Zero
	if !a.house() {
		fee = gets.Mul(e.cfg.Fee).Truncate(digits)
		o.locked = o.locked.Sub(reserved)
		e.house.receive(asset, fee)
	}
	a.receive(asset, gets.Sub(fee))

	if o.executed.IsZero() {
		e.returnCount(o)
	}
	o.executed, o.spent = o.executed.Add(t.qty), o.spent.Add(t.quoteQty)
	o.status = statusPartial
	if a.house() {
		return
	}
	o.remember(now)
	e.ownTrades++
	own := ownTrade{t, o, fee, asset, o.side == buy, isMaker}
	a.trades[o.market.symbol] = append(a.trades[o.market.symbol], own)
	if !isMaker {
		o.fills = append(o.fills, fill{t.id, t.price, t.qty, fee, asset})
	}
	e.ledger.filled(o, own)
	if o.quoteQty.IsZero() && o.remaining().IsZero() {
		o.status = statusFilled // finish follows; the report of the last fill says so already
	}
	e.report(o, execTrade, "", &own, now)
}

// finish ends an order and gives back what is still set aside for it.
func (e *engine) finish(o *order, status string, now time.Time) {
	o.status = status
	if o.account.house() {
		return
	}
	o.account.unlock(o.paid(), o.locked)
	o.locked = decimal.Zero
	o.account.closed(o)
	o.remember(now)
	o.facts.status(o)
	e.log.order(o, "done")
	if status == statusExpired {
		e.report(o, execExpired, "", nil, now)
	}
}

// cancel takes an open order out of the book. by is the client id of the cancel, if it has one.
func (e *engine) cancel(o *order, by string, now time.Time) {
	if before, after, was := o.market.along(o).remove(o); was {
		o.market.changed(o.side, o.price, before, after, now)
	}
	e.finish(o, statusCanceled, now)
	if !o.account.house() {
		e.report(o, execCanceled, by, nil, now)
	}
}
