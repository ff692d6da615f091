package venue

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

type alpacaAccountView struct {
	ID             string    `json:"id"`
	Number         string    `json:"account_number"`
	Status         string    `json:"status"`
	CryptoStatus   string    `json:"crypto_status"`
	Currency       string    `json:"currency"`
	BuyingPower    string    `json:"buying_power"`
	NonMargin      string    `json:"non_marginable_buying_power"`
	Cash           string    `json:"cash"`
	PortfolioValue string    `json:"portfolio_value"`
	Equity         string    `json:"equity"`
	LastEquity     string    `json:"last_equity"`
	LongValue      string    `json:"long_market_value"`
	Multiplier     string    `json:"multiplier"`
	CreatedAt      time.Time `json:"created_at"`
}

// currency is what an account's cash is counted in: dollars if a market has them, else the first quote asset.
func (e *engine) currency() string {
	for _, s := range e.symbols {
		if e.markets[s].quote == "USD" {
			return "USD"
		}
	}
	return e.markets[e.symbols[0]].quote
}

func alpacaAccount(e *engine, c *call, _ time.Time) (any, *apiError) {
	a, currency := e.accounts[c.account], e.currency()
	cash := a.of(currency)
	worth := decimal.Zero
	for _, s := range e.symbols {
		if m := e.markets[s]; m.quote == currency {
			b := a.of(m.base)
			worth = worth.Add(b.free.Add(b.locked).Mul(m.last))
		}
	}
	total := cash.free.Add(cash.locked)
	equity := total.Add(worth).String()
	return alpacaAccountView{
		ID: e.alpacaID(1<<43 + int64(a.number)), Number: strconv.Itoa(a.number), Status: "ACTIVE", CryptoStatus: "ACTIVE",
		Currency: currency, BuyingPower: cash.free.String(), NonMargin: cash.free.String(), Cash: total.String(),
		PortfolioValue: equity, Equity: equity, LastEquity: equity, LongValue: worth.String(), Multiplier: "1", CreatedAt: e.born,
	}, nil
}

type alpacaPositionView struct {
	AssetID      string `json:"asset_id"`
	Symbol       string `json:"symbol"`
	Exchange     string `json:"exchange"`
	AssetClass   string `json:"asset_class"`
	Qty          string `json:"qty"`
	QtyAvailable string `json:"qty_available"`
	AvgEntry     string `json:"avg_entry_price"`
	Side         string `json:"side"`
	MarketValue  string `json:"market_value"`
	CostBasis    string `json:"cost_basis"`
	CurrentPrice string `json:"current_price"`
}

// alpacaPositions lists the base assets of which there is some. What they cost is not kept: they are valued at the
// latest price.
func alpacaPositions(e *engine, c *call, _ time.Time) (any, *apiError) {
	views, seen := []alpacaPositionView{}, map[string]bool{}
	for _, s := range e.symbols {
		m := e.markets[s]
		b := e.accounts[c.account].of(m.base)
		qty := b.free.Add(b.locked)
		if seen[m.base] || !qty.IsPositive() {
			continue
		}
		seen[m.base] = true
		symbol, class := m.alpacaSymbol()
		worth := qty.Mul(m.last).String()
		views = append(views, alpacaPositionView{
			AssetID: e.alpacaAsset(m), Symbol: symbol, Exchange: "SIM", AssetClass: class, Qty: qty.String(), QtyAvailable: b.free.String(),
			AvgEntry: m.last.String(), Side: "long", MarketValue: worth, CostBasis: worth, CurrentPrice: m.last.String(),
		})
	}
	return views, nil
}

// alpacaClock says that the market is open, as it always is here.
func alpacaClock(e *engine, c *call, now time.Time) (any, *apiError) {
	now = now.Add(e.cfg.Clock + c.shift)
	tomorrow := now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	return struct {
		Timestamp time.Time `json:"timestamp"`
		IsOpen    bool      `json:"is_open"`
		NextOpen  time.Time `json:"next_open"`
		NextClose time.Time `json:"next_close"`
	}{now, true, tomorrow, tomorrow}, nil
}

type alpacaActivityView struct {
	ID       string    `json:"id"`
	Kind     string    `json:"activity_type"`
	Time     time.Time `json:"transaction_time"`
	Type     string    `json:"type"`
	Price    string    `json:"price"`
	Qty      string    `json:"qty"`
	Side     string    `json:"side"`
	Symbol   string    `json:"symbol"`
	Leaves   string    `json:"leaves_qty"`
	Cum      string    `json:"cum_qty"`
	OrderID  string    `json:"order_id"`
	OrderNow string    `json:"order_status"`
}

// alpacaActivities lists fills from the account's events, the latest first unless direction says otherwise. page_token
// is the id of the last one seen.
func alpacaActivities(e *engine, c *call, now time.Time) (any, *apiError) {
	n, err := c.alpacaLimit("page_size", 100, 100)
	if err != nil {
		return nil, err
	}
	span, err := c.alpacaPeriod()
	if err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(slices.Clone(e.accounts[c.account].reports), func(r report) bool {
		return r.kind != execTrade || r.at.After(now.Add(-c.lag)) || !span.holds(r.order.told(r.at))
	})
	if c.params.Get("direction") != "asc" {
		slices.Reverse(list)
	}
	id := func(r report) string { return r.at.UTC().Format("20060102150405000") + "::" + e.alpacaID(1<<42+r.id) }
	if token := c.params.Get("page_token"); token != "" {
		if i := slices.IndexFunc(list, func(r report) bool { return id(r) == token }); i >= 0 {
			list = list[i+1:]
		}
	}
	return page(list, n, true, func(r report) (alpacaActivityView, bool) {
		symbol, _ := r.order.market.alpacaSymbol()
		return alpacaActivityView{
			ID: id(r), Kind: "FILL", Time: r.order.told(r.at), Type: r.alpacaEvent(), Price: r.own.price.String(), Qty: r.own.qty.String(),
			Side: strings.ToLower(string(r.order.side)), Symbol: symbol, Leaves: r.order.qty.Sub(r.executed).String(),
			Cum: r.executed.String(), OrderID: e.alpacaID(r.order.id), OrderNow: alpacaStatuses[r.status],
		}, true
	}), nil
}

func (c *call) alpacaLimit(name string, usual, most int) (int, *apiError) {
	raw := c.params.Get(name)
	if raw == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(raw)
	if err != nil || n < 1 {
		return 0, alpacaRefusal(http.StatusUnprocessableEntity, 40010001, name+" must be a positive number")
	}
	return min(n, most), nil
}

// alpacaPeriod reads after and until.
func (c *call) alpacaPeriod() (p period, err *apiError) {
	for _, end := range []struct {
		name string
		t    *time.Time
	}{{"after", &p.from}, {"until", &p.to}} {
		if raw := c.params.Get(end.name); raw != "" {
			t, parseErr := time.Parse(time.RFC3339Nano, raw)
			if parseErr != nil {
				return p, alpacaRefusal(http.StatusUnprocessableEntity, 40010001, end.name+" must be a time as in RFC 3339")
			}
			*end.t = t
		}
	}
	return p, nil
}
