package proof

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/relent-go/relent/cmd/internal/venue"
	binanceorders "github.com/relent-go/relent/contrib/binance"
	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/exchange/order/ordertest"
)

// quiet is nobody who is called.
type quiet struct{}

func (quiet) Raise(context.Context, order.Alarm) {}

// A replacement in one call of the venue, through go-binance, the transport and the machine: whatever becomes of its answer there is
// one new order or none, and the old one is gone.
func TestReplaceInOneCall(t *testing.T) {
	t.Parallel()
	const path = "/api/v3/order/cancelReplace"
	lost := venue.Match{Path: path}
	for name, test := range map[string]struct {
		fault    venue.Fault
		old, new order.State
		there    int // new orders
	}{
		"whole":               {venue.Fault{}, order.Canceled, order.Acked, 1},
		"the answer is lost":  {venue.Fault{Kind: venue.AcceptDropAnswer, Match: lost}, order.Canceled, order.Acked, 1},
		"the request is lost": {venue.Fault{Kind: venue.Drop, Match: lost}, order.Canceled, order.Abandoned, 0},
		"the old one fills":   {venue.Fault{Kind: venue.FillFirst, Match: lost}, order.Filled, order.Rejected, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := venue.New(venue.Config{NoFlow: true})
			server := httptest.NewServer(v)
			defer server.Close()
			defer v.Close()
			facts, err := exchange.Load("binance")
			if err != nil {
				t.Fatal(err)
			}
			below := &exchange.Transport{Profile: facts, Account: "main", Clock: &exchange.Clock{}, DropUsage: true}
			sdk := newSDK(&http.Client{Transport: below})
			sdk.BaseURL = server.URL
			adapter := &binanceorders.Venue{Client: sdk, Window: time.Second}
			clock := &venueClock{Clock: below.Clock, time: adapter.Time}
			rules := order.RulesOf(facts)
			rules.Residual = time.Second // of this venue
			m := &order.Machine{
				Scope: order.Scope{Venue: "binance", Account: "main", Prefix: "A1"}, Adapter: adapter, Rules: rules, Clock: clock,
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
					Symbol: "BTCUSDT", Side: order.Buy, Type: order.Limit, TIF: order.GTC, Quantity: "0.001", Price: price,
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
	}
}
