package binanceorders

import (
	"fmt"
	"time"

	"github.com/adshao/go-binance/v2"

	"github.com/relent-go/relent/exchange/order"
)

var statuses = map[binance.OrderStatusType]order.Status{
	"NEW":              order.StatusNew,
	"PENDING_NEW":      order.StatusNew,
	"PARTIALLY_FILLED": order.StatusPartial,
	"PENDING_CANCEL":   order.StatusPendingCancel,
	"FILLED":           order.StatusFilled,
	"CANCELED":         order.StatusCanceled,
	"REJECTED":         order.StatusRejected,
	"EXPIRED":          order.StatusExpired,
	"EXPIRED_IN_MATCH": order.StatusExpired,
}

var terminal = map[order.Status]bool{
	order.StatusFilled: true, order.StatusCanceled: true, order.StatusExpired: true, order.StatusRejected: true,
}

// A reader reads texts and keeps the first error, so that an answer that is odd anywhere is no answer.
type reader struct{ err error }

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("binance's answer cannot be read: "+format, args...)
	}
}

func (r *reader) number(field, text string) order.Decimal {
	d, err := order.ParseDecimal(text)
	if err != nil {
		r.fail("%s: %w", field, err)
	}
	return d
}

// price is a number that Binance writes as 0 where there is none.
func (r *reader) price(field, text string) order.Decimal {
	if text == "" {
		return ""
	}
	if d := r.number(field, text); d.Sign() != 0 {
		return d
	}
	return ""
}

func (r *reader) status(s binance.OrderStatusType) order.Status {
	known, ok := statuses[s]
	if !ok {
		r.fail("status: %.40q is unknown", s)
	}
	return known
}

// terms are those that an answer states. What Binance has no word for stays empty.
func (r *reader) terms(symbol string, side binance.SideType, kind binance.OrderType, tif binance.TimeInForceType, quantity, price, stop string) order.Terms {
	t := order.Terms{Symbol: symbol, Quantity: r.number("origQty", quantity), Price: r.price("price", price), StopPrice: r.price("stopPrice", stop)}
	switch side {
	case binance.SideTypeBuy:
		t.Side = order.Buy
	case binance.SideTypeSell:
		t.Side = order.Sell
	default:
		r.fail("side: %.40q is unknown", side)
	}
	switch kind {
	case binance.OrderTypeMarket:
		t.Type = order.Market
	case binance.OrderTypeLimit:
		t.Type = order.Limit
	case binance.OrderTypeLimitMaker:
		t.Type, t.PostOnly = order.Limit, true
	case binance.OrderTypeStopLoss:
		t.Type = order.Stop
	case binance.OrderTypeStopLossLimit:
		t.Type = order.StopLimit
	}
	if t.Type == order.Limit || t.Type == order.StopLimit { // for others Binance writes GTC, whatever was asked for
		switch tif {
		case binance.TimeInForceTypeGTC:
			t.TIF = order.GTC
		case binance.TimeInForceTypeIOC:
			t.TIF = order.IOC
		case binance.TimeInForceTypeFOK:
			t.TIF = order.FOK
		}
	}
	return t
}

// reported is what a read says.
func reported(o *binance.Order) (order.Report, error) {
	var r reader
	report := order.Report{
		Wire: o.ClientOrderID, VenueID: id(o.OrderID), Status: r.status(o.Status),
		Terms:    r.terms(o.Symbol, o.Side, o.Type, o.TimeInForce, o.OrigQuantity, o.Price, o.StopPrice),
		Executed: r.number("executedQty", o.ExecutedQuantity),
		Created:  time.UnixMilli(o.Time), At: time.UnixMilli(o.UpdateTime),
	}
	return report, r.err
}

func reports(list []*binance.Order, which func(*order.Report) bool) (all []order.Report, err error) {
	for _, o := range list {
		r, err := reported(o)
		if err != nil {
			return nil, err
		}
		if which(&r) {
			all = append(all, r)
		}
	}
	return all, nil
}

// placed is what the answer to a new order says.
func placed(o *binance.CreateOrderResponse) (order.Report, error) {
	var r reader
	at := time.UnixMilli(o.TransactTime)
	report := order.Report{
		Wire: o.ClientOrderID, VenueID: id(o.OrderID), Status: r.status(o.Status),
		Terms:    r.terms(o.Symbol, o.Side, o.Type, o.TimeInForce, o.OrigQuantity, o.Price, ""),
		Executed: r.number("executedQty", o.ExecutedQuantity),
		Created:  at, At: at,
	}
	for _, f := range o.Fills {
		report.Fills = append(report.Fills, order.Fill{
			Key: key(o.Symbol, f.TradeID), Wire: o.ClientOrderID, VenueID: report.VenueID, Symbol: o.Symbol, Side: report.Terms.Side,
			Quantity: r.number("fills.qty", f.Quantity), Price: r.number("fills.price", f.Price),
			Fee: r.number("fills.commission", f.Commission), FeeAsset: f.CommissionAsset, At: at,
		})
	}
	return report, r.err
}

// filled is one line of the list of trades.
func filled(t *binance.TradeV3) (order.Fill, error) {
	var r reader
	side := order.Sell
	if t.IsBuyer {
		side = order.Buy
	}
	return order.Fill{
		Key: key(t.Symbol, t.ID), VenueID: id(t.OrderID), Symbol: t.Symbol, Side: side,
		Quantity: r.number("qty", t.Quantity), Price: r.number("price", t.Price),
		Fee: r.number("commission", t.Commission), FeeAsset: t.CommissionAsset, At: time.UnixMilli(t.Time),
	}, r.err
}

// key is the profile's (symbol, tradeId).
func key(symbol string, trade int64) string { return symbol + "/" + id(trade) }
