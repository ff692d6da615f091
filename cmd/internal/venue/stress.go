package venue

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// ban bans the address of a request.
func (v *Venue) ban(c *call, f *Fault) *apiError {
	v.mu.Lock()
	defer v.mu.Unlock()
	return c.world.limits.ban(c, f.RetryAfter, time.Now())
}

// maintain cancels what is open and refuses the request.
func (v *Venue) maintain(c *call, f *Fault) *apiError {
	v.mu.Lock()
	defer v.mu.Unlock()
	c.decision = "faulted"
	c.world.log.seq = c.seq
	c.world.engine.cancelOpen(time.Now())
	return f.changed(errMaintenance)
}

// cancelOpen cancels all open orders of clients.
func (e *engine) cancelOpen(now time.Time) {
	for _, a := range e.accounts {
		for _, o := range a.openOf(nil) {
			e.cancel(o, "", now)
		}
	}
}

// fillFirst fills the order whose cancel is on its way.
func (c *call) fillFirst(e *engine, f *Fault, now time.Time) *apiError {
	share := 1.0
	if len(f.Steps) > 0 {
		share = f.Steps[0]
	}
	for _, o := range c.targets(e) {
		e.fill(o, o.share(share), now)
	}
	return nil
}

// targets are the open orders that a cancel is about.
func (c *call) targets(e *engine) []*order {
	if c.front == frontAlpaca {
		if o := c.alpacaOrder(e); o != nil && o.isOpen() {
			return []*order{o}
		}
		return nil
	}
	prefix := ""
	if c.route.places {
		prefix = "cancel"
	}
	o, err := c.findBy(e, prefixed(prefix, "orderId"), prefixed(prefix, "origClientOrderId"))
	switch {
	case o != nil && o.isOpen():
		return []*order{o}
	case err != nil && e.markets[c.symbol] != nil:
		return e.accounts[c.account].openOf(e.markets[c.symbol])
	}
	return nil
}

// takeBalance locks what a new order would pay with, for as long as the rule says, at least for this request.
func (v *Venue) takeBalance(c *call, e *engine, f *Fault) *apiError {
	m := e.markets[c.symbol]
	if m == nil {
		return nil
	}
	asset, a := m.quote, e.accounts[c.account]
	if side(c.params.Get("side")) == sell {
		asset = m.base
	}
	taken := a.of(asset).free
	a.lock(asset, taken)
	if f.Delay == 0 {
		c.release = func() { a.unlock(asset, taken) }
		return nil
	}
	release := func() {
		if v.wait(f.Delay) {
			v.mu.Lock()
			defer v.mu.Unlock()
			a.unlock(asset, taken)
		}
	}
	if !v.spawn(release) {
		a.unlock(asset, taken)
	}
	return nil
}

// share is a part of an order's quantity in whole steps, at most what remains.
func (o *order) share(part float64) decimal.Decimal {
	return decimal.Min(floorTo(o.qty.Mul(decimal.NewFromFloat(part)), o.market.terms.Step), o.remaining())
}

// fill lets the house trade with an order, whatever the book says.
func (e *engine) fill(o *order, qty decimal.Decimal, now time.Time) {
	if !qty.IsPositive() || !o.isOpen() {
		return
	}
	price := o.price
	if o.typ == market {
		best := o.market.against(o).best()
		if best == nil {
			return // nothing says what it should cost
		}
		price = best.price
	}
	l := o.market.along(o)
	before, after, resting := l.remove(o)
	if resting {
		o.market.changed(o.side, o.price, before, after, now)
	}
	opposite := sell
	if o.side == sell {
		opposite = buy
	}
	house := e.houseOrder(o.market, opposite, limit, ioc, price, qty, now)
	if resting {
		e.trade(o, house, price, qty, now)
	} else {
		e.trade(house, o, price, qty, now)
	}
	switch {
	case o.remaining().IsZero():
		e.finish(o, statusFilled, now)
	case resting:
		before, after := l.add(o)
		o.market.changed(o.side, o.price, before, after, now)
	}
	e.hub.aggregate(o.market)
}

// An Engine is what a fault's function may do to the orders at the venue. Its methods may be called until the function
// returns, and not while forward runs.
type Engine struct {
	venue *Venue
	call  *call
}

// Fill lets the rest of the market trade with a share of an open order's quantity, at its limit or the best price. It
// returns false if there is no open order with that client id.
func (e Engine) Fill(clientID string, share float64) bool {
	return e.with(clientID, func(g *engine, o *order, now time.Time) { g.fill(o, o.share(min(max(share, 0), 1)), now) })
}

// Cancel cancels an open order. It returns false if there is none with that client id.
func (e Engine) Cancel(clientID string) bool {
	return e.with(clientID, func(g *engine, o *order, now time.Time) { g.cancel(o, "", now) })
}

// CancelAll cancels all open orders of clients.
func (e Engine) CancelAll() {
	e.venue.mu.Lock()
	defer e.venue.mu.Unlock()
	e.call.world.engine.cancelOpen(time.Now())
}

func (e Engine) with(clientID string, do func(*engine, *order, time.Time)) bool {
	e.venue.mu.Lock()
	defer e.venue.mu.Unlock()
	g := e.call.world.engine
	for _, a := range g.accounts {
		open := a.openOf(nil)
		if i := slices.IndexFunc(open, func(o *order) bool { return o.client == clientID }); i >= 0 {
			do(g, open[i], time.Now())
			return true
		}
	}
	return false
}
