package venue

import (
	"errors"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/adshao/go-binance/v2"
	"github.com/adshao/go-binance/v2/common"
)

// socketVenue is reached by the package variables of go-binance, which must be set before any use of it. It is started once
// for all tests and swaps the venue behind it.
var socketVenue = struct {
	server *httptest.Server
	venue  atomic.Pointer[Venue]
}{}

func TestMain(m *testing.M) {
	binance.WebsocketKeepalive = false
	socketVenue.server = httptest.NewServer(forward{})
	host := "ws" + strings.TrimPrefix(socketVenue.server.URL, "http")
	binance.BaseWsMainURL = host + "/ws"
	binance.BaseCombinedMainURL = host + "/stream?streams="
	binance.BaseWsApiMainURL = host + "/ws-api/v3"
	code := m.Run()
	socketVenue.server.Close()
	os.Exit(code)
}

// listen puts a venue behind the sockets for one test.
func listen(t *testing.T, v *Venue) *binance.Client {
	t.Helper()
	socketVenue.venue.Store(v)
	t.Cleanup(v.Close)
	c := binance.NewClient(DefaultKey, DefaultSecret)
	c.BaseURL = socketVenue.server.URL
	return c
}

func TestGoBinanceStreams(t *testing.T) {
	listen(t, New(Config{FlowEvery: time.Millisecond, Pulse: 10 * time.Millisecond}))
	events := make(chan string, 100)
	send := func(name string) {
		select {
		case events <- name:
		default: // enough was seen
		}
	}
	failed := func(err error) { send(err.Error()) }
	type serve func() (done, stop chan struct{}, err error)
	streams := map[string]serve{
		"depth BTCUSDT": func() (chan struct{}, chan struct{}, error) {
			return binance.WsCombinedDepthServe100Ms([]string{"BTCUSDT", "ETHUSDT"}, func(e *binance.WsDepthEvent) {
				if len(e.Bids)+len(e.Asks) > 0 && e.FirstUpdateID <= e.LastUpdateID {
					send("depth " + e.Symbol)
				}
			}, failed)
		},
		"trade ETHUSDT": func() (chan struct{}, chan struct{}, error) {
			return binance.WsTradeServe("ETHUSDT", func(e *binance.WsTradeEvent) { send(e.Event + " " + e.Symbol) }, failed)
		},
		"aggTrade BTCUSDT": func() (chan struct{}, chan struct{}, error) {
			return binance.WsCombinedAggTradeServe([]string{"BTCUSDT"}, func(e *binance.WsAggTradeEvent) { send(e.Event + " " + e.Symbol) }, failed)
		},
		"kline BTCUSDT": func() (chan struct{}, chan struct{}, error) {
			return binance.WsKlineServe("BTCUSDT", "1m", func(e *binance.WsKlineEvent) { send(e.Event + " " + e.Kline.Symbol) }, failed)
		},
		"ticker BTCUSDT": func() (chan struct{}, chan struct{}, error) {
			return binance.WsBookTickerServe("BTCUSDT", func(e *binance.WsBookTickerEvent) { send("ticker " + e.Symbol) }, failed)
		},
	}
	for name, serve := range streams {
		done, stop, err := serve()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer func() { close(stop); <-done }()
	}
	missing := map[string]bool{}
	for name := range streams {
		missing[name] = true
	}
	for timeout := time.After(20 * time.Second); len(missing) > 0; {
		select {
		case name := <-events:
			delete(missing, name)
		case <-timeout:
			t.Fatalf("nothing came from %v", missing)
		}
	}
}

