package venue

import (
	"encoding/json"
	"time"
)

func servePing(*engine, *call, time.Time) (any, *apiError) { return struct{}{}, nil }

func serveTime(e *engine, c *call, now time.Time) (any, *apiError) {
	return struct {
		ServerTime int64 `json:"serverTime"`
	}{now.Add(e.cfg.Clock + c.shift).UnixMilli()}, nil
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
