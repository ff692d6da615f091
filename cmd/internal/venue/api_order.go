package venue

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

type ackView struct {
	Symbol        string `json:"symbol"`
	OrderID       int64  `json:"orderId"`
	OrderListID   int    `json:"orderListId"`
	ClientOrderID string `json:"clientOrderId"`
	TransactTime  int64  `json:"transactTime"`
}

// termsView is what all longer answers about an order share.
type termsView struct {
	Price         string      `json:"price"`
	OrigQty       string      `json:"origQty"`
	ExecutedQty   string      `json:"executedQty"`
	OrigQuoteQty  string      `json:"origQuoteOrderQty"`
	CumQuote      string      `json:"cummulativeQuoteQty"` // the venue's spelling
	Status        string      `json:"status"`
	TimeInForce   timeInForce `json:"timeInForce"`
	Type          orderType   `json:"type"`
	Side          side        `json:"side"`
	WorkingTime   int64       `json:"workingTime"`
	SelfTradeMode string      `json:"selfTradePreventionMode"`
}

type resultView struct {
	ackView
	termsView
}

type fullView struct {
	resultView

	Fills []fillView `json:"fills"`
}

type fillView struct {
	Price           string `json:"price"`
	Quantity        string `json:"qty"`
	Commission      string `json:"commission"`
	CommissionAsset string `json:"commissionAsset"`
	TradeID         int64  `json:"tradeId"`
}

type canceledView struct {
	OrigClientOrderID string `json:"origClientOrderId"`
	resultView
}

type orderView struct {
	Symbol        string `json:"symbol"`
	OrderID       int64  `json:"orderId"`
	OrderListID   int    `json:"orderListId"`
	ClientOrderID string `json:"clientOrderId"`
	termsView
	StopPrice  string `json:"stopPrice"`
	IcebergQty string `json:"icebergQty"`
	Time       int64  `json:"time"`
	UpdateTime int64  `json:"updateTime"`
	IsWorking  bool   `json:"isWorking"`
}

func (o *order) ack(client string, now time.Time) ackView {
	return ackView{o.market.symbol, o.id, -1, client, now.UnixMilli()}
}

func (o *order) terms(at moment) termsView {
	qty := o.qty
	if o.quoteQty.IsPositive() {
		qty = at.executed // of an order by quote quantity it is known in the end only
	}
	return termsView{
		text(o.price), text(qty), text(at.executed), text(o.quoteQty), text(at.spent), at.status,
		o.tif, o.typ, o.side, o.created.UnixMilli(), "NONE",
	}
}

func (o *order) present() moment { return o.past[len(o.past)-1] }

func (o *order) view(at moment) orderView {
	return orderView{
		o.market.symbol, o.id, -1, o.client, o.terms(at), text(decimal.Zero), text(decimal.Zero),
		o.created.UnixMilli(), at.at.UnixMilli(), true,
	}
}

func servePlace(e *engine, c *call, now time.Time) (any, *apiError) {
	m, err := c.market(e)
	if err != nil {
		return nil, err
	}
	n, answer, err := c.newOrder(e, m)
	if err != nil {
		return nil, err
	}
	e.flow(m, now)
	o, err := e.place(n, now)
	if err != nil {
		return nil, err
	}
	c.placed = o
	result := resultView{o.ack(o.client, now), o.terms(o.present())}
	switch answer {
	case "ACK":
		return result.ackView, nil
	case "RESULT":
		return result, nil
	}
	full := fullView{resultView: result, Fills: make([]fillView, len(o.fills))}
	for i, f := range o.fills {
		full.Fills[i] = fillView{text(f.price), text(f.qty), text(f.fee), f.feeAsset, f.trade}
	}
	return full, nil
}

