package order_test

import (
	"context"
	"fmt"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/exchange/order/ordertest"
)

func ExampleMachine() {
	sdk := &instant{}
	m := &order.Machine{
		Scope:   order.Scope{Venue: "binance", Account: "main", Prefix: "A1"},
		Adapter: sdk,                // above the SDK
		Log:     &ordertest.Model{}, // a durable one, in earnest
		Rules:   order.Rules{Fence: true, Resend: order.ResendAfterProof},
		Clock:   &clock{}, Alert: &alarms{}, Owner: "host-1/4711", Unguarded: true,
	}
	sdk.desk = m // the transport below the SDK
	go func() { _ = m.Run(context.Background()) }()
	defer m.Close()
	<-m.Ready()

	buy := order.Intent{Strategy: "momentum", Counter: 1, Terms: order.Terms{
		Symbol: "BTCUSDT", Side: order.Buy, Type: order.Market, Quantity: "0.5",
	}}
	o, err := m.Submit(context.Background(), buy)
	fmt.Println(o.State, o.Executed, err)
	_, err = m.Submit(context.Background(), buy) // as after a crash of the strategy
	fmt.Println(err)
	// Output:
	// filled 0.5 <nil>
	// order binance A1wymclt3cdH3dJ48o: the client id is in use for the same terms
}
