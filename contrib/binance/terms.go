package binanceorders

import (
	"fmt"

	"github.com/adshao/go-binance/v2"

	"github.com/relent-go/relent/exchange/order"
)

func sideOf(s order.Side) binance.SideType {
	if s == order.Sell {
		return binance.SideTypeSell
	}
	return binance.SideTypeBuy
}

// typeOf says what Binance calls an order of these terms, and how long it is in force. The time is empty where Binance
// does not want one.
func typeOf(t *order.Terms) (kind binance.OrderType, tif binance.TimeInForceType, err error) {
	if t.ReduceOnly {
		return "", "", fmt.Errorf("%w: spot orders cannot be reduce-only", order.ErrUnsupported)
	}
	if len(t.More) > 0 {
		return "", "", fmt.Errorf("%w: terms of Terms.More", order.ErrUnsupported)
	}
	switch t.Type {
	case order.Market:
		kind = binance.OrderTypeMarket
	case order.Limit:
		kind = binance.OrderTypeLimit
	case order.Stop:
		kind = binance.OrderTypeStopLoss
	case order.StopLimit:
		kind = binance.OrderTypeStopLossLimit
	default:
		return "", "", fmt.Errorf("%w: orders of type %.20q", order.ErrUnsupported, t.Type)
	}
	if t.PostOnly {
		if t.Type != order.Limit {
			return "", "", fmt.Errorf("%w: a post-only %s order", order.ErrUnsupported, t.Type)
		}
		return binance.OrderTypeLimitMaker, "", nil
	}
	if t.Type == order.Market || t.Type == order.Stop {
		return kind, "", nil
	}
	switch t.TIF {
	case "", order.GTC:
		tif = binance.TimeInForceTypeGTC
	case order.IOC:
		tif = binance.TimeInForceTypeIOC
	case order.FOK:
		tif = binance.TimeInForceTypeFOK
	default:
		return "", "", fmt.Errorf("%w: time in force %.20q", order.ErrUnsupported, t.TIF)
	}
	return kind, tif, nil
}