func TestGoBinanceUserStream(t *testing.T) {
	c := listen(t, New(Config{}))
	updates := make(chan binance.WsOrderUpdate, 100)
	done, stop, err := binance.WsUserDataServeSignature(DefaultKey, DefaultSecret, common.KeyTypeHmac, 0, func(e *binance.WsUserDataEvent) {
		if e.Event == binance.UserDataEventTypeExecutionReport {
			updates <- e.OrderUpdate
		}
	}, func(err error) { t.Log(err) })
	if err != nil {
		t.Fatal(err)
	}
	_ = done // go-binance looks at stop only after the next message: closing the venue ends it
	defer close(stop)
	// The client does not tell when it has subscribed, so orders are placed until one is heard of.
	var heard binance.WsOrderUpdate
	for heard.Id == 0 {
		o, err := c.NewCreateOrderService().Symbol("BTCUSDT").Side(binance.SideTypeBuy).Type(binance.OrderTypeLimit).
			TimeInForce(binance.TimeInForceTypeGTC).Quantity("0.01").Price("1000").Do(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		select {
		case heard = <-updates:
		case <-time.After(50 * time.Millisecond):
		}
		if heard.Id != 0 && heard.Id != o.OrderID || heard.Id != 0 && (heard.ExecutionType != "NEW" || heard.ClientOrderId != o.ClientOrderID) {
			t.Fatalf("heard %+v of %+v", heard, o)
		}
	}
	if _, err := c.NewCancelOrderService().Symbol("BTCUSDT").OrderID(heard.Id).NewClientOrderID("the-cancel").Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := <-updates
	if got.ClientOrderId != "the-cancel" || got.OrigCustomOrderId != heard.ClientOrderId || got.Status != "CANCELED" {
		t.Errorf("cancel = %+v", got)
	}
}

func TestGoBinanceReplacesAndLists(t *testing.T) {
	c, ctx := listen(t, New(Config{})), t.Context()
	place := func(id, price string) *binance.CreateOrderResponse {
		t.Helper()
		o, err := c.NewCreateOrderService().Symbol("BTCUSDT").Side(binance.SideTypeBuy).Type(binance.OrderTypeLimit).
			TimeInForce(binance.TimeInForceTypeGTC).Quantity("0.01").Price(price).NewClientOrderID(id).Do(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	replace := func(old, id, quantity string, mode binance.CancelReplaceMode) (*binance.CancelReplaceOrderResponse, error) {
		return c.NewCancelReplaceOrderService().Symbol("BTCUSDT").Side(binance.SideTypeBuy).Type(binance.OrderTypeLimit).
			TimeInForce(binance.TimeInForceTypeGTC).Quantity(quantity).Price("1001").NewClientOrderID(id).
			CancelReplaceMode(mode).CancelOrigClientOrderID(old).Do(ctx)
	}
	place("old", "1000")
	r, err := replace("old", "new", "0.01", "STOP_ON_FAILURE")
	if err != nil || r.CancelResult != "SUCCESS" || r.NewOrderResult != "SUCCESS" || r.CancelResponse.OrigClientOrderID != "old" || r.NewOrderResponse.ClientOrderID != "new" {
		t.Errorf("replace = %+v, %v", r, err)
	}
	_, err = replace("new", "newer", "8999", "STOP_ON_FAILURE") // too dear: the old one is gone all the same
	if e, ok := errors.AsType[*common.APIError](err); !ok || e.Code != -2021 {
		t.Errorf("half a replace: %v", err)
	}
	_, err = replace("nobodys", "newest", "0.01", "STOP_ON_FAILURE")
	if e, ok := errors.AsType[*common.APIError](err); !ok || e.Code != -2022 {
		t.Errorf("failed replace: %v", err)
	}
	_, err = replace("nobodys", "newest", "0.01", "ALLOW_FAILURE")
	if e, ok := errors.AsType[*common.APIError](err); !ok || e.Code != -2021 {
		t.Errorf("replace of nobody's: %v", err)
	}
	place("second", "1002")
	all, err := c.NewCancelOpenOrdersService().Symbol("BTCUSDT").Do(ctx)
	if err != nil || len(all.Orders) != 2 || all.Orders[0].OrigClientOrderID != "newest" || all.Orders[1].Status != "CANCELED" {
		t.Errorf("cancel all = %+v, %v", all, err)
	}
	_, err = c.NewCancelOpenOrdersService().Symbol("BTCUSDT").Do(ctx)
	if e, ok := errors.AsType[*common.APIError](err); !ok || e.Code != -2011 {
		t.Errorf("cancel of none: %v", err)
	}
	old, err := c.NewHistoricalTradesService().Symbol("BTCUSDT").FromID(3).Limit(4).Do(ctx)
	if err != nil || len(old) != 4 || old[0].ID != 3 || old[3].ID != 6 {
		t.Errorf("historical trades = %+v, %v", old, err)
	}
	aggs, err := c.NewAggTradesService().Symbol("BTCUSDT").FromID(2).Limit(3).Do(ctx)
	if err != nil || len(aggs) != 3 || aggs[0].AggTradeID != 2 || aggs[1].FirstTradeID != aggs[0].LastTradeID+1 {
		t.Errorf("aggregates = %+v, %v", aggs, err)
	}
	if _, err := c.NewStartUserStreamService().Do(ctx); err == nil {
		t.Error("a listen key; want 410")
	}
}

// TestGoBinanceHearsOfTheEnd: go-binance does not reconnect, so a link that ends closes its done channel.
func TestGoBinanceHearsOfTheEnd(t *testing.T) {
	listen(t, New(Config{LinkLife: 50 * time.Millisecond}))
	done, _, err := binance.WsTradeServe("BTCUSDT", func(*binance.WsTradeEvent) {}, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	<-done
}
