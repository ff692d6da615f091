package venue

import (
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
	hub      *hub

	ahead     time.Duration // of the venue's clock, for the request that is served
	orders    int64         // id of the latest client order
	cancels   uint64
	ownTrades int
	reports   int64 // id of the latest event of a client's order
	born      time.Time

	after func(d time.Duration, f func(now time.Time)) // does something later, if the world is still the same
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
	dedupe   Dedupe
	steps    []float64 // how a fault wants it filled
	delay    time.Duration
}

func newEngine(cfg Config, log *journal, ledger *ledger, hub *hub, now time.Time) *engine {
	e := &engine{hub: hub, cfg: cfg, markets: map[string]*marketState{}, symbols: cfg.Symbols, house: newAccount(0, nil), log: log, ledger: ledger, born: now}
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
	if original := n.account.first[n.client]; n.client != "" && original != nil {
		switch {
		case n.dedupe == DedupeReturnsOriginal:
			return original, nil
		case n.dedupe == DedupeAlways, n.dedupe == DedupeOpenOnly && n.account.openIDs[n.client] > 0:
			return nil, errDuplicate
		}
	}
	o := &order{
		client: n.client, account: n.account, market: n.market, side: n.side, typ: n.typ, tif: n.tif,
		price: n.price, qty: n.qty, quoteQty: n.quoteQty, status: statusNew, created: now, ahead: e.ahead,
	}
	if o.typ == limitMaker {
		if best := o.market.against(o).best(); best != nil && o.crosses(best.price) {
			return e.reject(o, errWouldMatch, "WOULD_MATCH_IMMEDIATELY", now)
		}
	}
	reserve, err := o.reserve()
	if err != nil {
		return nil, err
	}
	if !o.account.lock(o.paid(), reserve) {
		return e.reject(o, errBalance, "INSUFFICIENT_BALANCES", now)
	}
	o.locked = reserve
	e.file(o)
	e.admit(o)
	o.remember(now)
	e.ledger.placed(o)
	e.log.order(o, "placed")
	e.report(o, execNew, "", nil, now)
	if len(n.steps) > 0 && o.quoteQty.IsZero() {
		e.stepwise(o, n.steps, n.delay, now)
	} else {
		e.run(o, now)
	}
	return o, nil
}

// file gives an order its ids and makes it known by them.
func (e *engine) file(o *order) {
	e.orders++
	o.id = e.orders
	if o.client == "" {
		o.client = generatedID(e.cfg.Seed, "order", uint64(o.id))
	}
	a, symbol := o.account, o.market.symbol
	a.orders[symbol] = append(a.orders[symbol], o)
	a.byClient[clientKey{symbol, o.client}] = o
	if a.first[o.client] == nil {
		a.first[o.client] = o
	}
}

// reject refuses an order, or, where an answer says no more than that the request was accepted, files it as rejected.
func (e *engine) reject(o *order, err *apiError, reason string, now time.Time) (*order, *apiError) {
	if e.cfg.Custom.Ack != AckAcceptedOnly {
		return nil, err
	}
	o.status, o.rejected = statusRejected, reason
	e.file(o)
	o.remember(now)
	e.log.order(o, "rejected")
	e.report(o, execRejected, "", nil, now)
	return o, nil
}

// stepwise fills an order by shares, one now and the others later. What is left rests if it can and else expires.
func (e *engine) stepwise(o *order, steps []float64, delay time.Duration, now time.Time) {
	for len(steps) > 0 && o.isOpen() {
		e.fill(o, o.share(steps[0]), now)
		if steps = steps[1:]; delay > 0 && len(steps) > 0 {
			e.after(delay, func(now time.Time) { e.stepwise(o, steps, delay, now) })
			return
		}
	}
	if !o.isOpen() {
		return
	}
	best := o.market.against(o).best()
	if o.tif != gtc || best != nil && o.crosses(best.price) {
		e.finish(o, statusExpired, now)
		return
	}
	e.run(o, now)
}

// admit opens a client's order and counts it.
func (e *engine) admit(o *order) {
	a := o.account
	a.opened(o)
	for i := range a.counts {
		a.counts[i].used++
		o.windows[i] = a.counts[i].start
	}
}
