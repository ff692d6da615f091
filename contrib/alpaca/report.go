package alpacaorders

import (
	"fmt"

	"github.com/alpacahq/alpaca-trade-api-go/v3/alpaca"
	"github.com/shopspring/decimal"

	"github.com/relent-go/relent/exchange/order"
)

var statuses = map[string]order.Status{
	"accepted":             order.StatusAccepted,
	"pending_new":          order.StatusAccepted,
	"new":                  order.StatusNew,
	"accepted_for_bidding": order.StatusNew,
	"held":                 order.StatusNew,
	"suspended":            order.StatusNew,
	"stopped":              order.StatusNew, // a trade is guaranteed and has not happened yet
	"pending_replace":      order.StatusNew,
	"done_for_day":         order.StatusNew, // works again on the next day
	"calculated":           order.StatusNew, // done for the day, with sums still to be settled
	"partially_filled":     order.StatusPartial,
	"pending_cancel":       order.StatusPendingCancel,
	"filled":               order.StatusFilled,
	"canceled":             order.StatusCanceled,
	"replaced":             order.StatusCanceled, // by another order, with an id of its own
	"expired":              order.StatusExpired,
	"rejected":             order.StatusRejected,
}

// A reader reads texts and keeps the first error, so that an answer that is odd anywhere is no answer.
type reader struct{ err error }

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("alpaca's answer cannot be read: "+format, args...)
	}
}

func (r *reader) number(field string, d *decimal.Decimal) order.Decimal {
	if d == nil {
		return ""
	}
	n, err := order.ParseDecimal(d.String())
	if err != nil {
		r.fail("%s: %w", field, err)
	}
	return n
}

func (r *reader) side(s string) order.Side {
	switch s {
	case "buy":
		return order.Buy
	case "sell", "sell_short":
		return order.Sell
	}
	r.fail("side: %.40q is unknown", s)
	return ""
}

// reported is what Alpaca says of an order.
func reported(o *alpaca.Order) (order.Report, error) {
	var r reader
	report := order.Report{
		Wire: o.ClientOrderID, VenueID: o.ID, Status: statuses[o.Status],
		Terms: order.Terms{
			Symbol: o.Symbol, Side: r.side(string(o.Side)),
			Quantity: r.number("qty", o.Qty), Price: r.number("limit_price", o.LimitPrice), StopPrice: r.number("stop_price", o.StopPrice),
		},
		Executed: r.number("filled_qty", &o.FilledQty),
		Created:  o.CreatedAt, At: o.UpdatedAt,
	}
	if report.Status == "" {
		r.fail("status: %.40q is unknown", o.Status)
	}
	if report.Status == order.StatusNew && report.Executed.Sign() > 0 {
		report.Status = order.StatusPartial
	}
	switch kind := order.Type(o.Type); kind { // others have no word here
	case order.Market, order.Limit, order.Stop, order.StopLimit:
		report.Terms.Type = kind
	}
	switch tif := order.TIF(o.TimeInForce); tif {
	case order.GTC, order.IOC, order.FOK, order.Day:
		report.Terms.TIF = tif
	}
	return report, r.err
}

// filled is one activity of the account.
func filled(a *alpaca.AccountActivity) (order.Fill, error) {
	var r reader
	f := order.Fill{
		Key: a.ID, VenueID: a.OrderID, Symbol: a.Symbol, Side: r.side(a.Side),
		Quantity: r.number("qty", &a.Qty), Price: r.number("price", &a.Price), At: a.TransactionTime,
	}
	if f.Key == "" || f.VenueID == "" {
		r.fail("a fill has no id, or none of its order")
	}
	return f, r.err
}
