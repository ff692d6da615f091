package proof

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alpacahq/alpaca-trade-api-go/v3/alpaca"

	"github.com/relent-go/relent/cmd/internal/venue"
	alpacaorders "github.com/relent-go/relent/contrib/alpaca"
	binanceorders "github.com/relent-go/relent/contrib/binance"
	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/exchange/order/ordertest"
)

// quiet is nobody who is called.
type quiet struct{}

func (quiet) Raise(context.Context, order.Alarm) {}

// sdkOf is one of the two SDKs above a transport.
func sdkOf(ofAlpaca bool, t *exchange.Transport) (order.Venue, *venueClock) {
	if ofAlpaca {
		v := &alpacaorders.Venue{Options: alpaca.ClientOpts{APIKey: venue.DefaultKey, APISecret: venue.DefaultSecret, BaseURL: "http://venue/alpaca"}, Transport: t}
		return v, &venueClock{Clock: t.Clock, time: v.Time}
	}
	v := &binanceorders.Venue{Client: newSDK(&http.Client{Transport: t}), Window: time.Second}
	return v, &venueClock{Clock: t.Clock, time: v.Time}
}

// A replacement in one call of the venue, through go-binance, the transport and the machine: whatever becomes of its answer there is
// one new order or none, and the old one is gone.
func TestReplaceInOneCall(t *testing.T) {
	t.Parallel()
	binance, alpacas := venue.Match{Path: "/api/v3/order/cancelReplace"}, venue.Match{Method: http.MethodPatch}
	for name, test := range map[string]struct {
		alpaca   bool
		fault    venue.Fault
		old, new order.State
		there    int // new orders
	}{
		"whole":                       {false, venue.Fault{}, order.Canceled, order.Acked, 1},
		"the answer is lost":          {false, venue.Fault{Kind: venue.AcceptDropAnswer, Match: binance}, order.Canceled, order.Acked, 1},
		"the request is lost":         {false, venue.Fault{Kind: venue.Drop, Match: binance}, order.Canceled, order.Abandoned, 0},
		"the old one fills":           {false, venue.Fault{Kind: venue.FillFirst, Match: binance}, order.Filled, order.Rejected, 0},
		"alpaca: whole":               {true, venue.Fault{}, order.Canceled, order.Acked, 1},
		"alpaca: the answer is lost":  {true, venue.Fault{Kind: venue.AcceptDropAnswer, Match: alpacas}, order.Canceled, order.Acked, 1},
		"alpaca: the request is lost": {true, venue.Fault{Kind: venue.Drop, Match: alpacas}, order.Canceled, order.Parked, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := venue.New(venue.Config{NoFlow: true, Symbols: []string{"BTCUSDT", "BTCUSD"}})
				defer v.Close()
				front := map[bool]string{false: "binance", true: "alpaca"}[test.alpaca]
				facts, err := exchange.Load(front)
				if err != nil {
					t.Fatal(err)
				}
				below := &exchange.Transport{Base: v.Transport(), Profile: facts, Account: "main", Clock: &exchange.Clock{}, DropUsage: true}
				adapter, clock := sdkOf(test.alpaca, below)
				rules := order.RulesOf(facts)
				rules.Residual = time.Second // of this venue
				symbol := map[bool]string{false: "BTCUSDT", true: "BTC/USD"}[test.alpaca]
				m := &order.Machine{
					Scope: order.Scope{Venue: front, Account: "main", Prefix: "A1"}, Adapter: adapter, Rules: rules, Clock: clock,
					Log: &ordertest.Model{}, Alert: quiet{}, Owner: "test", Unguarded: true,
				}
				below.Desk = m
				for !clock.known() {
					if err := clock.Sync(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				ended := make(chan error, 1)
				go func() { ended <- m.Run(context.Background()) }()
				<-m.Ready()
				defer func() {
					if err := m.Close(); err != nil || <-ended != nil {
						t.Error("the machine has ended with an error")
					}
				}()
				intent := func(n uint64, price order.Decimal) order.Intent {
					return order.Intent{Strategy: "s", Counter: n, MaxAge: time.Minute, MaxAttempts: 1, Terms: order.Terms{
						Symbol: symbol, Side: order.Buy, Type: order.Limit, TIF: order.GTC, Quantity: "0.001", Price: price,
					}}
				}
				first, err := m.Submit(t.Context(), intent(1, "10000"))
				if err != nil || first.State != order.Acked {
					t.Fatalf("Submit = %v (%s), %v; want it acked", first.State, first.Why, err)
				}
				if test.fault.Kind != "" {
					test.fault.Count = 1
					if err := v.Faults.Add(test.fault); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := m.ReplaceAtomic(t.Context(), first.Intent.ID, intent(2, "10001")); err != nil {
					t.Fatalf("ReplaceAtomic = %v", err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				id := order.NewID("A1", "s", 2)
				second, err := m.Wait(ctx, id)
				if err != nil || second.State != test.new {
					t.Errorf("the new order is %v (%s), %v; want %v", second.State, second.Why, err, test.new)
				}
				if o, err := m.WaitDone(ctx, first.Intent.ID); err != nil || o.State != test.old {
					t.Errorf("the old order is %v (%s), %v; want %v", o.State, o.Why, err, test.old)
				}
				if n := v.Oracle().Orders[id].VenueOrders; n != test.there {
					t.Errorf("the venue has %d new orders; want %d", n, test.there)
				}
			})
		})
	}
}
