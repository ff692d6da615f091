package venue_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"syscall"

	"github.com/adshao/go-binance/v2"

	"github.com/relent-go/relent/cmd/internal/venue"
)

// A client that takes silence for a failure buys twice, and the oracle says so.
func Example() {
	v := venue.New(venue.Config{Seed: 1})
	defer v.Close()
	srv := httptest.NewServer(v)
	defer srv.Close()
	if err := v.Faults.Add(venue.Fault{Match: venue.Match{Method: "POST", Nth: 1}, Kind: venue.AcceptDropAnswer}); err != nil {
		panic(err)
	}

	c := binance.NewClient(venue.DefaultKey, venue.DefaultSecret)
	c.BaseURL, c.HTTPClient = srv.URL, srv.Client()
	for range 2 {
		_, err := c.NewCreateOrderService().Symbol("BTCUSDT").Side(binance.SideTypeBuy).Type(binance.OrderTypeMarket).
			Quantity("0.01").NewClientOrderID("intent-1").Do(context.Background())
		fmt.Println("heard of it:", err == nil)
	}
	for _, i := range v.Oracle().Check().Invariants {
		fmt.Println(i.ID, i.Pass)
	}
	facts := v.Oracle().Orders["intent-1"]
	fmt.Println(facts.Executed, "of", facts.Intended)
	// Output:
	// heard of it: false
	// heard of it: true
	// I1 false
	// I2 false
	// I8 true
	// I9 true
	// 0.02 of 0.01
}

// A client can trade in process. A refused connect proves that nothing was sent; silence after the request proves
// nothing.
func ExampleVenue_Transport() {
	v := venue.New(venue.Config{Seed: 1})
	defer v.Close()
	if err := v.Faults.Add(
		venue.Fault{Match: venue.Match{Nth: 1}, Kind: venue.Refuse},
		venue.Fault{Match: venue.Match{Nth: 1}, Kind: venue.AcceptDropAnswer},
	); err != nil {
		panic(err)
	}
	c := binance.NewClient(venue.DefaultKey, venue.DefaultSecret)
	c.BaseURL, c.HTTPClient = "http://venue", v.Client()
	for _, id := range []string{"refused", "unheard"} {
		_, err := c.NewCreateOrderService().Symbol("BTCUSDT").Side(binance.SideTypeBuy).Type(binance.OrderTypeMarket).
			Quantity("0.01").NewClientOrderID(id).Do(context.Background())
		fmt.Println(id, errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, io.EOF), v.Oracle().Orders[id].VenueOrders)
	}
	// Output:
	// refused true false 0
	// unheard false true 1
}
