package venue

import (
	"time"

	"github.com/shopspring/decimal"
)

type ackView struct {
	Symbol        string `json:"symbol"`
	OrderID       int64  `json:"orderId"`
	OrderListID   int    `json:"orderListId"`
	ClientOrderID string `json:"clientOrderId"`
	TransactTime  int64  `json:"transactTime"`
}

// termsView is what all longer answers about an order share.
type termsView struct {
	Price         string      `json:"price"`
	OrigQty       string      `json:"origQty"`
	ExecutedQty   string      `json:"executedQty"`
	OrigQuoteQty  string      `json:"origQuoteOrderQty"`
	CumQuote      string      `json:"cummulativeQuoteQty"` // the venue's spelling
	Status        string      `json:"status"`
	TimeInForce   timeInForce `json:"timeInForce"`
	Type          orderType   `json:"type"`
	Side          side        `json:"side"`
	WorkingTime   int64       `json:"workingTime"`
	SelfTradeMode string      `json:"selfTradePreventionMode"`
}

type resultView struct {
	ackView
	termsView
}

type fullView struct {
	resultView

	Fills []fillView `json:"fills"`
}

type fillView struct {
	Price           string `json:"price"`
	Quantity        string `json:"qty"`
	Commission      string `json:"commission"`
	CommissionAsset string `json:"commissionAsset"`
	TradeID         int64  `json:"tradeId"`
}

type canceledView struct {
	OrigClientOrderID string `json:"origClientOrderId"`
	resultView
}

type orderView struct {
	Symbol        string `json:"symbol"`
	OrderID       int64  `json:"orderId"`
	OrderListID   int    `json:"orderListId"`
	ClientOrderID string `json:"clientOrderId"`
	termsView
	StopPrice  string `json:"stopPrice"`
	IcebergQty string `json:"icebergQty"`
	Time       int64  `json:"time"`
	UpdateTime int64  `json:"updateTime"`
	IsWorking  bool   `json:"isWorking"`
}

func (o *order) ack(client string, now time.Time) ackView {
	return ackView{o.market.symbol, o.id, -1, client, o.told(now).UnixMilli()}
}

func (o *order) terms(at moment) termsView {
	qty := o.qty
	if o.quoteQty.IsPositive() {
		qty = at.executed // of an order by quote quantity it is known in the end only
	}
	return termsView{
		text(o.price), text(qty), text(at.executed), text(o.quoteQty), text(at.spent), at.status,
		o.tif, o.typ, o.side, o.told(o.created).UnixMilli(), "NONE",
	}
}

func (o *order) present() moment { return o.past[len(o.past)-1] }

func (o *order) view(at moment) orderView {
	return orderView{
		o.market.symbol, o.id, -1, o.client, o.terms(at), text(decimal.Zero), text(decimal.Zero),
		o.told(o.created).UnixMilli(), o.told(at.at).UnixMilli(), true,
	}
}
