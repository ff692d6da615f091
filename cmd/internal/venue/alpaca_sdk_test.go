package venue

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alpacahq/alpaca-trade-api-go/v3/alpaca"
	"github.com/shopspring/decimal"
)

// alpacaClient is alpaca-trade-api-go, unmodified, pointed at a venue over loopback.
func alpacaClient(t *testing.T, v *Venue) *alpaca.Client {
	t.Helper()
	srv := httptest.NewServer(v)
	t.Cleanup(srv.Close)
	t.Cleanup(v.Close)
	return alpaca.NewClient(alpaca.ClientOpts{APIKey: DefaultKey, APISecret: DefaultSecret, BaseURL: srv.URL + "/alpaca", HTTPClient: srv.Client(), RetryLimit: -1})
}

func amount(s string) *decimal.Decimal { return new(dec(s)) }

func TestAlpacaTrades(t *testing.T) {
	v := New(Config{Symbols: []string{"AAPLUSD", "BTCUSD"}})
	c := alpacaClient(t, v)

	clock, err := c.GetClock()
	if err != nil || !clock.IsOpen || clock.NextClose.Before(clock.Timestamp) {
		t.Errorf("clock = %+v, %v", clock, err)
	}
	filled, err := c.PlaceOrder(alpaca.PlaceOrderRequest{
		Symbol: "AAPL", Qty: amount("2"), Side: alpaca.Buy, Type: alpaca.Market, TimeInForce: alpaca.Day, ClientOrderID: "taken",
	})
	if err != nil || filled.Status != "filled" || !filled.FilledQty.Equal(dec("2")) || filled.FilledAvgPrice == nil || filled.Symbol != "AAPL" ||
		filled.AssetClass != alpaca.USEquity || filled.FilledAt == nil || filled.CanceledAt != nil {
		t.Fatalf("market order = %+v, %v", filled, err)
	}
	_, err = c.PlaceOrder(alpaca.PlaceOrderRequest{
		Symbol: "AAPL", Qty: amount("2"), Side: alpaca.Buy, Type: alpaca.Market, TimeInForce: alpaca.Day, ClientOrderID: "taken",
	})
	if e, ok := errors.AsType[*alpaca.APIError](err); !ok || e.StatusCode != 422 || e.Code != 40010001 || e.Message != "client_order_id must be unique" {
		t.Errorf("second use of a client id: %v", err)
	}
	resting, err := c.PlaceOrder(alpaca.PlaceOrderRequest{
		Symbol: "BTC/USD", Qty: amount("0.01"), Side: alpaca.Buy, Type: alpaca.Limit, TimeInForce: alpaca.GTC, LimitPrice: amount("1000"), ClientOrderID: "resting",
	})
	if err != nil || resting.Status != "new" || resting.AssetClass != alpaca.Crypto || !resting.LimitPrice.Equal(dec("1000")) {
		t.Fatalf("limit order = %+v, %v", resting, err)
	}
	found, err := c.GetOrderByClientOrderID("resting")
	if err != nil || found.ID != resting.ID {
		t.Errorf("by client id = %+v, %v", found, err)
	}
	_, err = c.GetOrderByClientOrderID("nobody's")
	if e, ok := errors.AsType[*alpaca.APIError](err); !ok || e.StatusCode != 404 || e.Code != 40410000 {
		t.Errorf("unknown client id: %v", err)
	}
	replaced, err := c.ReplaceOrder(resting.ID, alpaca.ReplaceOrderRequest{LimitPrice: amount("1001"), ClientOrderID: "better"})
	if err != nil || replaced.Replaces == nil || *replaced.Replaces != resting.ID || !replaced.LimitPrice.Equal(dec("1001")) {
		t.Fatalf("replaced = %+v, %v", replaced, err)
	}
	old, err := c.GetOrder(resting.ID)
	if err != nil || old.Status != "replaced" || old.ReplacedBy == nil || *old.ReplacedBy != replaced.ID {
		t.Errorf("old order = %+v, %v", old, err)
	}
	open, err := c.GetOrders(alpaca.GetOrdersRequest{Symbols: []string{"BTC/USD"}})
	if err != nil || len(open) != 1 || open[0].ID != replaced.ID {
		t.Errorf("open orders = %+v, %v", open, err)
	}
	if err := c.CancelOrder(replaced.ID); err != nil {
		t.Error(err)
	}
	err = c.CancelOrder(replaced.ID)
	if e, ok := errors.AsType[*alpaca.APIError](err); !ok || e.StatusCode != 422 {
		t.Errorf("second cancel: %v", err)
	}
	all, err := c.GetOrders(alpaca.GetOrdersRequest{Status: "all", Direction: "asc"})
	if err != nil || len(all) != 3 || all[0].ClientOrderID != "taken" || all[2].Status != "canceled" {
		t.Errorf("all orders = %+v, %v", all, err)
	}
	_, err = c.PlaceOrder(alpaca.PlaceOrderRequest{Symbol: "BTC/USD", Qty: amount("900"), Side: alpaca.Buy, Type: alpaca.Limit, TimeInForce: alpaca.GTC, LimitPrice: amount("50000")})
	if e, ok := errors.AsType[*alpaca.APIError](err); !ok || e.StatusCode != 403 || e.Code != 40310000 {
		t.Errorf("too dear: %v", err)
	}
	account, err := c.GetAccount()
	if err != nil || account.Status != "ACTIVE" || account.Currency != "USD" || !account.BuyingPower.IsPositive() {
		t.Errorf("account = %+v, %v", account, err)
	}
	positions, err := c.GetPositions()
	if err != nil || len(positions) != 2 || positions[0].Symbol != "AAPL" || !positions[0].Qty.Equal(dec("1001.998")) {
		t.Errorf("positions = %+v, %v", positions, err)
	}
	activities, err := c.GetAccountActivities(alpaca.GetAccountActivitiesRequest{ActivityTypes: []string{"FILL"}})
	if err != nil || len(activities) == 0 || activities[0].OrderID != filled.ID || !activities[0].CumQty.Equal(dec("2")) {
		t.Errorf("activities = %+v, %v", activities, err)
	}
	if err := c.CancelAllOrders(); err != nil {
		t.Error(err)
	}
}

// TestAlpacaEvents: the stream begins with what since asks for and goes on with what happens.
func TestAlpacaEvents(t *testing.T) {
	v := New(Config{Symbols: []string{"AAPLUSD"}, NoFlow: true})
	c := alpacaClient(t, v)
	start := time.Now()
	place := func(id string) {
		if _, err := c.PlaceOrder(alpaca.PlaceOrderRequest{
			Symbol: "AAPL", Qty: amount("1"), Side: alpaca.Buy, Type: alpaca.Limit, TimeInForce: alpaca.Day, LimitPrice: amount("50"), ClientOrderID: id,
		}); err != nil {
			t.Fatal(err)
		}
	}
	place("before")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var events []string
	got := make(chan error, 1)
	go func() {
		got <- c.StreamTradeUpdates(ctx, func(u alpaca.TradeUpdate) {
			events = append(events, u.Event+" "+u.Order.ClientOrderID)
			switch len(events) {
			case 1:
				place("after")
			case 2:
				if err := c.CancelOrder(u.Order.ID); err != nil {
					t.Error(err)
				}
			case 3:
				cancel()
			}
		}, alpaca.StreamTradeUpdatesRequest{Since: start})
	}()
	if err := <-got; !errors.Is(err, context.Canceled) || len(events) != 3 || events[0] != "new before" || events[1] != "new after" || events[2] != "canceled after" {
		t.Errorf("%v, %v", events, err)
	}
}
