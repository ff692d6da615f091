package proof

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/adshao/go-binance/v2"
	"github.com/adshao/go-binance/v2/common"

	"github.com/relent-go/relent/cmd/internal/venue"
)

// A naive rule carries one buy out, and sends again by what it hears. Its answer is how many orders the intent has in the end
// counts at the venue.
type naive func(ctx context.Context, sdk *binance.Client, id string)

func send(ctx context.Context, sdk *binance.Client, id string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // the rules of the spec's table give up after 2 s
	defer cancel()
	_, err := sdk.NewCreateOrderService().Symbol("BTCUSDT").Side(binance.SideTypeBuy).Type(binance.OrderTypeMarket).
		Quantity("0.001").NewClientOrderID(id).Do(ctx, binance.WithRecvWindow(5000))
	return err
}

// refused says that the venue has answered that it did not take it.
func refused(err error) bool {
	var e *common.APIError
	return errors.As(err, &e) && e.Code != 0 && e.Code != -1006 && e.Code != -1007
}

var naives = map[string]naive{
	"a new id after 2 s": func(ctx context.Context, sdk *binance.Client, id string) {
		if err := send(ctx, sdk, id); err != nil && !refused(err) {
			_ = send(ctx, sdk, id+"-2")
		}
	},
	"the same id after 2 s": func(ctx context.Context, sdk *binance.Client, id string) {
		if err := send(ctx, sdk, id); err != nil && !refused(err) {
			_ = send(ctx, sdk, id)
		}
	},
	"one read, then the same id": func(ctx context.Context, sdk *binance.Client, id string) {
		if err := send(ctx, sdk, id); err != nil && !refused(err) {
			time.Sleep(100 * time.Millisecond)
			_, err := sdk.NewGetOrderService().Symbol("BTCUSDT").OrigClientOrderID(id).Do(ctx)
			var e *common.APIError
			if errors.As(err, &e) && e.Code == -2013 {
				_ = send(ctx, sdk, id)
			}
		}
	},
	blindly: func(ctx context.Context, sdk *binance.Client, id string) {
		if err := send(ctx, sdk, id); err != nil && !refused(err) {
			for _, pause := range []time.Duration{3 * time.Second, 2 * time.Second, 2 * time.Second, 2 * time.Second, 4 * time.Second} {
				time.Sleep(pause)
				if _, err := sdk.NewGetOrderService().Symbol("BTCUSDT").OrigClientOrderID(id).Do(ctx); err == nil {
					return
				}
			}
			_ = send(ctx, sdk, id)
		}
	},
}

// blindly waits for longer than any request is on its way, and makes duplicates where the query does not show what is filled.
const blindly = "five reads up to 13 s, then the same id, where the query is blind to closed orders"

// The judge can fail: the rules that people write make duplicates in the weathers in which the machine makes none.
func TestNaiveRules(t *testing.T) {
	for name, rule := range naives {
		total := 0
		for _, faults := range []string{"lossy", "late", "storm"} {
			synctest.Test(t, func(t *testing.T) {
				what, err := venue.NamedProfile("binance")
				if err != nil {
					t.Fatal(err)
				}
				if name == blindly {
					what.Visibility = venue.VisiblePendingOnly
				}
				v := venue.New(venue.Config{Seed: 1, Custom: &what})
				defer v.Close()
				rules, err := venue.Preset(faults)
				if err != nil {
					t.Fatal(err)
				}
				if err := v.Faults.Add(rules...); err != nil {
					t.Fatal(err)
				}
				sdk := newSDK(v.Client())
				const intents = 400
				for n := range intents {
					rule(t.Context(), sdk, fmt.Sprintf("n%014d", n))
				}
				time.Sleep(time.Minute) // what was held arrives
				twice, orders := 0, v.Oracle().Orders
				for n := range intents {
					id := fmt.Sprintf("n%014d", n)
					if orders[id].VenueOrders+orders[id+"-2"].VenueOrders > 1 {
						twice++
					}
				}
				t.Logf("%s: %d of %d intents twice under %s", name, twice, intents, faults)
				total += twice
			})
		}
		if total == 0 {
			t.Errorf("%s: no order twice: this venue could not catch anybody", name)
		}
	}
}
