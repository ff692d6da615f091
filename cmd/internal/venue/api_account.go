package venue

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

type ownTradeView struct {
	Symbol          string `json:"symbol"`
	ID              int64  `json:"id"`
	OrderID         int64  `json:"orderId"`
	OrderListID     int    `json:"orderListId"`
	Price           string `json:"price"`
	Quantity        string `json:"qty"`
	Quote           string `json:"quoteQty"`
	Commission      string `json:"commission"`
	CommissionAsset string `json:"commissionAsset"`
	Time            int64  `json:"time"`
	IsBuyer         bool   `json:"isBuyer"`
	IsMaker         bool   `json:"isMaker"`
	IsBestMatch     bool   `json:"isBestMatch"`
}

// serveMyTrades answers from fromId on, or within a period, or with the latest; of one order if orderId is given.
func serveMyTrades(e *engine, c *call, now time.Time) (any, *apiError) {
	m, span, n, err := c.history(e, now)
	if err != nil {
		return nil, err
	}
	from, byID, err := c.integer("fromId")
	if err != nil {
		return nil, err
	}
	order, byOrder, err := c.integer("orderId")
	if err != nil {
		return nil, err
	}
	if byID && (!span.from.IsZero() || !span.to.IsZero()) {
		return nil, errCombination
	}
	list := e.accounts[c.account].trades[m.symbol]
	i, _ := slices.BinarySearchFunc(list, from, func(t ownTrade, id int64) int { return int(t.id - id) })
	return page(list[i:], n, byID || !span.from.IsZero(), func(t ownTrade) (v ownTradeView, ok bool) {
		if byOrder && t.order.id != order || t.at.After(now.Add(-c.lag)) || !span.holds(t.order.told(t.at)) {
			return v, false
		}
		return ownTradeView{
			m.symbol, t.id, t.order.id, -1, text(t.price), text(t.qty), text(t.quoteQty),
			text(t.fee), t.feeAsset, t.order.told(t.at).UnixMilli(), t.buyer, t.maker, true,
		}, true
	}), nil
}

type balanceView struct {
	Asset  string `json:"asset"`
	Free   string `json:"free"`
	Locked string `json:"locked"`
}

type accountView struct {
	MakerCommission  int64             `json:"makerCommission"` // in hundredths of a per cent
	TakerCommission  int64             `json:"takerCommission"`
	BuyerCommission  int64             `json:"buyerCommission"`
	SellerCommission int64             `json:"sellerCommission"`
	CommissionRates  map[string]string `json:"commissionRates"`
	CanTrade         bool              `json:"canTrade"`
	CanWithdraw      bool              `json:"canWithdraw"`
	CanDeposit       bool              `json:"canDeposit"`
	UpdateTime       int64             `json:"updateTime"`
	AccountType      string            `json:"accountType"`
	Balances         []balanceView     `json:"balances"`
	Permissions      []string          `json:"permissions"`
	UID              int               `json:"uid"`
}

func serveAccount(e *engine, c *call, now time.Time) (any, *apiError) {
	a := e.accounts[c.account]
	fee, none := text(e.cfg.Fee), text(decimal.Zero)
	points := e.cfg.Fee.Shift(4).IntPart()
	v := accountView{
		MakerCommission: points, TakerCommission: points,
		CommissionRates: map[string]string{"maker": fee, "taker": fee, "buyer": none, "seller": none},
		CanTrade:        true, UpdateTime: now.UnixMilli(), AccountType: "SPOT",
		Balances: []balanceView{}, Permissions: []string{"SPOT"}, UID: a.number,
	}
	for _, asset := range a.assets {
		b := a.balances[asset]
		if c.params.Get("omitZeroBalances") == "true" && b.free.IsZero() && b.locked.IsZero() {
			continue
		}
		v.Balances = append(v.Balances, balanceView{asset, text(b.free), text(b.locked)})
	}
	return v, nil
}

// serveOrderCount tells the unfilled orders of the present windows.
func serveOrderCount(e *engine, c *call, now time.Time) (any, *apiError) {
	a := e.accounts[c.account]
	views := []rateLimitView{}
	for i, limit := range []int{e.cfg.Limits.OrdersPer10s, e.cfg.Limits.OrdersPerDay} {
		if limit == Unlimited {
			continue
		}
		a.counts[i].roll(now)
		w := orderWindows[i]
		views = append(views, rateLimitView{"ORDERS", w.interval, w.num, limit, new(a.counts[i].used)})
	}
	return views, nil
}
