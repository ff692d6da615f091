package venue

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// find looks an order up by orderId or origClientOrderId; of a client id used more than once, the latest order.
// It returns nil if there is none.
func (c *call) find(e *engine) (*order, *apiError) {
	return c.findBy(e, "orderId", "origClientOrderId")
}

// byID finds an order in a list by ascending id.
func byID(list []*order, id int64) *order {
	i, ok := slices.BinarySearchFunc(list, id, func(o *order, id int64) int { return cmp.Compare(o.id, id) })
	if !ok {
		return nil
	}
	return list[i]
}

// prefixed is the name of a parameter that cancelReplace has for the order to cancel.
func prefixed(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + strings.ToUpper(name[:1]) + name[1:]
}

func (c *call) findBy(e *engine, idName, clientName string) (*order, *apiError) {
	m, err := c.market(e)
	if err != nil {
		return nil, err
	}
	id, given, err := c.integer(idName)
	if err != nil {
		return nil, err
	}
	client, err := c.clientID(clientName)
	if err != nil {
		return nil, err
	}
	a := e.accounts[c.account]
	switch {
	case given:
		o := byID(a.orders[m.symbol], id)
		if o != nil && client != "" && o.client != client {
			return nil, errIDMismatch
		}
		return o, nil
	case client != "":
		return a.byClient[clientKey{m.symbol, client}], nil
	}
	return nil, refuse(-1102, "Param '%s' or '%s' must be sent, but both were empty/null!", clientName, idName)
}

func serveOrder(e *engine, c *call, now time.Time) (any, *apiError) {
	if m := e.markets[c.symbol]; m != nil {
		e.flow(m, now)
	}
	o, err := c.find(e)
	if err != nil {
		return nil, err
	}
	at, err := c.visible(e, o, !c.given("orderId"), now)
	if err != nil {
		return nil, err
	}
	return o.view(at), nil
}

// visible is the state of an order as a query sees it, by its client id or by the venue's.
func (c *call) visible(e *engine, o *order, byClient bool, now time.Time) (moment, *apiError) {
	see := e.cfg.Custom.Visibility
	if byClient && (see == VisibleListsOnly || see == VisibleNone) {
		return moment{}, errNoQuery
	}
	if o == nil || c.hidden {
		return moment{}, errNoSuchOrder
	}
	at, known := o.at(now.Add(-c.lag))
	if !known || byClient && see == VisiblePendingOnly && !isOpen(at.status) {
		return moment{}, errNoSuchOrder
	}
	return at, nil
}

// listed is an order as the lists show it.
func (c *call) listed(e *engine, o *order, at moment) orderView {
	v := o.view(at)
	if e.cfg.Custom.Visibility == VisibleNone {
		v.ClientOrderID = ""
	}
	return v
}

func serveOpenOrders(e *engine, c *call, now time.Time) (any, *apiError) {
	var m *marketState
	if c.symbol != "" {
		var err *apiError
		if m, err = c.market(e); err != nil {
			return nil, err
		}
		e.flow(m, now)
	}
	a, views := e.accounts[c.account], []orderView{}
	if c.lag == 0 {
		for _, o := range a.openOf(m) {
			views = append(views, c.listed(e, o, o.present()))
		}
		return views, nil
	}
	var seen []*order // those that are open now are not all that were
	for _, s := range e.symbols {
		if m == nil || m.symbol == s {
			for _, o := range a.orders[s] {
				if o.isOpen() || now.Sub(o.updated) <= c.lag {
					seen = append(seen, o)
				}
			}
		}
	}
	slices.SortFunc(seen, func(x, y *order) int { return int(x.id - y.id) })
	for _, o := range seen {
		if at, known := o.at(now.Add(-c.lag)); known && isOpen(at.status) {
			views = append(views, c.listed(e, o, at))
		}
	}
	return views, nil
}

// serveAllOrders answers from orderId on, or within a period, or with the latest.
func serveAllOrders(e *engine, c *call, now time.Time) (any, *apiError) {
	m, span, n, err := c.history(e, now)
	if err != nil {
		return nil, err
	}
	from, byID, err := c.integer("orderId")
	if err != nil {
		return nil, err
	}
	list := e.accounts[c.account].orders[m.symbol]
	i, _ := slices.BinarySearchFunc(list, from, func(o *order, id int64) int { return int(o.id - id) })
	return page(list[i:], n, byID || !span.from.IsZero(), func(o *order) (v orderView, ok bool) {
		at, known := o.at(now.Add(-c.lag))
		if !known || !span.holds(o.told(o.created)) {
			return v, false
		}
		return c.listed(e, o, at), true
	}), nil
}

// page returns up to n views of a list, which is in order: the first if a start was given, else the latest.
func page[T, V any](list []T, n int, fromStart bool, view func(T) (V, bool)) []V {
	views := []V{}
	for i := 0; i < len(list) && len(views) < n; i++ {
		at := i
		if !fromStart {
			at = len(list) - 1 - i
		}
		if v, ok := view(list[at]); ok {
			views = append(views, v)
		}
	}
	if !fromStart {
		slices.Reverse(views)
	}
	return views
}

// history reads what allOrders and myTrades share.
func (c *call) history(e *engine, now time.Time) (m *marketState, span period, n int, err *apiError) {
	if m, err = c.market(e); err != nil {
		return nil, span, 0, err
	}
	if n, err = c.limit(500, 1000); err != nil {
		return nil, span, 0, err
	}
	if span, err = c.period(); err != nil {
		return nil, span, 0, err
	}
	if span.longerThanDay() {
		return nil, span, 0, errTimeSpan
	}
	e.flow(m, now)
	return m, span, n, nil
}
