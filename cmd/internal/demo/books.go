package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	binanceorders "github.com/relent-go/relent/contrib/binance"
	"github.com/relent-go/relent/contrib/ws"
	"github.com/relent-go/relent/exchange/market"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/transport/retryws"
)

var symbols = []string{"BTCUSDT", "ETHUSDT"}

const depth = "depth@100ms"

// clocks find a dead link in seconds.
var clocks = retryws.Clocks{Ping: 3 * time.Second, Message: 10 * time.Second}

// listen makes a session of a stream.
func (r *run) listen(name string, p retryws.Protocol, a *retryws.Account) *retryws.Session {
	return retryws.New(retryws.Config{
		Name: name, Protocol: p, Dialer: &ws.Coder{}, Budgets: []*retryws.Budget{r.links}, Limits: binanceorders.Limits, Clocks: clocks, Account: a,
		DialTimeout: 5 * time.Second, Halt: func() error { return r.conn.bans.Check(r.life, desk, account) },
		Offset: r.clock.offset, Observe: r.streamChanged,
	})
}

// followBooks keeps the books of all symbols, from a stream and from snapshots.
func (r *run) followBooks() {
	rules, _ := market.VenueRules(desk)
	rules.Offset = r.clock.offset
	r.books = &market.Books{Rules: rules, Source: r.snapshot}
	address, _ := streams(r.cfg.URL)
	r.market = r.listen("market", binanceorders.Market{URL: address}, nil)
	events := &retryws.Consumer{Size: 1 << 14}
	r.market.Attach(events)
	var topics []retryws.Topic
	for _, symbol := range symbols {
		r.books.Add(symbol, 1)
		topics = append(topics, retryws.Topic{Channel: depth, Symbol: symbol})
	}
	_ = r.market.Want(topics...) // fewer than a link may hold
	watch := r.books.Watch(0, symbols...)
	r.work.Go(func() { _ = r.books.Run(r.life) })
	r.work.Go(func() { _ = r.market.Run(r.life) })
	r.work.Go(func() { r.feed(events) })
	r.work.Go(func() { r.watchBooks(watch) })
}

// snapshot gets a book to begin anew from.
func (r *run) snapshot(ctx context.Context, symbol string) (*market.Snapshot, error) {
	d, err := r.conn.books.NewDepthService().Symbol(symbol).Limit(5000).Do(ctx)
	if err != nil {
		return nil, err
	}
	return binanceorders.Snapshot(symbol, d)
}

// feed hands what the stream says to the books: between Live and Broken nothing is missing.
func (r *run) feed(events *retryws.Consumer) {
	links := map[string]*market.Link{}
	for e := range events.Events(r.life) {
		symbol := e.Topic.Symbol
		switch e.Kind {
		case retryws.Live:
			decoder, _ := market.NewDecoder(desk)
			links[symbol] = r.books.Link(decoder)
			links[symbol].Subscribed(symbol)
		case retryws.Message:
			_, _ = links[symbol].Receive(e.Data) // a gap makes the book STALE by itself
		default: // broken, or a hole
			if l := links[symbol]; l != nil {
				l.Lost(errStream)
			}
		}
	}
}

var errStream = errors.New("the stream broke")

// watchBooks tells of books that nobody may trade on, and keeps some of the others for the oracle to compare.
func (r *run) watchBooks(watch *market.Watch) {
	defer watch.Close()
	var kept time.Time
	synced := map[string]bool{}
	for {
		var view market.View
		if watch.Next(r.life, &view) != nil {
			return
		}
		now := view.State == market.Synced
		if was := synced[view.Symbol]; was && !now {
			r.stale.Add(1)
			r.tell("book of %s: %v (%v): no order is priced by it until it is read again", view.Symbol, view.State, view.Reason)
		} else if !was && now && r.stale.Load() > 0 {
			r.tell("book of %s: in step with the venue again", view.Symbol)
		}
		synced[view.Symbol] = now
		if now && r.cfg.Venue != nil && time.Since(kept) > 100*time.Millisecond {
			kept = time.Now()
			r.notes.book(&view)
		}
	}
}

// Quote is of order.Book.
func (r *run) Quote(symbol string) (order.Quote, bool) {
	top := r.books.Top(symbol)
	bid, err := order.ParseDecimal(top.Bid.Price.String())
	ask, err2 := order.ParseDecimal(top.Ask.Price.String())
	return order.Quote{Bid: bid, Ask: ask, Age: time.Since(top.Updated), Synced: top.State == market.Synced}, err == nil && err2 == nil
}

// Open is of order.Book: these markets never close.
func (r *run) Open(string) error { return nil }

// booksHealthy says which book cannot be traded on.
func (r *run) booksHealthy(context.Context) error {
	if !r.up.Load() {
		return errConnecting
	}
	var errs []error
	for _, symbol := range symbols {
		if state := r.books.Top(symbol).State; state != market.Synced {
			errs = append(errs, fmt.Errorf("the book of %s is %v", symbol, state))
		}
	}
	return errors.Join(errs...)
}
