package order_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/relent-go/relent/exchange/order"
)

func TestAlertsTellAll(t *testing.T) {
	first, second := &alarms{}, &alarms{}
	bubble(t, order.Rules{Venue: "venue"}, func(r *rig) {
		r.venue.plan = plan(trip{vanish: true})
		r.submit(limit(1))
		r.done(id(limit(1)), order.Parked)
	}, func(m *order.Machine) { m.Alert = order.Alerts{first, second} })
	if first.count(order.AlarmParked) != 1 || second.count(order.AlarmParked) != 1 {
		t.Errorf("%d and %d alarms; want one of each", first.count(order.AlarmParked), second.count(order.AlarmParked))
	}
}

// An alarm of the whole machine has no order.
func TestLogAlertOfTheMachine(t *testing.T) {
	var b strings.Builder
	was := slog.Default()
	defer slog.SetDefault(was)
	slog.SetDefault(slog.New(slog.NewTextHandler(&b, nil)))
	order.LogAlert{}.Raise(t.Context(), order.Alarm{Kind: order.AlarmLog, Text: "the lease is lost"})
	if got := b.String(); !strings.Contains(got, `level=ERROR msg="order alarm" kind=log venue="" account="" text="the lease is lost"`) {
		t.Errorf("logged %s", got)
	}
}

func ExampleLogAlert() {
	plain := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	alert := order.LogAlert{Logger: slog.New(slog.NewTextHandler(os.Stdout, plain))}
	scope := order.Scope{Venue: "binance", Account: "main", Prefix: "A1"}
	alert.Raise(context.Background(), order.Alarm{Kind: order.AlarmParked, Scope: scope, ID: "A1x", Symbol: "BTCUSDT", Side: order.Buy, State: order.Parked, Text: "look it up"})
	alert.Raise(context.Background(), order.Alarm{Kind: order.AlarmResolved, Scope: scope, ID: "A1x", Symbol: "BTCUSDT", Side: order.Buy, State: order.Abandoned, Text: "resolved by ann and bob"})
	// Output:
	// level=ERROR msg="order alarm" kind=parked venue=binance account=main id=A1x symbol=BTCUSDT side=buy state=parked text="look it up"
	// level=INFO msg="order alarm" kind=resolved venue=binance account=main id=A1x symbol=BTCUSDT side=buy state=abandoned text="resolved by ann and bob"
}
