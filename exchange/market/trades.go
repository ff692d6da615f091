package market

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Trades delivers the trades of many symbols of one venue in order, each once. What the stream missed is
// read again; what cannot be is a [Hole], at its place. Where the venue does not number its trades, that
// is best effort, and marked so. Set the fields, run Run, and hand in what a [Link] receives. It is
// safe for concurrent use, but the trades of one symbol come from one goroutine.
type Trades struct {
	Rules Rules

	// Page reads trades again. It blocks as long as the rate limiter makes it wait, and does its own
	// retries: an error ends the fill, and leaves a hole. A venue that pages backwards returns the newest first.
	Page func(ctx context.Context, p TradePage) ([]Trade, error)

	Pages       int // most pages of one fill; default 20
	Pending     int // most live trades of a symbol that wait for a fill; default 10,000
	Concurrency int // fills at the same time; default 2

	roster roster
	mu     sync.RWMutex
	tapes  map[string]*tapeEntry // guarded by mu
}

// tapeEntry is the tape of one symbol, and those who listen.
type tapeEntry struct {
	trades *Trades
	errand errand

	audience
	tape tape // guarded by mu
}

// Add makes room for a symbol: trades of others are not looked at. Where many symbols need a fill,
// those with the greatest weight are first.
func (t *Trades) Add(symbol string, weight float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.tapes[symbol]
	if e == nil {
		if t.tapes == nil {
			t.tapes = make(map[string]*tapeEntry)
		}
		e = &tapeEntry{trades: t}
		e.errand.do = e.fill
		e.tape = tape{symbol: symbol, rules: t.Rules.Trades, most: positive(t.Pending, 10_000), emit: e.emit}
		t.tapes[symbol] = e
	}
	t.roster.weigh(&e.errand, weight)
}

// Remove forgets a symbol.
func (t *Trades) Remove(symbol string) {
	t.mu.Lock()
	e := t.tapes[symbol]
	delete(t.tapes, symbol)
	t.mu.Unlock()
	if e != nil {
		t.roster.drop(&e.errand)
	}
}

// Run fills gaps until ctx ends, and returns its cause after the last call of Page has returned.
func (t *Trades) Run(ctx context.Context) error {
	if err := t.Rules.Check(); err != nil {
		return fmt.Errorf("market: rules of %s: %w", t.Rules.Venue, err)
	}
	if t.Page == nil {
		return errors.New("market: Page: no way to read trades again: set it")
	}
	return t.roster.run(ctx, positive(t.Concurrency, 2))
}

func positive(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

func (t *Trades) entry(symbol string) *tapeEntry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.tapes[symbol]
}

// Receive takes live trades.
func (t *Trades) Receive(trades ...Trade) {
	for _, tr := range trades {
		if e := t.entry(tr.Symbol); e != nil {
			e.mu.Lock()
			if e.tape.add(tr) {
				t.roster.put(&e.errand, time.Now(), 0)
			}
			e.mu.Unlock()
		}
	}
}

// Interrupted says that the stream of these symbols was interrupted. Where trades are not numbered, nothing
// else can tell: with the next trade, those since the last one are read again.
func (t *Trades) Interrupted(symbols ...string) {
	for _, symbol := range symbols {
		if e := t.entry(symbol); e != nil {
			e.mu.Lock()
			e.tape.broken = true
			e.mu.Unlock()
		}
	}
}

// Stats returns the sums over all symbols.
func (t *Trades) Stats() TradeStats {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var sum TradeStats
	for _, e := range t.tapes {
		e.mu.Lock()
		sum.Delivered += e.tape.stats.Delivered
		sum.Duplicates += e.tape.stats.Duplicates
		sum.Fills += e.tape.stats.Fills
		sum.Holes += e.tape.stats.Holes
		e.mu.Unlock()
	}
	return sum
}

// Watch returns a consumer of the trades of symbols, from now on. Its queue holds size events; not
// positive means 1,024. Symbols that were not added are left out.
func (t *Trades) Watch(size int, symbols ...string) *Feed {
	f := newFeed(size)
	for _, symbol := range symbols {
		if e := t.entry(symbol); e != nil {
			e.join(f)
		}
	}
	return f
}

// fill reads what is missing, once.
func (e *tapeEntry) fill(ctx context.Context) {
	e.mu.Lock()
	filling, want, fills := e.tape.filling, e.tape.want, e.tape.stats.Fills
	e.mu.Unlock()
	if !filling {
		return
	}
	trades, err := e.trades.read(ctx, want)

	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tape.filling && e.tape.stats.Fills == fills { // else it was given up
		if e.tape.filled(trades, err) {
			e.trades.roster.put(&e.errand, time.Now(), 0)
		}
	}
}

// read reads pages until nothing is missing, nothing new comes, or there were too many.
func (t *Trades) read(ctx context.Context, p TradePage) (all []Trade, err error) {
	seen := make(map[string]bool)
	for range positive(t.Pages, 20) {
		page, err := t.Page(ctx, p)
		if err != nil {
			return all, fmt.Errorf("read %v: %w", p, err)
		}
		fresh := 0
		for _, tr := range page {
			outside := t.Rules.Trades.Numbered && (tr.ID < p.First || tr.ID > p.Last)
			if k := key(&tr); !outside && !seen[k] {
				seen[k] = true
				all = append(all, tr)
				fresh++
			}
		}
		if fresh == 0 || t.Rules.Trades.By == ByLatest || p.Rows > 0 && len(page) < p.Rows && t.Rules.Trades.By == ByTime {
			return all, nil
		}
		if !t.narrow(&p, all) {
			return all, nil
		}
	}
	return all, fmt.Errorf("read %v: %w", p, ErrPages)
}

// narrow leaves of p what is still missing; it is false if nothing is.
func (t *Trades) narrow(p *TradePage, all []Trade) bool {
	if !t.Rules.Trades.Numbered {
		slices.SortStableFunc(all, func(a, b Trade) int { return a.At.Compare(b.At) })
		p.Since = all[len(all)-1].At
		return p.Since.Before(p.Until)
	}
	slices.SortStableFunc(all, byID)
	for _, tr := range all {
		if tr.ID == p.First {
			p.First, p.Since = p.First+1, tr.At
		}
	}
	for _, tr := range slices.Backward(all) {
		if tr.ID == p.Last {
			p.Last, p.Until = p.Last-1, tr.At
		}
	}
	return p.First <= p.Last
}
