package venue

import (
	"net/http"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// An engine owns the books, the accounts and what happened to them. Venue.mu guards it.
type engine struct {
	cfg      Config
	markets  map[string]*marketState
	symbols  []string // order of cfg
	accounts []*account
	house    *account
	log      *journal
	ledger   *ledger

	orders    int64 // id of the latest client order
	cancels   uint64
	ownTrades int
	born      time.Time
}

// An ownTrade is a trade as one account sees it.
type ownTrade struct {
	trade
	order    *order
	fee      decimal.Decimal
	feeAsset string
	buyer    bool
	maker    bool
}

// A newOrder is a request for an order after its parameters were read.
type newOrder struct {
	account  *account
	market   *marketState
	client   string
	side     side
	typ      orderType
	tif      timeInForce
	price    decimal.Decimal
	qty      decimal.Decimal
	quoteQty decimal.Decimal
}

func newEngine(cfg Config, log *journal, ledger *ledger, now time.Time) *engine {
	e := &engine{cfg: cfg, markets: map[string]*marketState{}, symbols: cfg.Symbols, house: newAccount(0, nil), log: log, ledger: ledger, born: now}
	for i, a := range cfg.Accounts {
		acct := newAccount(i+1, a.Balances)
		for j := range acct.counts {
			acct.counts[j] = window{length: orderWindows[j].length, origin: now}
		}
		e.accounts = append(e.accounts, acct)
	}
	for _, s := range cfg.Symbols {
		m := newMarket(cfg, s)
		e.markets[s] = m
		if !cfg.NoFlow {
			e.openMarket(m, now)
		}
	}
	return e
}

// place runs the checks of an order and, if it passes, matches it. The order of the checks is the venue's: count,
// filters, client id, balance.
func (e *engine) place(n newOrder, now time.Time) (*order, *apiError) {
	if err := e.countOrders(n.account, now); err != nil {
		return nil, err
	}
	if err := n.market.filter(n, n.account.openIn(n.market)); err != nil {
		return nil, err
	}
	if e.orders >= int64(e.cfg.MaxOrders) || e.ownTrades >= 4*e.cfg.MaxOrders {
		e.ledger.refusedFull++
		return nil, errFull
	}
	if n.account.open[n.client] != nil {
		return nil, errDuplicate
	}
	o := &order{
		client: n.client, account: n.account, market: n.market, side: n.side, typ: n.typ, tif: n.tif,
		price: n.price, qty: n.qty, quoteQty: n.quoteQty, status: statusNew, created: now,
	}
	if o.typ == limitMaker {
		if best := o.market.against(o).best(); best != nil && o.crosses(best.price) {
			return nil, errWouldMatch
		}
	}
	reserve, err := o.reserve()
	if err != nil {
		return nil, err
	}
	if !o.account.lock(o.paid(), reserve) {
		return nil, errBalance
	}
	o.locked = reserve
	e.orders++
	o.id = e.orders
	if o.client == "" {
		o.client = generatedID(e.cfg.Seed, "order", uint64(o.id))
	}
	e.admit(o)
	o.remember(now)
	e.ledger.placed(o)
	e.log.order(o, "placed")
	e.run(o, now)
	return o, nil
}

// admit files a client's order under its ids.
func (e *engine) admit(o *order) {
	a, symbol := o.account, o.market.symbol
	a.orders[symbol] = append(a.orders[symbol], o)
	a.byClient[clientKey{symbol, o.client}] = o
	a.open[o.client] = o
	for i := range a.counts {
		a.counts[i].used++
		o.windows[i] = a.counts[i].start
	}
}

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
		e.trade(maker, o, best.price, qty, now)
		against.reduce(qty)
		o.market.updates++
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
		o.market.along(o).add(o)
		o.market.updates++
	}
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

// trade moves the assets of one match at the maker's price.
func (e *engine) trade(maker, taker *order, price, qty decimal.Decimal, now time.Time) {
	m := taker.market
	t := m.record(price, qty, taker.side == sell, now)
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
	a.trades[o.market.symbol] = append(a.trades[o.market.symbol], ownTrade{t, o, fee, asset, o.side == buy, isMaker})
	if !isMaker {
		o.fills = append(o.fills, fill{t.id, t.price, t.qty, fee, asset})
	}
	e.ledger.filled(o, t)
}

// finish ends an order and gives back what is still set aside for it.
func (e *engine) finish(o *order, status string, now time.Time) {
	o.status = status
	if o.account.house() {
		return
	}
	o.account.unlock(o.paid(), o.locked)
	o.locked = decimal.Zero
	delete(o.account.open, o.client)
	o.remember(now)
	o.facts.status(o)
	e.log.order(o, "done")
}

// cancel takes an open order out of the book.
func (e *engine) cancel(o *order, now time.Time) {
	o.market.along(o).remove(o)
	o.market.updates++
	e.finish(o, statusCanceled, now)
}

// countOrders refuses an order beyond the account's counts (Binance spot API errors, -1015).
func (e *engine) countOrders(a *account, now time.Time) *apiError {
	for i, limit := range []int{e.cfg.Limits.OrdersPer10s, e.cfg.Limits.OrdersPerDay} {
		a.counts[i].roll(now)
		if limit != Unlimited && a.counts[i].used >= limit {
			err := refuse(-1015, "Too many new orders; current limit is %d orders per %s.", limit, orderWindows[i].text)
			err.status, err.retryAfter = http.StatusTooManyRequests, a.counts[i].left(now)
			return err
		}
	}
	return nil
}

// returnCount gives an order's count back: the venue counts unfilled orders only.
func (e *engine) returnCount(o *order) {
	if o.account.house() {
		return
	}
	for i := range o.account.counts {
		if w := &o.account.counts[i]; w.start.Equal(o.windows[i]) && w.used > 0 {
			w.used--
		}
	}
}

// openIn counts the open orders of a market.
func (a *account) openIn(m *marketState) (n int) {
	for _, o := range a.open {
		if o.market == m {
			n++
		}
	}
	return n
}

// openOf returns the open orders of a market, of all markets if m is nil, by ascending id.
func (a *account) openOf(m *marketState) []*order {
	var out []*order
	for _, o := range a.open {
		if m == nil || o.market == m {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(x, y *order) int { return int(x.id - y.id) })
	return out
}
