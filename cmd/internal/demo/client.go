package demo

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/adshao/go-binance/v2"
	"github.com/adshao/go-binance/v2/common"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// Names of the operations.
const (
	readMarket  = "binance.read_market"
	queryOrder  = "binance.query_order"
	cancelOrder = "binance.cancel_order"
	placeOrder  = "binance.place_order"
)

// A client holds the SDK twice: for market data, with the retries below it, and for what is
// signed, with the retries above.
type client struct {
	market *binance.Client
	signed *binance.Client

	query, cancel, place retry.Source

	connections *http.Transport
}

func newClient(cfg Config, observer retry.Observer) (*client, error) {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.MaxIdleConnsPerHost = 64

	often := retry.Policy{
		Idempotent:     true,
		MaxAttempts:    6,
		MaxElapsed:     15 * time.Second,
		AttemptTimeout: 2 * time.Second,
		Backoff:        backoff.Exponential{Base: 50 * time.Millisecond, Max: 2 * time.Second},
		Observer:       observer,
	}
	market, query, cancel := often, often, often
	market.Name, query.Name, cancel.Name = readMarket, queryOrder, cancelOrder
	// Not Idempotent: an order is sent again only when the first is known to have done nothing.
	place := retry.Policy{
		Name:           placeOrder,
		MaxAttempts:    3,
		MaxElapsed:     10 * time.Second,
		AttemptTimeout: 2 * time.Second,
		Observer:       observer,
		Priority:       retry.Critical,
	}
	ops, err := cfg.Control.steer(&market, &query, &cancel, &place)
	if err != nil {
		return nil, err
	}
	c := &client{
		market:      binance.NewClient("", ""),
		signed:      binance.NewClient(cfg.Key, cfg.Secret),
		query:       ops.query,
		cancel:      ops.cancel,
		place:       ops.place,
		connections: base,
	}
	url := strings.TrimSuffix(cfg.URL, "/")
	c.market.BaseURL, c.signed.BaseURL = url, url
	c.market.HTTPClient = &http.Client{Transport: judge{&retryhttp.Transport{Base: whole{base}, Policy: ops.market}}}
	// One attempt: it tells what was never sent from what may have arrived.
	once := &retry.Policy{MaxAttempts: 1}
	c.signed.HTTPClient = &http.Client{Transport: judge{&retryhttp.Transport{Base: whole{base}, Policy: once}}, CheckRedirect: noRedirect}
	return c, nil
}

// noRedirect hands a redirect to the SDK as it is: an order is not to be followed around.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// syncClock measures how far the local clock is from the venue's.
func (c *client) syncClock(ctx context.Context) error {
	offset, err := c.market.NewSetServerTimeService().Do(ctx)
	c.signed.TimeOffset = offset
	return err
}

func (c *client) depth(ctx context.Context, symbol string) (*binance.DepthResponse, error) {
	return c.market.NewDepthService().Symbol(symbol).Limit(5).Do(ctx)
}

func (c *client) klines(ctx context.Context, symbol string) ([]*binance.Kline, error) {
	return c.market.NewKlinesService().Symbol(symbol).Interval("1m").Limit(5).Do(ctx)
}

// send places an order: one client id for all attempts, signed anew for each.
func (c *client) send(ctx context.Context, o *order) (*binance.CreateOrderResponse, error) {
	return retry.Do(ctx, c.place, func(ctx context.Context) (resp *binance.CreateOrderResponse, err error) {
		v, err := attempt(ctx, func(ctx context.Context) error {
			s := c.signed.NewCreateOrderService().Symbol(o.symbol).Side(o.side).Type(o.kind).
				NewClientOrderID(o.id).Quantity(o.quantity).NewOrderRespType(binance.NewOrderRespTypeRESULT)
			if o.kind == binance.OrderTypeLimit {
				s.TimeInForce(o.force).Price(o.price)
			}
			resp, err = s.Do(ctx, binance.WithRecvWindow(window.Milliseconds()))
			return err
		})
		if v.code == codeRejected && strings.Contains(message(err), "Duplicate order") {
			// Something with our id exists: ours, or the clash of another. The venue must be asked.
			err = retry.Mark(err, retry.Ambiguous)
		}
		return resp, err
	})
}

// find asks for an order by its client id. It returns nil without an error if the venue says that it
// has none, which proves nothing by itself.
func (c *client) find(ctx context.Context, o *order) (*binance.Order, error) {
	return retry.Do(ctx, c.query, func(ctx context.Context) (found *binance.Order, err error) {
		v, err := attempt(ctx, func(ctx context.Context) error {
			found, err = c.signed.NewGetOrderService().Symbol(o.symbol).OrigClientOrderID(o.id).Do(ctx, binance.WithRecvWindow(5000))
			return err
		})
		if v.code == codeNoSuchOrder {
			return nil, nil
		}
		return found, err
	})
}

// remove cancels an order by its client id. An order that is not open is no error: it may have been filled.
func (c *client) remove(ctx context.Context, o *order) error {
	return retry.Run(ctx, c.cancel, func(ctx context.Context) error {
		v, err := attempt(ctx, func(ctx context.Context) error {
			_, err := c.signed.NewCancelOrderService().Symbol(o.symbol).OrigClientOrderID(o.id).Do(ctx, binance.WithRecvWindow(5000))
			return err
		})
		if v.code == codeCancelFailed {
			return nil
		}
		return err
	})
}

// history counts the venue's orders by client id, for venues whose own ledger is out of reach.
func (c *client) history(ctx context.Context, symbol string, since time.Time) (map[string]int, error) {
	return retry.Do(ctx, c.query, func(ctx context.Context) (counts map[string]int, err error) {
		_, err = attempt(ctx, func(ctx context.Context) error {
			orders, err := c.signed.NewListOrdersService().Symbol(symbol).StartTime(since.UnixMilli()).Limit(1000).Do(ctx, binance.WithRecvWindow(5000))
			counts = make(map[string]int)
			for _, o := range orders {
				counts[o.ClientOrderID]++
			}
			return err
		})
		return counts, err
	})
}

func message(err error) string {
	if e, ok := errors.AsType[*common.APIError](err); ok {
		return e.Message
	}
	return ""
}
