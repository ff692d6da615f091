package binanceorders

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/retry"
)

const newOrderJSON = `{"symbol":"BTCUSDT","orderId":8,"clientOrderId":"A2","transactTime":1000,"price":"100.10000000","origQty":"0.50000000","executedQty":"0.00000000",` +
	`"status":"NEW","timeInForce":"GTC","type":"LIMIT","side":"BUY","fills":[]}`

func TestReplace(t *testing.T) {
	v, f := open(t, map[string]func(url.Values) (int, string){"POST /api/v3/order/cancelReplace": says(200,
		`{"cancelResult":"SUCCESS","newOrderResult":"SUCCESS","cancelResponse":{"symbol":"BTCUSDT","origClientOrderId":"A1","clientOrderId":"C1","status":"CANCELED"},"newOrderResponse":`+newOrderJSON+`}`)})
	old := order.Ref{Wire: "A1", Symbol: "BTCUSDT"}
	legs, err := v.Replace(t.Context(), old, "C1", &order.Intent{Wire: "A2", Terms: limitTerms})
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1000)
	same(t, legs, order.Legs{New: order.Report{Wire: "A2", VenueID: "8", Status: order.StatusNew, Terms: limitTerms, Created: at, At: at}})
	for name, value := range map[string]string{"newClientOrderId": "A2", "cancelOrigClientOrderId": "A1", "cancelNewClientOrderId": "C1", "symbol": "BTCUSDT",
		"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.5", "price": "100.1", "cancelReplaceMode": "STOP_ON_FAILURE", "recvWindow": "2000"} {
		if got := f.asked[0].Get(name); got != value {
			t.Errorf("%s=%s; want %s", name, got, value)
		}
	}
	stop := order.Terms{Symbol: "BTCUSDT", Side: order.Sell, Type: order.Stop, Quantity: "1", StopPrice: "90"}
	if _, err := v.Replace(t.Context(), old, "C1", &order.Intent{Wire: "A2", Terms: stop}); err != nil || f.asked[1].Get("stopPrice") != "90" || f.asked[1].Get("price") != "" || f.asked[1].Get("timeInForce") != "" {
		t.Errorf("a stop was sent as %v, %v", f.asked[1], err)
	}
}

// What cannot be read is an error, and leaves both legs open; what is not sent says so.
func TestReplaceFails(t *testing.T) {
	for name, answer := range map[string]func(url.Values) (int, string){
		"half":              says(409, `{"code":-2021,"msg":"Order cancel-replace partially failed.","data":{"cancelResult":"SUCCESS","newOrderResult":"FAILURE"}}`),
		"without the order": says(200, `{"cancelResult":"SUCCESS","newOrderResult":"SUCCESS"}`),
		"odd":               says(200, `{"cancelResult":"SUCCESS","newOrderResult":"SUCCESS","newOrderResponse":{"status":"ODD"}}`),
	} {
		v, _ := open(t, map[string]func(url.Values) (int, string){"POST /api/v3/order/cancelReplace": answer})
		legs, err := v.Replace(t.Context(), order.Ref{Wire: "A1", Symbol: "BTCUSDT"}, "C1", &order.Intent{Wire: "A2", Terms: limitTerms})
		if err == nil || legs.Old.Status != "" || legs.OldErr != nil || legs.NewErr != nil {
			t.Errorf("%s: Replace = %+v, %v; want an error, and no word of either leg", name, legs, err)
		}
	}
	v, f := open(t, nil)
	day := limitTerms
	day.TIF = order.Day
	for _, i := range []order.Intent{{Terms: day}, {Terms: order.Terms{Symbol: "ETHUSDT", Type: order.Market}}} {
		if _, err := v.Replace(t.Context(), order.Ref{Symbol: "BTCUSDT"}, "C1", &i); !errors.Is(err, order.ErrUnsupported) || retry.DefaultClassify(err) != retry.Transient {
			t.Errorf("Replace = %v; want %v, as nothing was sent", err, order.ErrUnsupported)
		}
	}
	if len(f.asked) != 0 {
		t.Errorf("%d requests; want none", len(f.asked))
	}
}
