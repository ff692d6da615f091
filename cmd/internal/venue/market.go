package venue

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// keepTrades is how many public trades of a market can be read.
const keepTrades = 1000

// A marketState is one symbol: its terms, its book and its history.
type marketState struct {
	symbol, base, quote string
	terms               Market

	lower       string // symbol as streams have it
	keepChanges int

	bids, asks ladder
	changes    []change
	updates    int64 // id of the latest change of the book
	trades     int64 // id of the latest trade
	tape       []trade
	aggregates int64 // id of the latest aggregate
	aggregated []aggregate
	last       decimal.Decimal // price of the latest trade, or where the flow begins
	seconds    candles
	minutes    candles

	rng       *rand.Rand
	mid       int64 // price the flow trades around, in ticks
	houseRest []*order
	flowed    time.Time // how far Config.FlowEvery is done

	aggregateTold int64                // to those that listen
	ticked        [2][2]string         // best bid and ask as last told
	closed        map[string]time.Time // opening of the latest candle told as final, by interval
}

// A trade is one match. Ids of a market have no gaps.
type trade struct {
	id         int64
	price, qty decimal.Decimal
	quoteQty   decimal.Decimal
	buyerMaker bool
	at         time.Time
}

func newMarket(cfg Config, symbol string) *marketState {
	base, quote := split(symbol)
	terms := cfg.Markets[symbol]
	return &marketState{
		lower: strings.ToLower(symbol), keepChanges: cfg.KeepBook, closed: map[string]time.Time{},
		symbol: symbol, base: base, quote: quote, terms: terms,
		bids: ladder{side: buy}, asks: ladder{side: sell}, last: terms.Price,
		seconds: candles{width: time.Second}, minutes: candles{width: time.Minute},
		rng: generator(cfg.Seed, symbol),
		mid: terms.Price.Div(terms.Tick).IntPart(),
	}
}

// against is the side of the book that o trades with, along the one it rests on.
func (m *marketState) against(o *order) *ladder {
	if o.side == buy {
		return &m.asks
	}
	return &m.bids
}

func (m *marketState) along(o *order) *ladder {
	if o.side == buy {
		return &m.bids
	}
	return &m.asks
}

// record writes a trade into the public history.
func (m *marketState) record(price, qty decimal.Decimal, taker *order, now time.Time) trade {
	m.trades++
	t := trade{id: m.trades, price: price, qty: qty, quoteQty: price.Mul(qty), buyerMaker: taker.side == sell, at: now}
	m.join(t, taker)
	if len(m.tape) == 2*keepTrades {
		m.tape = append(m.tape[:0], m.tape[keepTrades:]...)
	}
	m.tape = append(m.tape, t)
	m.last = price
	m.seconds.add(t)
	m.minutes.add(t)
	return t
}

// filter checks an order against the symbol's filters (Binance spot API, filters.md).
func (m *marketState) filter(n newOrder, open int) *apiError {
	t := m.terms
	if n.typ != market && (n.price.Cmp(t.Tick) < 0 || n.price.Cmp(maxPrice) > 0 || !n.price.Mod(t.Tick).IsZero()) {
		return filterFailure("PRICE_FILTER")
	}
	if n.quoteQty.IsZero() && (n.qty.Cmp(t.Step) < 0 || n.qty.Cmp(t.MaxQuantity) > 0 || !n.qty.Mod(t.Step).IsZero()) {
		return filterFailure("LOT_SIZE")
	}
	notional := n.quoteQty
	switch {
	case n.typ != market:
		notional = n.price.Mul(n.qty)
	case n.quoteQty.IsZero():
		notional = m.last.Mul(n.qty)
	}
	if notional.Cmp(t.MinNotional) < 0 {
		return filterFailure("NOTIONAL")
	}
	if n.typ != market && open >= t.MaxOpenOrders {
		return filterFailure("MAX_NUM_ORDERS")
	}
	return nil
}
