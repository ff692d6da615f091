package venue

import (
	"net/http/httptest"
	"testing"

	"github.com/adshao/go-binance/v2"
	"github.com/adshao/go-binance/v2/common"
)

// client is go-binance, unmodified, pointed at a venue over loopback.
func client(t *testing.T, v *Venue) *binance.Client {
	t.Helper()
	srv := httptest.NewServer(v)
	t.Cleanup(srv.Close)
	t.Cleanup(v.Close) // first, so that held requests end
	c := binance.NewClient(DefaultKey, DefaultSecret)
	c.BaseURL, c.HTTPClient = srv.URL, srv.Client()
	return c
}

func TestGoBinanceReadsTheMarket(t *testing.T) {
	c, ctx := client(t, New(Config{})), t.Context()

	if err := c.NewPingService().Do(ctx); err != nil {
		t.Error(err)
	}
	if ms, err := c.NewServerTimeService().Do(ctx); err != nil || ms == 0 {
		t.Errorf("server time = %d, %v", ms, err)
	}
	info, err := c.NewExchangeInfoService().Symbols("BTCUSDT", "ETHUSDT").Do(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if s := info.Symbols; len(s) != 2 || s[0].Symbol != "BTCUSDT" || s[0].LotSizeFilter().StepSize != "0.00001000" ||
		s[1].PriceFilter().TickSize != "0.01000000" || s[1].NotionalFilter().MinNotional != "5.00000000" || s[0].MaxNumOrdersFilter().MaxNumOrders != 200 {
		t.Errorf("symbols = %+v", s)
	}
	if n := len(info.RateLimits); n != 4 {
		t.Errorf("%d rate limits; want 4", n)
	}
	depth, err := c.NewDepthService().Symbol("BTCUSDT").Limit(5).Do(ctx)
	if err != nil || len(depth.Bids) != 5 || len(depth.Asks) != 5 || depth.LastUpdateID == 0 {
		t.Fatalf("depth = %+v, %v", depth, err)
	}
	if dec(depth.Bids[0].Price).Cmp(dec(depth.Asks[0].Price)) >= 0 || dec(depth.Bids[0].Price).Cmp(dec(depth.Bids[4].Price)) <= 0 {
		t.Errorf("depth is crossed or not sorted: %+v", depth)
	}
	trades, err := c.NewRecentTradesService().Symbol("BTCUSDT").Limit(3).Do(ctx)
	if err != nil || len(trades) != 3 || trades[2].ID != trades[0].ID+2 {
		t.Errorf("trades = %+v, %v", trades, err)
	}
	klines, err := c.NewKlinesService().Symbol("BTCUSDT").Interval("1m").Do(ctx)
	if err != nil || len(klines) == 0 || klines[0].CloseTime-klines[0].OpenTime != 59_999 || klines[0].TradeNum == 0 {
		t.Errorf("klines = %+v, %v", klines, err)
	}
	if c.UsedWeight.Used1M != 1+1+20+5+25+2 {
		t.Errorf("used weight = %d; want 54", c.UsedWeight.Used1M)
	}
}

func TestGoBinanceTrades(t *testing.T) {
	c, ctx := client(t, New(Config{})), t.Context()

	filled, err := c.NewCreateOrderService().Symbol("BTCUSDT").Side(binance.SideTypeBuy).Type(binance.OrderTypeMarket).
		Quantity("0.02").NewClientOrderID("taken").Do(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if filled.OrderID != 1 || filled.Status != binance.OrderStatusTypeFilled || filled.ExecutedQuantity != "0.02000000" || len(filled.Fills) == 0 || filled.Fills[0].CommissionAsset != "BTC" {
		t.Errorf("market order = %+v", filled)
	}
	if c.OrderCount.Count10s != 0 || c.OrderCount.Count1d != 0 {
		t.Errorf("order count = %+v after a filled order; want none", c.OrderCount)
	}
	resting, err := c.NewCreateOrderService().Symbol("BTCUSDT").Side(binance.SideTypeBuy).Type(binance.OrderTypeLimit).
		TimeInForce(binance.TimeInForceTypeGTC).Quantity("0.01").Price("1000").Do(ctx)
	if err != nil || resting.Status != binance.OrderStatusTypeNew || c.OrderCount.Count10s != 1 {
		t.Fatalf("limit order = %+v, %v, count %+v", resting, err, c.OrderCount)
	}
	account, err := c.NewGetAccountService().OmitZeroBalances(true).Do(ctx)
	if err != nil || !account.CanTrade || account.CommissionRates.Taker != "0.00100000" {
		t.Fatalf("account = %+v, %v", account, err)
	}
	for _, b := range account.Balances {
		if b.Asset == "USDT" && b.Locked != "10.00000000" || b.Asset == "BTC" && b.Free != "100.01998000" {
			t.Errorf("balance = %+v", b)
		}
	}
	order, err := c.NewGetOrderService().Symbol("BTCUSDT").OrigClientOrderID("taken").Do(ctx)
	if err != nil || order.OrderID != 1 || order.CummulativeQuoteQuantity != filled.CummulativeQuoteQuantity || !order.IsWorking {
		t.Errorf("order = %+v, %v", order, err)
	}
	open, err := c.NewListOpenOrdersService().Symbol("BTCUSDT").Do(ctx)
	if err != nil || len(open) != 1 || open[0].ClientOrderID != resting.ClientOrderID {
		t.Errorf("open orders = %+v, %v", open, err)
	}
	canceled, err := c.NewCancelOrderService().Symbol("BTCUSDT").OrigClientOrderID(resting.ClientOrderID).NewClientOrderID("the-cancel").Do(ctx)
	if err != nil || canceled.Status != binance.OrderStatusTypeCanceled || canceled.ClientOrderID != "the-cancel" || canceled.OrigClientOrderID != resting.ClientOrderID {
		t.Errorf("cancel = %+v, %v", canceled, err)
	}
	all, err := c.NewListOrdersService().Symbol("BTCUSDT").Do(ctx)
	if err != nil || len(all) != 2 || all[1].Status != binance.OrderStatusTypeCanceled {
		t.Errorf("all orders = %+v, %v", all, err)
	}
	mine, err := c.NewListTradesService().Symbol("BTCUSDT").Do(ctx)
	if err != nil || len(mine) != len(filled.Fills) || mine[0].ID != filled.Fills[0].TradeID || !mine[0].IsBuyer || mine[0].IsMaker {
		t.Errorf("trades = %+v, %v", mine, err)
	}
	counts, err := c.NewRateLimitService().Do(ctx)
	if err != nil || len(counts) != 2 || counts[0].Count != 1 || counts[0].Limit != 100 {
		t.Errorf("counts = %+v, %v", counts, err)
	}
	_, err = c.NewCancelOrderService().Symbol("BTCUSDT").OrderID(99).Do(ctx)
	if e, ok := err.(*common.APIError); !ok || e.Code != -2011 || e.Message != "Unknown order sent." {
		t.Errorf("cancel of an unknown order: %v; want -2011", err)
	}
}
