package venue

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

// alpacaPlace places an order. Its answer is "new", or what the engine made of it at once.
func alpacaPlace(e *engine, c *call, now time.Time) (any, *apiError) {
	if q := c.order; q.StopPrice != nil || q.TrailPrice != nil || q.TrailPercent != nil || q.OrderClass != "" && q.OrderClass != "simple" {
		return nil, alpacaRefusal(http.StatusUnprocessableEntity, 42210000, "only simple market and limit orders are supported")
	}
	m, err := c.market(e)
	if err != nil {
		return nil, err
	}
	n, _, err := c.newOrder(e, m)
	if err != nil {
		return nil, err
	}
	e.flow(m, now)
	if c.placed, err = e.place(n, now); err != nil {
		return nil, err
	}
	return e.alpacaView(c.placed, c.placed.present()), nil
}

// alpacaGet reads one order, by its id or its client id.
func alpacaGet(e *engine, c *call, now time.Time) (any, *apiError) {
	o := c.alpacaOrder(e)
	if o == nil || c.hidden {
		return nil, errAlpacaUnknown
	}
	e.flow(o.market, now)
	at, known := o.at(now.Add(-c.lag))
	if !known {
		return nil, errAlpacaUnknown
	}
	return e.alpacaView(o, at), nil
}

// alpacaList lists orders: open ones unless status says otherwise, the latest first unless direction does.
func alpacaList(e *engine, c *call, now time.Time) (any, *apiError) {
	status := cmp.Or(c.params.Get("status"), "open")
	if !slices.Contains([]string{"open", "closed", "all"}, status) {
		return nil, alpacaRefusal(http.StatusUnprocessableEntity, 40010001, "status must be open, closed or all")
	}
	n, err := c.alpacaLimit("limit", 50, 500)
	if err != nil {
		return nil, err
	}
	span, err := c.alpacaPeriod()
	if err != nil {
		return nil, err
	}
	var wanted []string
	for name := range strings.SplitSeq(c.params.Get("symbols"), ",") {
		if name != "" {
			wanted = append(wanted, alpacaMarket(name))
		}
	}
	var all []*order
	for _, s := range e.symbols {
		if len(wanted) == 0 || slices.Contains(wanted, s) {
			e.flow(e.markets[s], now)
			all = append(all, e.accounts[c.account].orders[s]...)
		}
	}
	slices.SortFunc(all, func(a, b *order) int { return cmp.Compare(b.id, a.id) })
	if c.params.Get("direction") == "asc" {
		slices.Reverse(all)
	}
	return page(all, n, true, func(o *order) (v alpacaOrderView, ok bool) {
		at, known := o.at(now.Add(-c.lag))
		side := c.params.Get("side")
		if !known || status == "open" && !isOpen(at.status) || status == "closed" && isOpen(at.status) ||
			side != "" && !strings.EqualFold(side, string(o.side)) || !span.holds(o.told(o.created)) {
			return v, false
		}
		return e.alpacaView(o, at), true
	}), nil
}

// alpacaCancel asks for a cancel, which the simulated engine grants at once. It answers 204.
func alpacaCancel(e *engine, c *call, now time.Time) (any, *apiError) {
	o := c.alpacaOrder(e)
	if o == nil {
		return nil, errAlpacaUnknown
	}
	e.flow(o.market, now)
	if !o.isOpen() {
		return nil, errAlpacaDone
	}
	e.cancel(o, e.cancelName(""), now)
	return Answer{Status: http.StatusNoContent}, nil
}

type alpacaCancelView struct {
	ID     string          `json:"id"`
	Status int             `json:"status"`
	Body   alpacaOrderView `json:"body"`
}

// alpacaCancelAll answers 207 with the result for each order.
func alpacaCancelAll(e *engine, c *call, now time.Time) (any, *apiError) {
	views := []alpacaCancelView{}
	for _, o := range e.accounts[c.account].openOf(nil) {
		e.cancel(o, e.cancelName(""), now)
		views = append(views, alpacaCancelView{e.alpacaID(o.id), http.StatusOK, e.alpacaView(o, o.present())})
	}
	return Answer{Status: http.StatusMultiStatus, Body: encode(views)}, nil
}

// alpacaReplace makes a new order of what remains and ends the old one as replaced. If the new one is refused the old
// one stays.
func alpacaReplace(e *engine, c *call, now time.Time) (any, *apiError) {
	o := c.alpacaOrder(e)
	if o == nil {
		return nil, errAlpacaUnknown
	}
	e.flow(o.market, now)
	if !o.isOpen() {
		return nil, errAlpacaDone
	}
	q := c.order
	if q.Qty == nil {
		q.Qty = &o.qty
	}
	if q.LimitPrice == nil {
		q.LimitPrice = &o.price
	}
	left := q.Qty.Sub(o.executed)
	if !left.IsPositive() {
		return nil, alpacaRefusal(http.StatusUnprocessableEntity, 42210000, "qty must exceed what is filled")
	}
	q.Qty, q.Side, q.Type = &left, strings.ToLower(string(o.side)), strings.ToLower(string(o.typ))
	q.TimeInForce = cmp.Or(q.TimeInForce, strings.ToLower(string(o.tif)))
	c.params, c.symbol = q.params(o.market.symbol), o.market.symbol
	n, _, err := c.newOrder(e, o.market)
	if err == nil {
		err = o.market.filter(n, 0)
	}
	if err != nil {
		return nil, err
	}
	if n.client != "" && n.account.first[n.client] != nil {
		return nil, errAlpacaUnique
	}
	// What the new order needs may be what the old one has locked.
	need := n.qty
	if n.side == buy {
		need = n.price.Mul(n.qty)
	}
	if o.account.of(o.paid()).free.Add(o.locked).Cmp(need) < 0 {
		return nil, errAlpacaFunds
	}
	if err := e.countOrders(o.account, now); err != nil {
		return nil, err
	}
	o.replacedBy = e.orders + 1
	e.cancel(o, "", now)
	if c.placed, err = e.place(n, now); err != nil {
		o.replacedBy = 0 // the venue is full: the old order is cancelled, and nothing took its place
		return nil, err
	}
	c.placed.replaces = o.id
	return e.alpacaView(c.placed, c.placed.present()), nil
}
