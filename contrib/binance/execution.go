package binanceorders

import (
	"encoding/json"
	"time"

	"github.com/adshao/go-binance/v2"

	"github.com/relent-go/relent/exchange/order"
)

// Execution reads a message of a [User] stream for [order.Machine.Seen]. It is false, without an error, for events that are
// not about an order; an executionReport that cannot be read is an error, and what it says must be read again by REST.
func Execution(message []byte) (r order.Report, ok bool, err error) {
	var m struct {
		Event *execution `json:"event"`
	}
	if err := json.Unmarshal(message, &m); err != nil {
		var kind struct {
			Event struct {
				Kind string `json:"e"`
			} `json:"event"`
		}
		if json.Unmarshal(message, &kind) == nil && kind.Event.Kind != "executionReport" {
			return order.Report{}, false, nil
		}
		return order.Report{}, false, err
	}
	if m.Event == nil || m.Event.Kind != "executionReport" {
		return order.Report{}, false, nil
	}
	r, err = m.Event.report()
	return r, err == nil, err
}

// An execution is an executionReport (user-data-stream.md). Names that differ by case alone stand beside each other,
// because encoding/json takes one for the other if only one is there.
type execution struct {
	Kind       string                  `json:"e"`
	At         int64                   `json:"E"`
	Symbol     string                  `json:"s"`
	Side       binance.SideType        `json:"S"`
	ID         string                  `json:"c"`
	Original   string                  `json:"C"`
	Type       binance.OrderType       `json:"o"`
	Created    int64                   `json:"O"`
	TIF        binance.TimeInForceType `json:"f"`
	Iceberg    json.RawMessage         `json:"F"`
	Quantity   string                  `json:"q"`
	QuoteQty   json.RawMessage         `json:"Q"`
	Price      string                  `json:"p"`
	Stop       string                  `json:"P"`
	What       string                  `json:"x"`
	Status     binance.OrderStatusType `json:"X"`
	Reason     string                  `json:"r"`
	OrderID    int64                   `json:"i"`
	Execution  json.RawMessage         `json:"I"`
	Last       string                  `json:"l"`
	LastPrice  string                  `json:"L"`
	Cumulative string                  `json:"z"`
	CumQuote   json.RawMessage         `json:"Z"`
	Fee        string                  `json:"n"`
	FeeAsset   string                  `json:"N"`
	Trade      int64                   `json:"t"`
	Time       int64                   `json:"T"`
}

func (e *execution) report() (order.Report, error) {
	wire := e.ID
	if e.Original != "" {
		wire = e.Original // of a cancel, whose own id is c
	}
	var r reader
	report := order.Report{
		Wire: wire, VenueID: id(e.OrderID), Status: r.status(e.Status),
		Terms:    r.terms(e.Symbol, e.Side, e.Type, e.TIF, e.Quantity, e.Price, e.Stop),
		Executed: r.number("z", e.Cumulative), Created: time.UnixMilli(e.Created), At: time.UnixMilli(e.At),
	}
	switch e.What {
	case "REJECTED":
		report.Reason = e.Reason
	case "TRADE":
		report.Fills = []order.Fill{{
			Key: key(e.Symbol, e.Trade), Wire: wire, VenueID: report.VenueID, Symbol: e.Symbol, Side: report.Terms.Side,
			Quantity: r.number("l", e.Last), Price: r.number("L", e.LastPrice), Fee: r.price("n", e.Fee), FeeAsset: e.FeeAsset, At: time.UnixMilli(e.Time),
		}}
	}
	return report, r.err
}
