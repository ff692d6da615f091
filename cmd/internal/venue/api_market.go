package venue

import (
	"cmp"
	"slices"
	"time"
)

func serveDepth(e *engine, c *call, now time.Time) (any, *apiError) {
	m, err := c.market(e)
	if err != nil {
		return nil, err
	}
	n, err := c.limit(100, 5000)
	if err != nil {
		return nil, err
	}
	e.flow(m, now)
	if c.stale > 0 {
		at := max(m.sequenceAt(now.Add(-c.stale)), m.firstChange()-1)
		bids, asks, _ := m.bookAt(at) // kept, as it is no older than the first change
		return depthView{at, pairs(bids[:min(n, len(bids))]), pairs(asks[:min(n, len(asks))])}, nil
	}
	return depthView{m.updates, m.bids.top(n), m.asks.top(n)}, nil
}

type depthView struct {
	LastUpdateID int64       `json:"lastUpdateId"`
	Bids         [][2]string `json:"bids"`
	Asks         [][2]string `json:"asks"`
}

type tradeView struct {
	ID           int64  `json:"id"`
	Price        string `json:"price"`
	Quantity     string `json:"qty"`
	Quote        string `json:"quoteQty"`
	Time         int64  `json:"time"`
	IsBuyerMaker bool   `json:"isBuyerMaker"`
	IsBestMatch  bool   `json:"isBestMatch"`
}

func serveTrades(e *engine, c *call, now time.Time) (any, *apiError) {
	m, err := c.market(e)
	if err != nil {
		return nil, err
	}
	n, err := c.limit(500, keepTrades)
	if err != nil {
		return nil, err
	}
	e.flow(m, now)
	return tradeViews(m.tape[max(0, len(m.tape)-n):]), nil
}

func tradeViews(list []trade) []tradeView {
	views := make([]tradeView, len(list))
	for i, t := range list {
		views[i] = tradeView{t.id, text(t.price), text(t.qty), text(t.quoteQty), t.at.UnixMilli(), t.buyerMaker, true}
	}
	return views
}

// serveHistoricalTrades answers from fromId on, or with the latest, as far back as trades are kept.
func serveHistoricalTrades(e *engine, c *call, now time.Time) (any, *apiError) {
	m, err := c.market(e)
	if err != nil {
		return nil, err
	}
	n, err := c.limit(500, keepTrades)
	if err != nil {
		return nil, err
	}
	from, given, err := c.integer("fromId")
	if err != nil {
		return nil, err
	}
	e.flow(m, now)
	if !given {
		return tradeViews(m.tape[max(0, len(m.tape)-n):]), nil
	}
	i, _ := slices.BinarySearchFunc(m.tape, from, func(t trade, id int64) int { return cmp.Compare(t.id, id) })
	return tradeViews(m.tape[i:min(i+n, len(m.tape))]), nil
}

type aggView struct {
	ID         int64  `json:"a"`
	Price      string `json:"p"`
	Quantity   string `json:"q"`
	First      int64  `json:"f"`
	Last       int64  `json:"l"`
	At         int64  `json:"T"`
	BuyerMaker bool   `json:"m"`
	BestMatch  bool   `json:"M"`
}

// serveAggTrades answers from fromId on, or within a period, or with the latest.
func serveAggTrades(e *engine, c *call, now time.Time) (any, *apiError) {
	m, err := c.market(e)
	if err != nil {
		return nil, err
	}
	n, err := c.limit(500, 1000)
	if err != nil {
		return nil, err
	}
	from, byID, err := c.integer("fromId")
	if err != nil {
		return nil, err
	}
	span, err := c.period()
	switch {
	case err != nil:
		return nil, err
	case byID && (!span.from.IsZero() || !span.to.IsZero()):
		return nil, errCombination
	}
	e.flow(m, now)
	i, _ := slices.BinarySearchFunc(m.aggregated, from, func(a aggregate, id int64) int { return cmp.Compare(a.id, id) })
	return page(m.aggregated[i:], n, byID || !span.from.IsZero(), func(a aggregate) (aggView, bool) {
		return aggView{a.id, text(a.price), text(a.qty), a.first, a.last, a.at.UnixMilli(), a.buyerMaker, true}, span.holds(a.at)
	}), nil
}
