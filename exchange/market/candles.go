package market

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Candles delivers the candles of many symbols of one venue: live ones as they change, and each
// final one once, in order. What the stream missed is read again from the last final one; one that
// turns out different is a [Correction]. Set the fields, run Run, and hand in what a [Link] receives. It
// is safe for concurrent use, but the candles of one symbol come from one goroutine.
type Candles struct {
	Rules Rules

	// Page reads candles again. It blocks as long as the rate limiter makes it wait, and does its own
	// retries: an error ends the fill, and leaves a hole.
	Page func(ctx context.Context, p CandlePage) ([]Candle, error)

	Pages       int // most pages of one fill; default 20
	Concurrency int // fills at the same time; default 2

	roster roster
	mu     sync.RWMutex
	series map[candleKey]*seriesEntry // guarded by mu
}

type candleKey struct {
	symbol   string
	interval time.Duration
}

// seriesEntry is one series, and those who listen.
type seriesEntry struct {
	candles *Candles
	errand  errand

	audience
	series series // guarded by mu
}

// Add makes room for a symbol and an interval: candles of others are not looked at. An interval that is
// not positive is ignored.
func (c *Candles) Add(symbol string, interval time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := candleKey{symbol, interval}
	if interval <= 0 || c.series[k] != nil {
		return
	}
	if c.series == nil {
		c.series = make(map[candleKey]*seriesEntry)
	}
	e := &seriesEntry{candles: c}
	e.errand.do = e.fill
	e.series = series{symbol: symbol, interval: interval, rules: c.Rules.Candles, emit: e.emit}
	c.series[k] = e
}

// Remove forgets a symbol and an interval.
func (c *Candles) Remove(symbol string, interval time.Duration) {
	c.mu.Lock()
	k := candleKey{symbol, interval}
	e := c.series[k]
	delete(c.series, k)
	c.mu.Unlock()
	if e != nil {
		c.roster.drop(&e.errand)
	}
}

// Run fills gaps until ctx ends, and returns its cause after the last call of Page has returned.
func (c *Candles) Run(ctx context.Context) error {
	if c.Page == nil {
		return errors.New("market: Page: no way to read candles again: set it")
	}
	return c.roster.run(ctx, positive(c.Concurrency, 2))
}

// Receive takes candles of a stream.
func (c *Candles) Receive(candles ...Candle) {
	for _, candle := range candles {
		if e := c.entry(candle.Symbol, candle.Interval); e != nil {
			e.mu.Lock()
			if e.series.add(candle) {
				c.roster.put(&e.errand, time.Now(), 0)
			}
			e.mu.Unlock()
		}
	}
}

// Resumed says that the stream of a symbol goes on after an interruption: its candles are read again from
// the last final one.
func (c *Candles) Resumed(symbol string, interval time.Duration) {
	if e := c.entry(symbol, interval); e != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.series.interrupted() {
			c.roster.put(&e.errand, time.Now(), 0)
		}
	}
}

// Stats returns the sums over all series.
func (c *Candles) Stats() CandleStats {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var sum CandleStats
	for _, e := range c.series {
		e.mu.Lock()
		sum.Closed += e.series.stats.Closed
		sum.Corrections += e.series.stats.Corrections
		sum.Fills += e.series.stats.Fills
		sum.Holes += e.series.stats.Holes
		e.mu.Unlock()
	}
	return sum
}

// Watch returns a consumer of the candles of symbols, from now on. Its queue holds size events; not
// positive means 1,024. Symbols that were not added with the interval are left out.
func (c *Candles) Watch(size int, interval time.Duration, symbols ...string) *Feed {
	f := newFeed(size)
	for _, symbol := range symbols {
		if e := c.entry(symbol, interval); e != nil {
			e.join(f)
		}
	}
	return f
}

func (c *Candles) entry(symbol string, interval time.Duration) *seriesEntry {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.series[candleKey{symbol, interval}]
}

// fill reads what is missing, once.
func (e *seriesEntry) fill(ctx context.Context) {
	e.mu.Lock()
	filling, want, fills := e.series.filling, e.series.want, e.series.stats.Fills
	e.mu.Unlock()
	if !filling {
		return
	}
	rows, err := e.candles.read(ctx, want)

	e.mu.Lock()
	defer e.mu.Unlock()
	if e.series.filling && e.series.stats.Fills == fills { // else it was given up
		if e.series.filled(rows, err) {
			e.candles.roster.put(&e.errand, time.Now(), 0)
		}
	}
}

// read reads pages until nothing new comes, or there were too many.
func (c *Candles) read(ctx context.Context, p CandlePage) (all []Candle, err error) {
	seen := make(map[time.Time]bool)
	for range positive(c.Pages, 20) {
		page, err := c.Page(ctx, p)
		if err != nil {
			return all, fmt.Errorf("read candles of %s from %s: %w", p.Symbol, p.From.Format(time.RFC3339), err)
		}
		fresh := 0
		for _, row := range page {
			if at := row.Start.UTC(); !seen[at] {
				seen[at] = true
				all = append(all, row)
				fresh++
				if !at.Before(p.From) {
					p.From = at.Add(p.Interval)
				}
			}
		}
		over := !p.To.IsZero() && !p.From.Before(p.To)
		if fresh == 0 || over || p.Rows > 0 && len(page) < p.Rows {
			return all, nil
		}
	}
	return all, fmt.Errorf("read candles of %s: %w", p.Symbol, ErrPages)
}
