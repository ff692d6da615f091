package venue

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// The background flow is the rest of the market: a house account that quotes around a moving price and sometimes
// takes. It runs inside requests, so nobody has to stop it.
const (
	flowLevels  = 25   // prices quoted on each side
	flowKeep    = 120  // most orders of the house in a book
	flowWarmUp  = 100  // steps before the first request
	flowCatchUp = 1000 // most steps taken at once for time that passed
)

// openMarket fills a book and lets it live a little, so that the first client finds a spread, trades and candles.
func (e *engine) openMarket(m *marketState, now time.Time) {
	for i := range int64(flowLevels) {
		e.quote(m, buy, i+1, now)
		e.quote(m, sell, i+1, now)
	}
	for range flowWarmUp {
		e.flowStep(m, now)
	}
	m.flowed = now
}

// flow runs the steps that are due before a request touches m.
func (e *engine) flow(m *marketState, now time.Time) {
	if e.cfg.NoFlow {
		return
	}
	for range e.cfg.FlowPerRequest {
		e.flowStep(m, now)
	}
	e.flowDue(m, now)
}

// flowDue runs the steps that are due because time has passed.
func (e *engine) flowDue(m *marketState, now time.Time) {
	every := cmp.Or(m.terms.FlowEvery, e.cfg.FlowEvery)
	if e.cfg.NoFlow || every <= 0 {
		return
	}
	due := now.Sub(m.flowed) / every
	m.flowed = m.flowed.Add(due * every)
	for range min(due, flowCatchUp) {
		e.flowStep(m, now)
	}
}

func (e *engine) flowStep(m *marketState, now time.Time) {
	s := buy
	if m.rng.IntN(2) == 0 {
		s = sell
	}
	switch dice := m.rng.IntN(10); {
	case dice < 5:
		e.quote(m, s, 1+m.rng.Int64N(flowLevels), now)
	case dice < 8:
		e.take(m, s, now)
	default:
		e.drift(m, now)
	}
	e.refill(m, &m.bids, now)
	e.refill(m, &m.asks, now)
}

// spacing is the distance between two quoted prices in ticks: half a basis point, at least one tick.
func (m *marketState) spacing() int64 { return max(1, m.mid/20_000) }

func (m *marketState) ticks(n int64) decimal.Decimal {
	return decimal.Min(m.terms.Tick.Mul(decimal.NewFromInt(max(1, n))), floorTo(maxPrice, m.terms.Tick))
}

// quote rests an order of the house at a distance from the middle; a client's order in its way is filled.
func (e *engine) quote(m *marketState, s side, distance int64, now time.Time) {
	at := m.mid - distance*m.spacing()
	if s == sell {
		at = m.mid + distance*m.spacing()
	}
	o := e.houseOrder(m, s, limit, gtc, m.ticks(at), m.size(50, 4000), now)
	e.run(o, now)
	if o.isOpen() {
		m.houseRest = append(m.houseRest, o)
	}
	m.houseRest = slices.DeleteFunc(m.houseRest, func(o *order) bool { return !o.isOpen() })
	for len(m.houseRest) > flowKeep {
		e.cancel(m.houseRest[0], "", now)
		m.houseRest = m.houseRest[1:]
	}
}

// take sends a small order that trades at once.
func (e *engine) take(m *marketState, s side, now time.Time) {
	o := e.houseOrder(m, s, market, ioc, decimal.Decimal{}, m.size(1, 400), now)
	e.run(o, now)
}

// refill quotes again on a side that has become thin, so that no client finds the market gone.
func (e *engine) refill(m *marketState, l *ladder, now time.Time) {
	for i := int64(1); len(l.levels) < flowLevels/5 && i <= flowLevels; i++ {
		e.quote(m, l.side, i, now)
	}
}

// drift moves the middle, pulled gently to where it began, and withdraws quotes that it passed.
func (e *engine) drift(m *marketState, now time.Time) {
	reach := max(1, int64(float64(m.mid)*m.terms.Volatility))
	home := m.terms.Price.Div(m.terms.Tick).IntPart()
	m.mid = max(1, m.mid+m.rng.Int64N(2*reach+1)-reach+(home-m.mid)/200)
	middle := m.ticks(m.mid)
	m.houseRest = slices.DeleteFunc(m.houseRest, func(o *order) bool {
		passed := o.isOpen() && (o.side == buy) == (o.price.Cmp(middle) >= 0)
		if passed {
			e.cancel(o, "", now)
		}
		return !o.isOpen()
	})
	e.quote(m, buy, 1, now)
	e.quote(m, sell, 1, now)
}

func (e *engine) houseOrder(m *marketState, s side, t orderType, tif timeInForce, price, qty decimal.Decimal, now time.Time) *order {
	return &order{account: e.house, market: m, side: s, typ: t, tif: tif, price: price, qty: qty, status: statusNew, created: now}
}

// size draws a quantity worth low to high times the smallest notional.
func (m *marketState) size(low, high int) decimal.Decimal {
	worth := m.terms.MinNotional.Mul(decimal.NewFromInt(int64(low + m.rng.IntN(high-low))))
	steps := worth.Div(m.last.Mul(m.terms.Step)).IntPart()
	most := m.terms.MaxQuantity.Div(m.terms.Step).IntPart()
	return m.terms.Step.Mul(decimal.NewFromInt(min(max(1, steps), max(1, most), math.MaxInt32)))
}
