package demo

import (
	"context"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/adshao/go-binance/v2"

	binanceorders "github.com/relent-go/relent/contrib/binance"
	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

const account = "main"

// A connection is how the demo reaches the venue by REST: one transport below three uses of the SDK.
type connection struct {
	base      *http.Transport
	limits    *exchange.Limits
	bans      *exchange.Bans
	transport *exchange.Transport // whose desk is the order machine

	orders  *adapter        // retried by the machine alone
	books   *binance.Client // with retries below the SDK, which never notices
	candles *binance.Client
}

func (r *run) connect(facts *exchange.Profile, bans exchange.BanStore) *connection {
	c := &connection{base: http.DefaultTransport.(*http.Transport).Clone()}
	c.base.MaxIdleConnsPerHost = 64
	c.limits = &exchange.Limits{Profile: facts, Clock: &r.clock.Clock}
	c.bans = &exchange.Bans{Store: bans}
	c.transport = &exchange.Transport{Base: c.base, Profile: facts, Account: account, Limits: c.limits, Bans: c.bans, Clock: &r.clock.Clock, DropUsage: true}
	sdk := func(t http.RoundTripper) *binance.Client {
		b := binance.NewClient(r.cfg.Key, r.cfg.Secret)
		b.BaseURL, b.HTTPClient, b.Logger = strings.TrimSuffix(r.cfg.URL, "/"), &http.Client{Transport: t}, log.New(io.Discard, "", 0)
		return b
	}
	c.books = sdk(&retryhttp.Transport{Base: c.transport, Policy: r.ops.book})
	c.candles = sdk(&retryhttp.Transport{Base: c.transport, Policy: r.ops.candles})
	c.orders = &adapter{run: r, Venue: &binanceorders.Venue{Client: sdk(c.transport), Window: window, Offset: r.clock.offset}}
	return c
}

// An adapter is that of contrib/binance, with each request as a call of an operation that people see. Orders and cancels are
// sent once; reads are tried again here, because what they prove does not depend on how often they were asked.
type adapter struct {
	*binanceorders.Venue
	run *run
}

// Place is of order.Venue.
func (a *adapter) Place(ctx context.Context, i *order.Intent) (order.Report, error) {
	report, v, err := once(ctx, a.run.ops.place, func(ctx context.Context) (order.Report, error) { return a.Venue.Place(ctx, i) })
	if err != nil && v.Outcome == exchange.Unknown && (v.Err != nil || v.Status != 0) {
		a.run.lost(i.ID, err)
	}
	for _, f := range report.Fills {
		a.run.balances.filled(f.Symbol, f.At)
	}
	return report, err
}

// Cancel is of order.Venue.
func (a *adapter) Cancel(ctx context.Context, r order.Ref, command string) error {
	_, _, err := once(ctx, a.run.ops.cancel, func(ctx context.Context) (struct{}, error) { return struct{}{}, a.Venue.Cancel(ctx, r, command) })
	return err
}

// once makes one call of an operation, and marks its error with what the transport saw.
func once[T any](ctx context.Context, s retry.Source, fn func(context.Context) (T, error)) (value T, v exchange.Verdict, err error) {
	ran := false
	_, refused := retry.Do(ctx, s, func(ctx context.Context) (T, error) {
		ran = true
		ctx, verdict := exchange.WithVerdict(ctx)
		value, err = fn(ctx)
		v = *verdict
		if err != nil && v.Status != 0 {
			return value, retry.MarkAfter(err, v.Class, v.After)
		}
		return value, err
	})
	if !ran {
		err = refused
	}
	return value, v, err
}
