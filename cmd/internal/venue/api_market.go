package venue

import (
	"encoding/json"
	"strings"
	"time"
)

func servePing(*engine, *call, time.Time) (any, *apiError) { return struct{}{}, nil }

func serveTime(_ *engine, _ *call, now time.Time) (any, *apiError) {
	return struct {
		ServerTime int64 `json:"serverTime"`
	}{now.UnixMilli()}, nil
}

type rateLimitView struct {
	Type     string `json:"rateLimitType"`
	Interval string `json:"interval"`
	Num      int    `json:"intervalNum"`
	Limit    int    `json:"limit"`
	Count    *int   `json:"count,omitempty"`
}

type symbolView struct {
	Symbol                   string           `json:"symbol"`
	Status                   string           `json:"status"`
	BaseAsset                string           `json:"baseAsset"`
	BaseAssetPrecision       int              `json:"baseAssetPrecision"`
	QuoteAsset               string           `json:"quoteAsset"`
	QuotePrecision           int              `json:"quotePrecision"`
	QuoteAssetPrecision      int              `json:"quoteAssetPrecision"`
	BaseCommissionPrecision  int              `json:"baseCommissionPrecision"`
	QuoteCommissionPrecision int              `json:"quoteCommissionPrecision"`
	OrderTypes               []orderType      `json:"orderTypes"`
	IcebergAllowed           bool             `json:"icebergAllowed"`
	OCOAllowed               bool             `json:"ocoAllowed"`
	QuoteQtyAllowed          bool             `json:"quoteOrderQtyMarketAllowed"`
	SpotAllowed              bool             `json:"isSpotTradingAllowed"`
	MarginAllowed            bool             `json:"isMarginTradingAllowed"`
	Filters                  []map[string]any `json:"filters"`
	Permissions              []string         `json:"permissions"`
	PermissionSets           [][]string       `json:"permissionSets"`
	SelfTradePrevention      string           `json:"defaultSelfTradePreventionMode"`
	SelfTradePreventionModes []string         `json:"allowedSelfTradePreventionModes"`
}

func (m *marketState) view() symbolView {
	t := m.terms
	return symbolView{
		Symbol: m.symbol, Status: "TRADING", BaseAsset: m.base, BaseAssetPrecision: digits,
		QuoteAsset: m.quote, QuotePrecision: digits, QuoteAssetPrecision: digits,
		BaseCommissionPrecision: digits, QuoteCommissionPrecision: digits,
		OrderTypes: []orderType{limit, limitMaker, market}, QuoteQtyAllowed: true, SpotAllowed: true,
		Filters: []map[string]any{
			{"filterType": "PRICE_FILTER", "minPrice": text(t.Tick), "maxPrice": text(maxPrice), "tickSize": text(t.Tick)},
			{"filterType": "LOT_SIZE", "minQty": text(t.Step), "maxQty": text(t.MaxQuantity), "stepSize": text(t.Step)},
			{
				"filterType": "NOTIONAL", "minNotional": text(t.MinNotional), "applyMinToMarket": true,
				"maxNotional": text(maxPrice.Mul(t.MaxQuantity)), "applyMaxToMarket": false, "avgPriceMins": 0,
			},
			{"filterType": "MAX_NUM_ORDERS", "maxNumOrders": t.MaxOpenOrders},
		},
		Permissions: []string{}, PermissionSets: [][]string{{"SPOT"}},
		SelfTradePrevention: "NONE", SelfTradePreventionModes: []string{"NONE"},
	}
}

func serveExchangeInfo(e *engine, c *call, now time.Time) (any, *apiError) {
	symbols := e.symbols
	switch one, many := c.symbol, c.params.Get("symbols"); {
	case one != "" && many != "":
		return nil, errCombination
	case one != "":
		symbols = []string{one}
	case many != "":
		if err := json.Unmarshal([]byte(many), &symbols); err != nil || len(symbols) > len(e.symbols) {
			return nil, illegal("symbols", `^\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\]$`)
		}
	}
	views := make([]symbolView, 0, len(symbols))
	for _, s := range symbols {
		m := e.markets[s]
		if m == nil {
			return nil, errSymbol
		}
		views = append(views, m.view())
	}
	return struct {
		Timezone        string          `json:"timezone"`
		ServerTime      int64           `json:"serverTime"`
		RateLimits      []rateLimitView `json:"rateLimits"`
		ExchangeFilters []any           `json:"exchangeFilters"`
		Symbols         []symbolView    `json:"symbols"`
	}{"UTC", now.UnixMilli(), e.rateLimits(), []any{}, views}, nil
}

