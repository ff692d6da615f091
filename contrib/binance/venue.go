package binanceorders

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/adshao/go-binance/v2"
	"github.com/adshao/go-binance/v2/common"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/retry"
)

// DefaultWindow is what a zero Venue.Window means.
const DefaultWindow = 2 * time.Second

// A Venue is the [order.Venue] of Binance spot. It also lists orders and fills, and knows balances. It is safe for
// concurrent use if the client's transport drops usage headers.
type Venue struct {
	Client *binance.Client
	Window time.Duration // for which orders and cancels are signed (recvWindow), 1 ms to 60 s; 0 means 2 s

	// Offset is what to add to this machine's clock to get the venue's: requests are signed by it. Nil leaves that to
	// Client.TimeOffset, which the SDK reads without a lock, and which therefore must not change.
	Offset func() time.Duration

	mu     sync.Mutex
	pairs  map[string]pair // of symbols; guarded by mu
	signer *binance.Client // a copy of Client with the offset that counts now; guarded by mu
}

var (
	_ order.Venue      = (*Venue)(nil)
	_ order.Lister     = (*Venue)(nil)
	_ order.FillReader = (*Venue)(nil)
	_ order.Holder     = (*Venue)(nil)
	_ order.Custodian  = (*Venue)(nil)
)

// A pair is the asset that a symbol trades, and the one it is paid with.
type pair struct{ base, quote string }

// orderDoesNotExist is the code that Binance documents for an order it does not find.
const orderDoesNotExist = -2013

// Time asks for the venue's time, for an [exchange.Clock].
func (v *Venue) Time(ctx context.Context) (time.Time, error) {
	ms, err := v.Client.NewServerTimeService().Do(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(ms), nil
}

// Place is of [order.Venue].
func (v *Venue) Place(ctx context.Context, o *order.Intent) (order.Report, error) {
	s, err := v.create(&o.Terms)
	if err != nil {
		return order.Report{}, retry.Mark(err, retry.Transient) // nothing was sent
	}
	res, err := s.NewClientOrderID(o.Wire).Do(ctx, v.window())
	if err != nil {
		return order.Report{}, err
	}
	return placed(res)
}

// create fills in the terms.
func (v *Venue) create(t *order.Terms) (*binance.CreateOrderService, error) {
	kind, tif, err := typeOf(t)
	if err != nil {
		return nil, err
	}
	s := v.sdk().NewCreateOrderService().Symbol(t.Symbol).Side(sideOf(t.Side)).Type(kind).
		Quantity(string(t.Quantity)).NewOrderRespType(binance.NewOrderRespTypeFULL)
	if tif != "" {
		s.TimeInForce(tif)
	}
	if t.Price != "" {
		s.Price(string(t.Price))
	}
	if t.StopPrice != "" {
		s.StopPrice(string(t.StopPrice))
	}
	return s, nil
}

// Query is of [order.Venue].
func (v *Venue) Query(ctx context.Context, r order.Ref) (order.Report, error) {
	res, err := v.sdk().NewGetOrderService().Symbol(r.Symbol).OrigClientOrderID(r.Wire).Do(ctx)
	var refusal *common.APIError
	switch {
	case errors.As(err, &refusal) && refusal.Code == orderDoesNotExist:
		return order.Report{}, fmt.Errorf("%w: %w", order.ErrNotFound, err)
	case err != nil:
		return order.Report{}, err
	}
	return reported(res)
}

// Cancel is of [order.Venue].
func (v *Venue) Cancel(ctx context.Context, r order.Ref, command string) error {
	_, err := v.sdk().NewCancelOrderService().Symbol(r.Symbol).OrigClientOrderID(r.Wire).NewClientOrderID(command).Do(ctx, v.window())
	return err
}

// Open is of [order.Lister].
func (v *Venue) Open(ctx context.Context, symbol string) ([]order.Report, error) {
	list, err := v.sdk().NewListOpenOrdersService().Symbol(symbol).Do(ctx)
	if err != nil {
		return nil, err
	}
	return reports(list, func(*order.Report) bool { return true })
}

// page is how many orders or fills Binance lists at one time.
const page = 1000

// Finished is of [order.Lister]. Binance lists orders by when they were placed: those that were placed before since and
// ended after it are not found, which is no loss to the proof of absence, since it asks from before the order was sent.
func (v *Venue) Finished(ctx context.Context, symbol string, since time.Time) (all []order.Report, err error) {
	list, err := v.sdk().NewListOrdersService().Symbol(symbol).StartTime(since.UnixMilli()).Limit(page).Do(ctx)
	for {
		if err != nil {
			return nil, err
		}
		ended, err2 := reports(list, func(r *order.Report) bool { return terminal[r.Status] })
		if err2 != nil {
			return nil, err2
		}
		all = append(all, ended...)
		if len(list) < page {
			return all, nil
		}
		list, err = v.sdk().NewListOrdersService().Symbol(symbol).OrderID(list[len(list)-1].OrderID + 1).Limit(page).Do(ctx)
	}
}

// Fills is of [order.FillReader].
func (v *Venue) Fills(ctx context.Context, symbol string, since time.Time) (all []order.Fill, err error) {
	list, err := v.sdk().NewListTradesService().Symbol(symbol).StartTime(since.UnixMilli()).Limit(page).Do(ctx)
	for {
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			f, err := filled(t)
			if err != nil {
				return nil, err
			}
			all = append(all, f)
		}
		if len(list) < page {
			return all, nil
		}
		list, err = v.sdk().NewListTradesService().Symbol(symbol).FromID(list[len(list)-1].ID + 1).Limit(page).Do(ctx)
	}
}

