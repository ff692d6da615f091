package market_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/relent-go/relent/exchange/market"
)

// A gap makes the book STALE in the same call. (Books would now ask for a snapshot by itself.)
func Example() {
	rules, _ := market.VenueRules("binance")
	books := &market.Books{
		Rules: rules,
		Source: func(context.Context, string) (*market.Snapshot, error) { // through the rate limiter's share for repairs
			return market.BinanceSnapshot("BTCUSDT", []byte(`{"lastUpdateId":100,"bids":[["27000.10","1"]],"asks":[["27000.20","2"]]}`))
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- books.Run(ctx) }()

	books.Add("BTCUSDT", 1)
	watch := books.Watch(1, "BTCUSDT")
	decoder, _ := market.NewDecoder("binance")
	link := books.Link(decoder) // of one connection
	link.Subscribed("BTCUSDT")

	var v market.View
	for v.State != market.Synced {
		watch.Next(ctx, &v)
	}
	fmt.Println(v.State, v.Sequence, v.Bids[0].Price, v.Asks[0].Price)

	link.Receive([]byte(`{"e":"depthUpdate","s":"BTCUSDT","U":101,"u":102,"b":[["27000.15","3"]],"a":[]}`))
	top := books.Top("BTCUSDT")
	fmt.Println(top.State, top.Sequence, top.Bid.Price)

	_, err := link.Receive([]byte(`{"e":"depthUpdate","s":"BTCUSDT","U":105,"u":106,"b":[],"a":[]}`))
	fmt.Println(books.Top("BTCUSDT").State, errors.Is(err, market.ErrGap))

	watch.Close()
	cancel()
	fmt.Println(<-done)
	// Output:
	// SYNCED 100 27000.10 27000.20
	// SYNCED 102 27000.15
	// STALE true
	// context canceled
}

func ExampleTrades() {
	rules, _ := market.VenueRules("binance")
	trades := &market.Trades{
		Rules: rules,
		Page: func(_ context.Context, p market.TradePage) ([]market.Trade, error) {
			return []market.Trade{{Symbol: p.Symbol, ID: 2}}, nil // the venue has lost number 3
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- trades.Run(ctx) }()

	trades.Add("BTCUSDT", 1)
	feed := trades.Watch(0, "BTCUSDT")
	trades.Receive(market.Trade{Symbol: "BTCUSDT", ID: 1}, market.Trade{Symbol: "BTCUSDT", ID: 4})
	for range 4 {
		e, _ := feed.Next(ctx)
		fmt.Println(e.Kind, e.Trade.ID, e.Trade.Filled, e.Hole.First, e.Hole.Last)
	}
	cancel()
	<-done
	// Output:
	// trade 1 false 0 0
	// trade 2 true 0 0
	// hole 0 false 3 3
	// trade 4 false 0 0
}