// newOrder reads the parameters of an order and how the answer should look.
func (c *call) newOrder(e *engine, m *marketState) (n newOrder, answer string, err *apiError) {
	n = newOrder{account: e.accounts[c.account], market: m}
	fail := func(err *apiError) (newOrder, string, *apiError) { return newOrder{}, "", err }

	for _, name := range []string{"side", "type"} {
		if !c.given(name) {
			return fail(mandatory(name))
		}
	}
	if n.side = side(c.params.Get("side")); n.side != buy && n.side != sell {
		return fail(errSide)
	}
	needs, forbids := []string{"quantity", "price"}, []string{"quoteOrderQty"}
	switch n.typ = orderType(c.params.Get("type")); n.typ {
	case limit:
		needs = append(needs, "timeInForce")
	case limitMaker:
		forbids = append(forbids, "timeInForce")
	case market:
		needs, forbids = nil, []string{"timeInForce", "price"}
		switch {
		case !c.given("quantity") && !c.given("quoteOrderQty"):
			return fail(refuse(-1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!"))
		case c.given("quantity") && c.given("quoteOrderQty"):
			return fail(errCombination)
		}
	default:
		return fail(errOrderType)
	}
	for _, name := range needs {
		if !c.given(name) {
			return fail(mandatory(name))
		}
	}
	for _, name := range append(forbids, "stopPrice", "icebergQty", "trailingDelta") {
		if c.given(name) {
			return fail(refuse(-1106, "Parameter '%s' sent when not required.", name))
		}
	}
	n.tif = gtc
	if c.given("timeInForce") {
		n.tif = timeInForce(c.params.Get("timeInForce"))
	}
	if n.tif != gtc && n.tif != ioc && n.tif != fok {
		return fail(errTimeInForce)
	}
	for _, p := range []struct {
		name string
		d    *decimal.Decimal
		text string
	}{{"quantity", &n.qty, "Invalid quantity."}, {"quoteOrderQty", &n.quoteQty, "Invalid quote order qty."}, {"price", &n.price, "Invalid price."}} {
		d, given, err := c.amount(p.name)
		switch {
		case err != nil:
			return fail(err)
		case given && !d.IsPositive():
			return fail(refuse(-1013, "%s", p.text))
		}
		*p.d = d
	}
	if n.client, err = c.clientID("newClientOrderId"); err != nil {
		return fail(err)
	}
	if mode := c.params.Get("selfTradePreventionMode"); mode != "" && mode != "NONE" {
		return fail(errSelfTrade)
	}
	answer = c.params.Get("newOrderRespType")
	switch {
	case answer == "" && n.typ == limitMaker:
		answer = "ACK"
	case answer == "":
		answer = "FULL"
	case !slices.Contains([]string{"ACK", "RESULT", "FULL"}, answer):
		return fail(refuse(-1130, "Data sent for parameter 'newOrderRespType' is not valid."))
	}
	return n, answer, nil
}

// find looks an order up by orderId or origClientOrderId; of a client id used more than once, the latest order.
// It returns nil if there is none.
func (c *call) find(e *engine) (*order, *apiError) {
	m, err := c.market(e)
	if err != nil {
		return nil, err
	}
	id, byID, err := c.integer("orderId")
	if err != nil {
		return nil, err
	}
	client, err := c.clientID("origClientOrderId")
	if err != nil {
		return nil, err
	}
	a := e.accounts[c.account]
	switch {
	case byID:
		list := a.orders[m.symbol]
		i, ok := slices.BinarySearchFunc(list, id, func(o *order, id int64) int { return int(o.id - id) })
		if !ok {
			return nil, nil
		}
		if client != "" && list[i].client != client {
			return nil, errIDMismatch
		}
		return list[i], nil
	case client != "":
		return a.byClient[clientKey{m.symbol, client}], nil
	}
	return nil, refuse(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
}

func serveOrder(e *engine, c *call, now time.Time) (any, *apiError) {
	if m := e.markets[c.symbol]; m != nil {
		e.flow(m, now)
	}
	o, err := c.find(e)
	if err != nil {
		return nil, err
	}
	if o == nil {
		return nil, errNoSuchOrder
	}
	at, known := o.at(now.Add(-c.lag))
	if !known {
		return nil, errNoSuchOrder
	}
	return o.view(at), nil
}

// serveCancel asks the engine itself, which does not lag.
func serveCancel(e *engine, c *call, now time.Time) (any, *apiError) {
	if m := e.markets[c.symbol]; m != nil {
		e.flow(m, now)
	}
	o, err := c.find(e)
	if err != nil {
		return nil, err
	}
	name, err := c.clientID("newClientOrderId")
	if err != nil {
		return nil, err
	}
	restriction := c.params.Get("cancelRestrictions")
	if !slices.Contains([]string{"", "ONLY_NEW", "ONLY_PARTIALLY_FILLED"}, restriction) {
		return nil, refuse(-1130, "Data sent for parameter 'cancelRestrictions' is not valid.")
	}
	switch {
	case o == nil || !o.isOpen():
		return nil, errUnknownOrder
	case restriction == "ONLY_NEW" && o.status != statusNew, restriction == "ONLY_PARTIALLY_FILLED" && o.status != statusPartial:
		return nil, errCancelRestrict
	}
	e.cancel(o, now)
	if name == "" {
		e.cancels++
		name = generatedID(e.cfg.Seed, "cancel", e.cancels)
	}
	return canceledView{o.client, resultView{o.ack(name, now), o.terms(o.present())}}, nil
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
			views = append(views, o.view(o.present()))
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
			views = append(views, o.view(at))
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
		if !known || !span.holds(o.created) {
			return v, false
		}
		return o.view(at), true
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
