package venue

import (
	"strings"
	"time"
)

// serveKlines answers with the candles since the venue was opened.
func serveKlines(e *engine, c *call, now time.Time) (any, *apiError) {
	m, err := c.market(e)
	if err != nil {
		return nil, err
	}
	interval := c.params.Get("interval")
	if interval == "" {
		return nil, mandatory("interval")
	}
	width, ok := intervals[interval]
	if !ok {
		return nil, errInterval
	}
	if zone := c.params.Get("timeZone"); strings.Trim(zone, "+-0:") != "" {
		return nil, refuse(-1130, "Data sent for parameter 'timeZone' is not valid.") // UTC is what this venue keeps
	}
	n, err := c.limit(500, 1000)
	if err != nil {
		return nil, err
	}
	span, err := c.period()
	if err != nil {
		return nil, err
	}
	e.flow(m, now)
	views := [][12]any{}
	for _, k := range m.klines(width, now) {
		if !span.holds(k.open) {
			continue
		}
		_, end := bounds(width, k.open)
		views = append(views, [12]any{
			k.open.UnixMilli(), text(k.first), text(k.high), text(k.low), text(k.last), text(k.volume),
			end.UnixMilli() - 1, text(k.quote), k.trades, text(k.takerBase), text(k.takerQuote), "0",
		})
	}
	if span.from.IsZero() { // without a start the latest are meant, with one the first from there
		return views[max(0, len(views)-n):], nil
	}
	return views[:min(n, len(views))], nil
}
