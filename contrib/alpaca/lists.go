package alpacaorders

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/alpacahq/alpaca-trade-api-go/v3/alpaca"

	"github.com/relent-go/relent/exchange/order"
)

// How much Alpaca lists at one time.
const (
	mostOrders     = 500
	mostActivities = 100
)

// ErrPages says that a list could not be read to its end.
var ErrPages = errors.New("alpaca's list has more lines of one second than a page, and cannot be read to its end")

// Open is of [order.Lister].
func (v *Venue) Open(ctx context.Context, symbol string) ([]order.Report, error) {
	return v.list(ctx, "open", symbol, time.Time{})
}

// Finished is of [order.Lister]. Alpaca lists orders by when they were submitted: those that were submitted before since
// and ended after it are not found.
func (v *Venue) Finished(ctx context.Context, symbol string, since time.Time) ([]order.Report, error) {
	return v.list(ctx, "closed", symbol, since)
}

// list reads all pages, from the oldest on. The SDK asks by whole seconds, so pages overlap.
func (v *Venue) list(ctx context.Context, status, symbol string, since time.Time) (all []order.Report, err error) {
	c := v.client(ctx)
	seen := map[string]bool{}
	for {
		after := since
		if !after.IsZero() {
			after = after.Truncate(time.Second).Add(-time.Second)
		}
		page, err := c.GetOrders(alpaca.GetOrdersRequest{Status: status, Limit: mostOrders, After: after, Direction: "asc", Symbols: []string{symbol}})
		if err != nil {
			return nil, err
		}
		fresh := 0
		for i := range page {
			if o := &page[i]; !seen[o.ID] {
				seen[o.ID] = true
				fresh++
				r, err := reported(o)
				if err != nil {
					return nil, err
				}
				all = append(all, r)
			}
		}
		if len(page) < mostOrders {
			return all, nil
		}
		if fresh == 0 {
			return nil, ErrPages
		}
		since = page[len(page)-1].SubmittedAt
	}
}

// Fills is of [order.FillReader].
func (v *Venue) Fills(ctx context.Context, symbol string, since time.Time) (all []order.Fill, err error) {
	c := v.client(ctx)
	token := ""
	for {
		page, err := c.GetAccountActivities(alpaca.GetAccountActivitiesRequest{
			ActivityTypes: []string{"FILL"}, After: since, Direction: "asc", PageSize: mostActivities, PageToken: token,
		})
		if err != nil {
			return nil, err
		}
		for i := range page {
			if page[i].Symbol != symbol {
				continue
			}
			f, err := filled(&page[i])
			if err != nil {
				return nil, err
			}
			all = append(all, f)
		}
		if len(page) < mostActivities {
			return all, nil
		}
		if token = page[len(page)-1].ID; token == "" {
			return nil, fmt.Errorf("%w: an activity has no id", ErrPages)
		}
	}
}

// Assets is of [order.Custodian]. Fees of crypto are taken of what is bought, and fills do not tell them; a stock is a position.
func (v *Venue) Assets(_ context.Context, symbol string) (base, quote string, err error) {
	base, quote, crypto := strings.Cut(symbol, "/")
	if !crypto {
		return "", "", nil
	}
	return base, quote, nil
}

// Holding is of [order.Holder]: the position, negative if short. It always reads.
func (v *Venue) Holding(ctx context.Context, symbol string, _ bool) (order.Decimal, error) {
	p, err := v.client(ctx).GetPosition(symbol)
	if errors.Is(missing(err), order.ErrNotFound) {
		return "0", nil
	}
	if err != nil {
		return "", err
	}
	return order.ParseDecimal(p.Qty.String())
}