// rateLimits leaves out what is unlimited.
func (e *engine) rateLimits() []rateLimitView {
	l := e.cfg.Limits
	var out []rateLimitView
	for _, v := range []rateLimitView{
		{Type: "REQUEST_WEIGHT", Interval: "MINUTE", Num: 1, Limit: l.WeightPerMinute},
		{Type: "ORDERS", Interval: orderWindows[0].interval, Num: orderWindows[0].num, Limit: l.OrdersPer10s},
		{Type: "ORDERS", Interval: orderWindows[1].interval, Num: orderWindows[1].num, Limit: l.OrdersPerDay},
		{Type: "RAW_REQUESTS", Interval: "MINUTE", Num: 5, Limit: l.RequestsPer5Min},
	} {
		if v.Limit != Unlimited {
			out = append(out, v)
		}
	}
	return append([]rateLimitView{}, out...)
}

func serveDepth(e *engine, c *call, now time.Time) (any, *apiError) {
	m, err := c.market(e)
	if err != nil {
		return nil, err
	}
	n, err := c.limit(100, 5000)
	if err != nil {
		return nil, err
	}
	e.flow(m, now)
	return struct {
		LastUpdateID int64       `json:"lastUpdateId"`
		Bids         [][2]string `json:"bids"`
		Asks         [][2]string `json:"asks"`
	}{m.updates, m.bids.top(n), m.asks.top(n)}, nil
}

type tradeView struct {
	ID           int64  `json:"id"`
	Price        string `json:"price"`
	Quantity     string `json:"qty"`
	Quote        string `json:"quoteQty"`
	Time         int64  `json:"time"`
	IsBuyerMaker bool   `json:"isBuyerMaker"`
	IsBestMatch  bool   `json:"isBestMatch"`
}

func serveTrades(e *engine, c *call, now time.Time) (any, *apiError) {
	m, err := c.market(e)
	if err != nil {
		return nil, err
	}
	n, err := c.limit(500, keepTrades)
	if err != nil {
		return nil, err
	}
	e.flow(m, now)
	list := m.tape[max(0, len(m.tape)-n):]
	views := make([]tradeView, len(list))
	for i, t := range list {
		views[i] = tradeView{t.id, text(t.price), text(t.qty), text(t.quoteQty), t.at.UnixMilli(), t.buyerMaker, true}
	}
	return views, nil
}

// serveKlines answers with the candles since the venue was opened.
func serveKlines(e *engine, c *call, now time.Time) (any, *apiError) {
	m, err := c.market(e)
	if err != nil {
		return nil, err
	}
	interval := c.params.Get("interval")
	if interval == "" {
		return nil, mandatory("interval")
	}
	width, ok := intervals[interval]
	if !ok {
		return nil, errInterval
	}
	if zone := c.params.Get("timeZone"); strings.Trim(zone, "+-0:") != "" {
		return nil, refuse(-1130, "Data sent for parameter 'timeZone' is not valid.") // UTC is what this venue keeps
	}
	n, err := c.limit(500, 1000)
	if err != nil {
		return nil, err
	}
	span, err := c.period()
	if err != nil {
		return nil, err
	}
	e.flow(m, now)
	views := [][12]any{}
	for _, k := range m.klines(width, now) {
		if !span.holds(k.open) {
			continue
		}
		_, end := bounds(width, k.open)
		views = append(views, [12]any{
			k.open.UnixMilli(), text(k.first), text(k.high), text(k.low), text(k.last), text(k.volume),
			end.UnixMilli() - 1, text(k.quote), k.trades, text(k.takerBase), text(k.takerQuote), "0",
		})
	}
	if span.from.IsZero() { // without a start the latest are meant, with one the first from there
		return views[max(0, len(views)-n):], nil
	}
	return views[:min(n, len(views))], nil
}
