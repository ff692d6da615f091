package venue

import (
	"encoding/json"
	"time"

	"github.com/shopspring/decimal"
)

// An execution is what happened to an order, in the words of the field x of an executionReport.
type execution string

const (
	execNew      execution = "NEW"
	execTrade    execution = "TRADE"
	execCanceled execution = "CANCELED"
	execExpired  execution = "EXPIRED"
	execRejected execution = "REJECTED"
)

// keepReports is how many events of an account can be replayed.
const keepReports = 10_000

// A report is an event of one order, with the order as it was then.
type report struct {
	n               int64 // of the account, from 1
	id              int64 // of the venue
	at              time.Time
	kind            execution
	order           *order
	by              string // client id of a cancel
	status          string
	executed, spent decimal.Decimal
	own             *ownTrade // of a TRADE
}

// report tells an account, and whoever listens for it, what happened to one of its orders.
func (e *engine) report(o *order, kind execution, by string, own *ownTrade, now time.Time) {
	a := o.account
	e.reports++
	a.reported++
	r := report{a.reported, e.reports, now, kind, o, by, o.status, o.executed, o.spent, own}
	if len(a.reports) >= 2*keepReports {
		a.reports = append(a.reports[:0], a.reports[len(a.reports)-keepReports:]...)
	}
	a.reports = append(a.reports, r)
	e.hub.reported(a, r)
}

// executionView is an executionReport (Binance user data streams).
type executionView struct {
	Event         string      `json:"e"`
	EventTime     int64       `json:"E"`
	Symbol        string      `json:"s"`
	ClientID      string      `json:"c"` // of a cancel its own id
	Side          side        `json:"S"`
	Type          orderType   `json:"o"`
	TimeInForce   timeInForce `json:"f"`
	Quantity      string      `json:"q"`
	Price         string      `json:"p"`
	StopPrice     string      `json:"P"`
	Iceberg       string      `json:"F"`
	ListID        int         `json:"g"`
	OriginalID    string      `json:"C"` // of a cancel the client id of the order
	Execution     execution   `json:"x"`
	Status        string      `json:"X"`
	Reject        string      `json:"r"`
	OrderID       int64       `json:"i"`
	LastQuantity  string      `json:"l"`
	Cumulative    string      `json:"z"`
	LastPrice     string      `json:"L"`
	Fee           string      `json:"n"`
	FeeAsset      *string     `json:"N"`
	Time          int64       `json:"T"`
	TradeID       int64       `json:"t"`
	ExecutionID   int64       `json:"I"`
	OnBook        bool        `json:"w"`
	Maker         bool        `json:"m"`
	Ignore        bool        `json:"M"`
	Created       int64       `json:"O"`
	CumQuote      string      `json:"Z"`
	LastQuote     string      `json:"Y"`
	QuoteQuantity string      `json:"Q"`
	WorkingTime   int64       `json:"W"`
	SelfTrade     string      `json:"V"`
}

func (r report) view() executionView {
	o, none := r.order, text(decimal.Zero)
	v := executionView{
		Event: "executionReport", EventTime: o.told(r.at).UnixMilli(), Symbol: o.market.symbol, ClientID: o.client,
		Side: o.side, Type: o.typ, TimeInForce: o.tif, Quantity: text(o.qty), Price: text(o.price),
		StopPrice: none, Iceberg: none, ListID: -1, Execution: r.kind, Status: r.status, Reject: "NONE", OrderID: o.id,
		LastQuantity: none, Cumulative: text(r.executed), LastPrice: none, Fee: "0", Time: o.told(r.at).UnixMilli(), TradeID: -1,
		ExecutionID: r.id, OnBook: isOpen(r.status) && o.typ != market, Created: o.told(o.created).UnixMilli(),
		CumQuote: text(r.spent), LastQuote: none, QuoteQuantity: text(o.quoteQty), WorkingTime: o.told(o.created).UnixMilli(), SelfTrade: "NONE",
	}
	switch {
	case r.kind == execCanceled:
		v.ClientID, v.OriginalID = r.by, o.client
	case r.kind == execRejected:
		v.Reject = o.rejected
	case r.own != nil:
		t := r.own
		v.LastQuantity, v.LastPrice, v.LastQuote = text(t.qty), text(t.price), text(t.quoteQty)
		v.Fee, v.FeeAsset, v.TradeID, v.Maker = text(t.fee), &t.feeAsset, t.id, t.maker
	}
	return v
}

// positionView is an outboundAccountPosition: the balances that an event may have changed.
type positionView struct {
	Event     string        `json:"e"`
	EventTime int64         `json:"E"`
	Updated   int64         `json:"u"`
	Balances  []assetChange `json:"B"`
}

type assetChange struct {
	Asset  string `json:"a"`
	Free   string `json:"f"`
	Locked string `json:"l"`
}

func (a *account) position(m *marketState, now time.Time) positionView {
	v := positionView{Event: "outboundAccountPosition", EventTime: now.UnixMilli(), Updated: now.UnixMilli()}
	for _, asset := range []string{m.base, m.quote} {
		b := a.of(asset)
		v.Balances = append(v.Balances, assetChange{asset, text(b.free), text(b.locked)})
	}
	return v
}

type depthEvent struct {
	Event string      `json:"e"`
	Time  int64       `json:"E"`
	Name  string      `json:"s"`
	First int64       `json:"U"`
	Last  int64       `json:"u"`
	Bids  [][2]string `json:"b"`
	Asks  [][2]string `json:"a"`
}

type tradeEvent struct {
	Event      string `json:"e"`
	Time       int64  `json:"E"`
	Name       string `json:"s"`
	ID         int64  `json:"t"`
	Price      string `json:"p"`
	Quantity   string `json:"q"`
	At         int64  `json:"T"`
	BuyerMaker bool   `json:"m"`
	Ignore     bool   `json:"M"`
}

type aggEvent struct {
	Event      string `json:"e"`
	Time       int64  `json:"E"`
	Name       string `json:"s"`
	ID         int64  `json:"a"`
	Price      string `json:"p"`
	Quantity   string `json:"q"`
	First      int64  `json:"f"`
	Last       int64  `json:"l"`
	At         int64  `json:"T"`
	BuyerMaker bool   `json:"m"`
	Ignore     bool   `json:"M"`
}

type tickerEvent struct {
	Update int64  `json:"u"`
	Name   string `json:"s"`
	Bid    string `json:"b"`
	BidQty string `json:"B"`
	Ask    string `json:"a"`
	AskQty string `json:"A"`
}

type klineEvent struct {
	Event string    `json:"e"`
	Time  int64     `json:"E"`
	Name  string    `json:"s"`
	Kline klineBody `json:"k"`
}

type klineBody struct {
	Open       int64  `json:"t"`
	Close      int64  `json:"T"`
	Name       string `json:"s"`
	Interval   string `json:"i"`
	FirstTrade int64  `json:"f"`
	LastTrade  int64  `json:"L"`
	First      string `json:"o"`
	Last       string `json:"c"`
	High       string `json:"h"`
	Low        string `json:"l"`
	Volume     string `json:"v"`
	Trades     int    `json:"n"`
	Final      bool   `json:"x"`
	Quote      string `json:"q"`
	TakerBase  string `json:"V"`
	TakerQuote string `json:"Q"`
	Ignore     string `json:"B"`
}

// encode writes an event. Events are plain data, which always marshals.
func encode(event any) []byte {
	b, _ := json.Marshal(event)
	return b
}
