package venue

import (
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// keepCandles is how many candles of each width a market keeps: 25 hours of minutes.
const keepCandles = 1500

// candles is the history of a market in pieces of one width, without gaps.
type candles struct {
	width time.Duration
	list  []candle
}

// A candle is the trades from its opening on.
type candle struct {
	open                   time.Time
	first, high, low, last decimal.Decimal
	volume, quote          decimal.Decimal
	takerBase, takerQuote  decimal.Decimal // bought by takers
	trades                 int
	firstTrade, lastTrade  int64
}

// reach appends flat candles up to the one that holds now.
func (c *candles) reach(now time.Time) {
	if len(c.list) == 0 {
		return
	}
	end := now.Truncate(c.width)
	latest := c.list[len(c.list)-1]
	if early := end.Add(-keepCandles * c.width); latest.open.Before(early) {
		c.list, latest.open = c.list[:0], early // all older ones would be dropped anyway
	}
	for t := latest.open.Add(c.width); !t.After(end); t = t.Add(c.width) {
		c.append(candle{open: t, first: latest.last, high: latest.last, low: latest.last, last: latest.last, firstTrade: -1, lastTrade: -1})
	}
}

func (c *candles) append(k candle) {
	if len(c.list) == 2*keepCandles {
		c.list = append(c.list[:0], c.list[keepCandles:]...)
	}
	c.list = append(c.list, k)
}

func (c *candles) add(t trade) {
	c.reach(t.at)
	single := candle{
		open: t.at.Truncate(c.width), first: t.price, high: t.price, low: t.price, last: t.price,
		volume: t.qty, quote: t.quoteQty, trades: 1, firstTrade: t.id, lastTrade: t.id,
	}
	if !t.buyerMaker {
		single.takerBase, single.takerQuote = t.qty, t.quoteQty
	}
	if n := len(c.list); n > 0 && !c.list[n-1].open.Before(single.open) {
		c.list[n-1].join(single)
		return
	}
	c.append(single)
}

// join adds a later candle to k. A candle without trades has no high or low of its own.
func (k *candle) join(b candle) {
	if b.trades == 0 {
		return
	}
	if k.trades == 0 {
		b.open, *k = k.open, b
		return
	}
	k.lastTrade = b.lastTrade
	k.high, k.low, k.last = decimal.Max(k.high, b.high), decimal.Min(k.low, b.low), b.last
	k.volume, k.quote = k.volume.Add(b.volume), k.quote.Add(b.quote)
	k.takerBase, k.takerQuote = k.takerBase.Add(b.takerBase), k.takerQuote.Add(b.takerQuote)
	k.trades += b.trades
}

// intervals are the venue's candle widths. A month, 1M, has none of its own.
var intervals = map[string]time.Duration{
	"1s": time.Second, "1m": time.Minute, "3m": 3 * time.Minute, "5m": 5 * time.Minute, "15m": 15 * time.Minute,
	"30m": 30 * time.Minute, "1h": time.Hour, "2h": 2 * time.Hour, "4h": 4 * time.Hour, "6h": 6 * time.Hour,
	"8h": 8 * time.Hour, "12h": 12 * time.Hour, "1d": 24 * time.Hour, "3d": 72 * time.Hour, "1w": 7 * 24 * time.Hour,
	"1M": 0,
}

// intervalNames are the intervals in an order.
var intervalNames = slices.Sorted(maps.Keys(intervals))

// bounds returns the opening and the end of the candle that holds t.
func bounds(width time.Duration, t time.Time) (start, end time.Time) {
	switch t = t.UTC(); width {
	case 0:
		start = time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
		return start, start.AddDate(0, 1, 0)
	case 7 * 24 * time.Hour:
		start = t.Truncate(width) // weeks of Truncate begin on a Monday, as the venue's do
	default:
		start = time.Unix(0, t.UnixNano()-t.UnixNano()%int64(width)).UTC()
	}
	return start, start.Add(width)
}

// klines returns candles of an interval, the oldest first.
func (m *marketState) klines(width time.Duration, now time.Time) []candle {
	source := &m.minutes
	if width == time.Second {
		source = &m.seconds
	}
	source.reach(now)
	var out []candle
	for _, k := range source.list {
		start, _ := bounds(width, k.open)
		if n := len(out); n > 0 && out[n-1].open.Equal(start) {
			out[n-1].join(k)
			continue
		}
		k.open = start
		out = append(out, k)
	}
	return out
}