// Holding is of [order.Holder]: free and locked together. It always reads.
func (v *Venue) Holding(ctx context.Context, symbol string, _ bool) (order.Decimal, error) {
	base, _, err := v.Assets(ctx, symbol)
	if err != nil {
		return "", err
	}
	account, err := v.sdk().NewGetAccountService().Do(ctx)
	if err != nil {
		return "", err
	}
	for _, b := range account.Balances {
		if b.Asset != base {
			continue
		}
		var r reader
		held := r.number("free", b.Free).Add(r.number("locked", b.Locked))
		return held, r.err
	}
	return "0", nil
}

// Assets is of [order.Custodian]. It reads once for each symbol, for what it says never changes.
func (v *Venue) Assets(ctx context.Context, symbol string) (base, quote string, err error) {
	v.mu.Lock()
	p := v.pairs[symbol]
	v.mu.Unlock()
	if p.base != "" {
		return p.base, p.quote, nil
	}
	info, err := v.Client.NewExchangeInfoService().Symbol(symbol).Do(ctx)
	if err != nil {
		return "", "", err
	}
	for _, s := range info.Symbols {
		if s.Symbol == symbol && s.BaseAsset != "" {
			v.mu.Lock()
			defer v.mu.Unlock()
			if v.pairs == nil {
				v.pairs = make(map[string]pair)
			}
			v.pairs[symbol] = pair{s.BaseAsset, s.QuoteAsset}
			return s.BaseAsset, s.QuoteAsset, nil
		}
	}
	return "", "", fmt.Errorf("binance does not say which asset %s trades", symbol)
}

func (v *Venue) window() binance.RequestOption {
	w := v.Window
	if w == 0 {
		w = DefaultWindow
	}
	return binance.WithRecvWindow(max(1, min(w, time.Minute).Milliseconds()))
}

// Check returns all mistakes, joined, each beginning with its field's name, or nil.
func (v *Venue) Check() error {
	var errs []error
	if v.Client == nil {
		errs = append(errs, errors.New("Client: nil; give it one of go-binance"))
	}
	if v.Window < 0 || v.Window > time.Minute {
		errs = append(errs, fmt.Errorf("Window: %v is not between 1 ms and 60 s, and counts as the nearer of them", v.Window))
	}
	return errors.Join(errs...)
}

func id(n int64) string { return strconv.FormatInt(n, 10) }
