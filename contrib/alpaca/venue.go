package alpacaorders

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/alpacahq/alpaca-trade-api-go/v3/alpaca"
	"github.com/shopspring/decimal"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/retry"
)

// A Venue is the [order.Venue] of Alpaca. It also lists orders and fills, knows positions, and replaces orders. It is
// safe for concurrent use.
type Venue struct {
	Options   alpaca.ClientOpts // HTTPClient and the retries are not used
	Transport http.RoundTripper // the exchange.Transport of the account; nil means http.DefaultTransport
}

var (
	_ order.Venue      = (*Venue)(nil)
	_ order.Lister     = (*Venue)(nil)
	_ order.FillReader = (*Venue)(nil)
	_ order.Holder     = (*Venue)(nil)
	_ order.Custodian  = (*Venue)(nil)
	_ order.Replacer   = (*Venue)(nil)
)

// notFound is the code that Alpaca documents for what it does not find.
const notFound = 40410000

// client returns one whose requests carry ctx, and which sends nothing by itself.
func (v *Venue) client(ctx context.Context) *alpaca.Client {
	o := v.Options
	o.RetryLimit = -1 // 0 means 3 there
	o.HTTPClient = &http.Client{Transport: bound{ctx, v.Transport}}
	return alpaca.NewClient(o)
}

// bound gives requests a context.
type bound struct {
	ctx  context.Context
	next http.RoundTripper
}

func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	next := b.next
	if next == nil {
		next = http.DefaultTransport
	}
	return next.RoundTrip(r.WithContext(b.ctx))
}

// Time asks for the venue's time, for an exchange.Clock.
func (v *Venue) Time(ctx context.Context) (time.Time, error) {
	c, err := v.client(ctx).GetClock()
	if err != nil {
		return time.Time{}, err
	}
	return c.Timestamp, nil
}

// Place is of [order.Venue].
func (v *Venue) Place(ctx context.Context, o *order.Intent) (order.Report, error) {
	req, err := request(&o.Terms)
	if err != nil {
		return order.Report{}, retry.Mark(err, retry.Transient) // nothing was sent
	}
	req.ClientOrderID = o.Wire
	res, err := v.client(ctx).PlaceOrder(req)
	if err != nil {
		return order.Report{}, err
	}
	return reported(res)
}

// request says in Alpaca's words what is wanted.
func request(t *order.Terms) (alpaca.PlaceOrderRequest, error) {
	switch {
	case t.PostOnly:
		return alpaca.PlaceOrderRequest{}, fmt.Errorf("%w: post-only orders", order.ErrUnsupported)
	case t.ReduceOnly:
		return alpaca.PlaceOrderRequest{}, fmt.Errorf("%w: reduce-only orders", order.ErrUnsupported)
	case len(t.More) > 0:
		return alpaca.PlaceOrderRequest{}, fmt.Errorf("%w: terms of Terms.More", order.ErrUnsupported)
	}
	tif := t.TIF
	if tif == "" {
		tif = order.GTC
	}
	req := alpaca.PlaceOrderRequest{
		Symbol: t.Symbol, Side: alpaca.Side(t.Side), Type: alpaca.OrderType(t.Type), TimeInForce: alpaca.TimeInForce(tif),
	}
	for _, n := range []struct {
		from order.Decimal
		to   **decimal.Decimal
	}{{t.Quantity, &req.Qty}, {t.Price, &req.LimitPrice}, {t.StopPrice, &req.StopPrice}} {
		d, err := number(n.from)
		if err != nil {
			return req, err
		}
		*n.to = d
	}
	return req, nil
}

// number is nil for a number that is not there.
func number(d order.Decimal) (*decimal.Decimal, error) {
	if d == "" {
		return nil, nil
	}
	n, err := decimal.NewFromString(string(d))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", order.ErrTerms, err)
	}
	return &n, nil
}

// Query is of [order.Venue].
func (v *Venue) Query(ctx context.Context, r order.Ref) (order.Report, error) {
	res, err := v.client(ctx).GetOrderByClientOrderID(r.Wire)
	if err != nil {
		return order.Report{}, missing(err)
	}
	return reported(res)
}

// missing marks the answer that the order is not there.
func missing(err error) error {
	var refusal *alpaca.APIError
	if errors.As(err, &refusal) && refusal.StatusCode == http.StatusNotFound && refusal.Code == notFound {
		return fmt.Errorf("%w: %w", order.ErrNotFound, err)
	}
	return err
}

// Cancel is of [order.Venue]. Alpaca cancels by its own id, which is read first if it is not known.
func (v *Venue) Cancel(ctx context.Context, r order.Ref, _ string) error {
	c := v.client(ctx)
	if r.VenueID == "" {
		o, err := c.GetOrderByClientOrderID(r.Wire)
		if err != nil {
			return missing(err)
		}
		r.VenueID = o.ID
	}
	return c.CancelOrder(r.VenueID)
}

// Replace is of [order.Replacer]. What became of the old order must be read: the answer speaks of the new one.
func (v *Venue) Replace(ctx context.Context, old order.Ref, _ string, o *order.Intent) (order.Legs, error) {
	wanted, err := request(&o.Terms)
	if err == nil && old.VenueID == "" {
		err = fmt.Errorf("%w: to replace an order whose id at Alpaca is not known", order.ErrUnsupported)
	}
	if err != nil {
		return order.Legs{}, retry.Mark(err, retry.Transient) // nothing was sent
	}
	res, err := v.client(ctx).ReplaceOrder(old.VenueID, alpaca.ReplaceOrderRequest{
		Qty: wanted.Qty, LimitPrice: wanted.LimitPrice, StopPrice: wanted.StopPrice,
		TimeInForce: wanted.TimeInForce, ClientOrderID: o.Wire,
	})
	if err != nil {
		return order.Legs{}, err
	}
	report, err := reported(res)
	return order.Legs{New: report}, err
}

// Check returns all mistakes, joined, each beginning with its field's name, or nil.
func (v *Venue) Check() error {
	var errs []error
	if v.Options.HTTPClient != nil {
		errs = append(errs, errors.New("Options.HTTPClient: is not used; set Transport"))
	}
	if v.Options.RetryLimit > 0 {
		errs = append(errs, errors.New("Options.RetryLimit: is not used; the machine decides about resends"))
	}
	if v.Options.BaseURL != "" && !strings.Contains(v.Options.BaseURL, "://") {
		errs = append(errs, fmt.Errorf("Options.BaseURL: %q has no scheme, such as https://", v.Options.BaseURL))
	}
	return errors.Join(errs...)
}
