package binanceorders

import (
	"context"
	"fmt"

	"github.com/adshao/go-binance/v2"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/retry"
)

var _ order.Replacer = (*Venue)(nil)

// Replace is of [order.Replacer]: cancelReplace, which places the new order only if it has cancelled the old one. The SDK does not
// show the two results of a refusal: after one that is half, -2021, both orders are read.
func (v *Venue) Replace(ctx context.Context, old order.Ref, command string, o *order.Intent) (order.Legs, error) {
	kind, tif, err := typeOf(&o.Terms)
	if err == nil && o.Symbol != old.Symbol {
		err = fmt.Errorf("%w: to replace an order of %s by one of %s", order.ErrUnsupported, old.Symbol, o.Symbol)
	}
	if err != nil {
		return order.Legs{}, retry.Mark(err, retry.Transient) // nothing was sent
	}
	s := v.sdk().NewCancelReplaceOrderService().Symbol(o.Symbol).Side(sideOf(o.Side)).Type(kind).
		CancelReplaceMode(binance.CancelReplaceModeStopOnFailure).
		CancelOrigClientOrderID(old.Wire).CancelNewClientOrderID(command).
		NewClientOrderID(o.Wire).Quantity(string(o.Quantity)).NewOrderRespType(binance.NewOrderRespTypeFULL)
	if tif != "" {
		s.TimeInForce(tif)
	}
	if o.Price != "" {
		s.Price(string(o.Price))
	}
	if o.StopPrice != "" {
		s.StopPrice(string(o.StopPrice))
	}
	res, err := s.Do(ctx, v.window())
	if err != nil {
		return order.Legs{}, err
	}
	if res.NewOrderResponse == nil {
		return order.Legs{}, fmt.Errorf("binance's answer cannot be read: newOrderResponse: is missing")
	}
	report, err := placed(res.NewOrderResponse)
	return order.Legs{New: report}, err // the old one is read in any case
}
