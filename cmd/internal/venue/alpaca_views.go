package venue

import (
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// alpacaOrderView has the fields of alpaca.Order. Amounts are strings, absent ones and absent times null.
type alpacaOrderView struct {
	ID             string     `json:"id"`
	ClientOrderID  string     `json:"client_order_id"`
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
	SubmittedAt    time.Time  `json:"submitted_at"`
	FilledAt       *time.Time `json:"filled_at"`
	ExpiredAt      *time.Time `json:"expired_at"`
	CanceledAt     *time.Time `json:"canceled_at"`
	FailedAt       *time.Time `json:"failed_at"`
	ReplacedAt     *time.Time `json:"replaced_at"`
	ReplacedBy     *string    `json:"replaced_by"`
	Replaces       *string    `json:"replaces"`
	AssetID        string     `json:"asset_id"`
	Symbol         string     `json:"symbol"`
	AssetClass     string     `json:"asset_class"`
	OrderClass     string     `json:"order_class"`
	Type           string     `json:"type"`
	Side           string     `json:"side"`
	PositionIntent string     `json:"position_intent"`
	TimeInForce    string     `json:"time_in_force"`
	Status         string     `json:"status"`
	Notional       *string    `json:"notional"`
	Qty            *string    `json:"qty"`
	FilledQty      string     `json:"filled_qty"`
	FilledAvgPrice *string    `json:"filled_avg_price"`
	LimitPrice     *string    `json:"limit_price"`
	StopPrice      *string    `json:"stop_price"`
	TrailPrice     *string    `json:"trail_price"`
	TrailPercent   *string    `json:"trail_percent"`
	HWM            *string    `json:"hwm"`
	ExtendedHours  bool       `json:"extended_hours"`
	Legs           []struct{} `json:"legs"`
}

var alpacaStatuses = map[string]string{
	statusNew: "new", statusPartial: "partially_filled", statusFilled: "filled", statusCanceled: "canceled",
	statusExpired: "expired", statusRejected: "rejected",
}

// some is a string unless the amount is zero, which stands for none.
func some(d decimal.Decimal) *string {
	if d.IsZero() {
		return nil
	}
	return new(d.String())
}

func (e *engine) alpacaView(o *order, at moment) alpacaOrderView {
	symbol, class := o.market.alpacaSymbol()
	v := alpacaOrderView{
		ID: e.alpacaID(o.id), ClientOrderID: o.client, CreatedAt: o.told(o.created), UpdatedAt: o.told(at.at), SubmittedAt: o.told(o.created),
		AssetID: e.alpacaAsset(o.market), Symbol: symbol, AssetClass: class, OrderClass: "simple",
		Type: strings.ToLower(string(o.typ)), Side: strings.ToLower(string(o.side)),
		PositionIntent: strings.ToLower(string(o.side)) + "_to_open", TimeInForce: strings.ToLower(string(o.tif)),
		Status: alpacaStatuses[at.status], Notional: some(o.quoteQty), FilledQty: at.executed.String(), LimitPrice: some(o.price),
	}
	if o.quoteQty.IsZero() {
		v.Qty = some(o.qty)
	}
	if at.executed.IsPositive() {
		v.FilledAvgPrice = some(at.spent.DivRound(at.executed, digits))
	}
	if o.replaces != 0 {
		v.Replaces = new(e.alpacaID(o.replaces))
	}
	when := new(o.told(at.at))
	switch at.status {
	case statusFilled:
		v.FilledAt = when
	case statusExpired:
		v.ExpiredAt = when
	case statusRejected:
		v.FailedAt = when
	case statusCanceled:
		v.CanceledAt = when
		if o.replacedBy != 0 {
			v.Status, v.CanceledAt, v.ReplacedAt, v.ReplacedBy = "replaced", nil, when, new(e.alpacaID(o.replacedBy))
		}
	}
	return v
}

// alpacaAsset is a UUID for a market.
func (e *engine) alpacaAsset(m *marketState) string {
	for i, s := range e.symbols {
		if s == m.symbol {
			return e.alpacaID(1<<40 + int64(i))
		}
	}
	return ""
}

// alpacaUpdate has the fields of alpaca.TradeUpdate.
type alpacaUpdate struct {
	At          time.Time       `json:"at"`
	Event       string          `json:"event"`
	EventID     string          `json:"event_id"`
	ExecutionID string          `json:"execution_id"`
	Order       alpacaOrderView `json:"order"`
	PositionQty *string         `json:"position_qty"`
	Price       *string         `json:"price"`
	Qty         *string         `json:"qty"`
	Timestamp   *time.Time      `json:"timestamp"`
}

// alpacaEvent is what trade_updates call an event.
func (r report) alpacaEvent() string {
	switch {
	case r.kind == execTrade && r.status == statusFilled:
		return "fill"
	case r.kind == execTrade:
		return "partial_fill"
	case r.kind == execCanceled && r.order.replacedBy != 0:
		return "replaced"
	}
	return strings.ToLower(string(r.kind))
}

func (e *engine) alpacaUpdate(r report) alpacaUpdate {
	u := alpacaUpdate{
		At: r.order.told(r.at), Event: r.alpacaEvent(), EventID: e.alpacaID(1<<41 + r.id), ExecutionID: e.alpacaID(1<<42 + r.id),
		Order: e.alpacaView(r.order, moment{r.at, r.status, r.executed, r.spent}), Timestamp: new(r.order.told(r.at)),
	}
	if r.own != nil {
		u.Price, u.Qty = some(r.own.price), some(r.own.qty)
		position := r.order.account.of(r.order.market.base)
		u.PositionQty = new(position.free.Add(position.locked).String())
	}
	return u
}
