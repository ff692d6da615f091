package binanceorders

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/adshao/go-binance/v2"
	"github.com/adshao/go-binance/v2/common"

	"github.com/relent-go/relent/exchange/market"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/transport/retryws"
)

func TestMarketRequests(t *testing.T) {
	m := Market{URL: "ws://venue/ws"}
	r := &retryws.Request{ID: 7, Topics: []retryws.Topic{{Channel: "depth@100ms", Symbol: "BTCUSDT"}, {Channel: "trade", Symbol: "ETHUSDT"}}}
	sub, err := m.Subscribe(r)
	if want := `{"id":7,"method":"SUBSCRIBE","params":["btcusdt@depth@100ms","ethusdt@trade"]}`; err != nil || string(sub) != want {
		t.Errorf("Subscribe = %s, %v; want %s", sub, err, want)
	}
	un, err := m.Unsubscribe(r)
	if want := `{"id":7,"method":"UNSUBSCRIBE","params":["btcusdt@depth@100ms","ethusdt@trade"]}`; err != nil || string(un) != want {
		t.Errorf("Unsubscribe = %s, %v; want %s", un, err, want)
	}
	if auth, err := m.Auth(r); auth != nil || err != nil || m.Ping() != nil || m.Address(retryws.Credentials{}).URL != m.URL {
		t.Errorf("Auth = %s, %v, Ping %s", auth, err, m.Ping())
	}
}

func TestMarketMessages(t *testing.T) {
	topic := func(channel string) retryws.Topic { return retryws.Topic{Channel: channel, Symbol: "BTCUSDT"} }
	ms := time.UnixMilli(5)
	for _, test := range []struct {
		name, message string
		want          retryws.Frame
	}{
		{"depth", `{"e":"depthUpdate","E":5,"s":"BTCUSDT","U":3,"u":4,"b":[["1","2"]],"a":[]}`,
			retryws.Frame{Kind: retryws.Data, Topic: topic("depth@100ms"), First: 3, Last: 4, Time: ms}},
		{"trade", `{"e":"trade","E":5,"s":"BTCUSDT","t":9,"p":"1","q":"2","T":5,"m":true,"M":true}`,
			retryws.Frame{Kind: retryws.Data, Topic: topic("trade"), First: 9, Last: 9, Time: ms}},
		{"aggregate", `{"e":"aggTrade","E":5,"s":"BTCUSDT","a":9,"p":"1","q":"2","f":1,"l":2,"T":5,"m":true,"M":true}`,
			retryws.Frame{Kind: retryws.Data, Topic: topic("aggTrade"), First: 9, Last: 9, Time: ms}},
		{"candle", `{"e":"kline","E":5,"s":"BTCUSDT","k":{"t":1,"T":2,"s":"BTCUSDT","i":"1m","o":"1"}}`,
			retryws.Frame{Kind: retryws.Data, Topic: topic("kline_1m"), Time: ms}},
		{"best prices", `{"u":8,"s":"BTCUSDT","b":"1","B":"2","a":"3","A":"4"}`,
			retryws.Frame{Kind: retryws.Data, Topic: topic("bookTicker"), First: 8, Last: 8}},
		{"confirmed", `{"result":null,"id":3}`, retryws.Frame{Kind: retryws.Confirmed, ID: 3}},
		{"refused", `{"error":{"code":2,"msg":"too many streams"},"id":3}`, retryws.Frame{Kind: retryws.Refused, ID: 3, Text: "too many streams"}},
		{"shutdown", `{"e":"serverShutdown","E":5}`, retryws.Frame{Kind: retryws.Notice, Closing: true, Text: "serverShutdown"}},
		{"unknown", `{"e":"news","E":5,"s":"BTCUSDT"}`, retryws.Frame{}},
		{"candle without one", `{"e":"kline","E":5,"s":"BTCUSDT"}`, retryws.Frame{}},
		{"no JSON", `<html>`, retryws.Frame{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var f retryws.Frame
			if (Market{}).Classify([]byte(test.message), &f); !reflect.DeepEqual(f, test.want) {
				t.Errorf("got  %+v\nwant %+v", f, test.want)
			}
		})
	}
}

func TestUserRequests(t *testing.T) {
	u := &User{URL: "ws://venue/ws-api/v3", Key: "key", Secret: "secret", Now: func() time.Time { return time.UnixMilli(1234) }}
	sub, err := u.Subscribe(&retryws.Request{ID: 7})
	// The signature is that of: printf 'apiKey=key&timestamp=1234' | openssl dgst -sha256 -hmac secret
	want := `{"id":7,"method":"userDataStream.subscribe.signature","params":{"apiKey":"key",` +
		`"signature":"1e840a0c7fe38f2da0479542fdcb5260e16c008fb0bee54a133896b31391c43f","timestamp":1234}}`
	if err != nil || string(sub) != want {
		t.Errorf("Subscribe = %s, %v; want %s", sub, err, want)
	}
	if un, _ := u.Unsubscribe(&retryws.Request{ID: 8}); string(un) != `{"id":8,"method":"userDataStream.unsubscribe"}` {
		t.Errorf("Unsubscribe = %s", un)
	}
	if auth, err := u.Auth(nil); auth != nil || err != nil || u.Ping() != nil || u.Address(retryws.Credentials{}).URL != u.URL {
		t.Error("a message that the venue does not ask for")
	}
	if sub, err := (&User{}).Subscribe(&retryws.Request{ID: 1}); err != nil || len(sub) == 0 {
		t.Errorf("by this machine's clock: %s, %v", sub, err)
	}
}

func TestUserMessages(t *testing.T) {
	for _, test := range []struct {
		name, message string
		want          retryws.Frame
	}{
		{"execution", `{"subscriptionId":0,"event":{"e":"executionReport","E":5,"s":"BTCUSDT","S":"BUY","i":3,"I":77}}`,
			retryws.Frame{Kind: retryws.Data, Topic: UserTopic, Key: "BTCUSDT/77", Time: time.UnixMilli(5)}},
		{"balances", `{"subscriptionId":0,"event":{"e":"outboundAccountPosition","E":5,"B":[]}}`,
			retryws.Frame{Kind: retryws.Data, Topic: UserTopic, Time: time.UnixMilli(5)}},
		{"terminated", `{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":5}}`,
			retryws.Frame{Kind: retryws.Fault, Sign: retryws.Lost, Text: "the venue ended the subscription"}},
		{"shutdown", `{"e":"serverShutdown","E":5}`, retryws.Frame{Kind: retryws.Notice, Closing: true, Text: "serverShutdown"}},
		{"shutdown as an event", `{"event":{"e":"serverShutdown","E":5}}`, retryws.Frame{Kind: retryws.Notice, Closing: true, Text: "serverShutdown"}},
		{"confirmed", `{"id":3,"status":200,"result":{"subscriptionId":0}}`, retryws.Frame{Kind: retryws.Confirmed, ID: 3}},
		{"clock", `{"id":3,"status":400,"error":{"code":-1021,"msg":"ahead"}}`, retryws.Frame{Kind: retryws.Fault, Sign: retryws.Lost, Text: "ahead"}},
		{"key", `{"id":3,"status":401,"error":{"code":-2015,"msg":"bad key"}}`, retryws.Frame{Kind: retryws.Fault, Sign: retryws.Unauthorized, Text: "bad key"}},
		{"pace", `{"id":3,"status":429,"error":{"code":-1003,"msg":"slow down","data":{"serverTime":1000,"retryAfter":3500}}}`,
			retryws.Frame{Kind: retryws.Fault, Sign: retryws.Throttled, Text: "slow down", After: 2500 * time.Millisecond}},
		{"ban", `{"id":3,"status":418,"error":{"code":-1003,"msg":"banned"}}`, retryws.Frame{Kind: retryws.Fault, Sign: retryws.Banned, Text: "banned"}},
		{"nothing known", `{"id":3}`, retryws.Frame{}},
		{"no JSON", `<html>`, retryws.Frame{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var f retryws.Frame
			if (&User{}).Classify([]byte(test.message), &f); !reflect.DeepEqual(f, test.want) {
				t.Errorf("got  %+v\nwant %+v", f, test.want)
			}
		})
	}
}

const traded = `{"subscriptionId":0,"event":{"e":"executionReport","E":9,"s":"BTCUSDT","c":"A1","C":"","S":"BUY","o":"LIMIT","f":"GTC","q":"0.50000000",` +
	`"p":"100.10000000","P":"0.00000000","F":"0.00000000","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":7,"I":12,"l":"0.10000000","L":"100.00000000",` +
	`"z":"0.10000000","Z":"10.0","n":"0.00010000","N":"BTC","t":3,"T":8,"O":5,"Q":"0"}}`

func TestExecution(t *testing.T) {
	r, ok, err := Execution([]byte(traded))
	want := order.Report{Wire: "A1", VenueID: "7", Status: order.StatusPartial, Terms: limitTerms, Executed: "0.1", Created: time.UnixMilli(5), At: time.UnixMilli(9),
		Fills: []order.Fill{{Key: "BTCUSDT/3", Wire: "A1", VenueID: "7", Symbol: "BTCUSDT", Side: order.Buy, Quantity: "0.1", Price: "100", Fee: "0.0001", FeeAsset: "BTC", At: time.UnixMilli(8)}}}
	if !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	same(t, r, want)
	for _, test := range []struct {
		name, message string
		wire, reason  string
		ok, fails     bool
	}{
		{"a cancel names the order as C", `{"event":{"e":"executionReport","s":"BTCUSDT","c":"cancel","C":"A1","S":"BUY","o":"LIMIT","f":"GTC","q":"1","p":"1","P":"0","x":"CANCELED","X":"CANCELED","i":7,"z":"0"}}`, "A1", "", true, false},
		{"a rejection has a reason", `{"event":{"e":"executionReport","s":"BTCUSDT","c":"A1","C":"","S":"BUY","o":"LIMIT","f":"GTC","q":"1","p":"1","P":"0","x":"REJECTED","X":"REJECTED","r":"INSUFFICIENT_BALANCES","i":7,"z":"0"}}`, "A1", "INSUFFICIENT_BALANCES", true, false},
		{"a status that is not known", `{"event":{"e":"executionReport","s":"BTCUSDT","S":"BUY","q":"1","p":"1","X":"ODD","z":"0"}}`, "", "", false, true},
		{"a number for a text", `{"event":{"e":"executionReport","q":1}}`, "", "", false, true},
		{"balances", `{"event":{"e":"outboundAccountPosition","B":[]}}`, "", "", false, false},
		{"another event of another form", `{"event":{"e":"listStatus","c":1}}`, "", "", false, false},
		{"an answer", `{"id":1,"status":200}`, "", "", false, false},
		{"no JSON", `<html>`, "", "", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, ok, err := Execution([]byte(test.message))
			if ok != test.ok || (err != nil) != test.fails {
				t.Fatalf("Execution = %v, %v; want %v, an error: %v", ok, err, test.ok, test.fails)
			}
			if ok && (r.Wire != test.wire || r.Reason != test.reason) {
				t.Errorf("wire %q, reason %q; want %q, %q", r.Wire, r.Reason, test.wire, test.reason)
			}
		})
	}
}

func TestSnapshot(t *testing.T) {
	level := func(price, quantity string) []common.PriceLevel {
		return []common.PriceLevel{{Price: price, Quantity: quantity}}
	}
	s, err := Snapshot("BTCUSDT", &binance.DepthResponse{LastUpdateID: 5, Bids: level("99.5", "1"), Asks: level("100.5", "2")})
	if err != nil || s.Symbol != "BTCUSDT" || s.ID != 5 || s.Bids[0].Price.String() != "99.5" || s.Asks[0].Quantity.String() != "2" {
		t.Errorf("Snapshot = %+v, %v", s, err)
	}
	for _, d := range []binance.DepthResponse{{Bids: level("x", "1")}, {Asks: level("1", "-1")}} {
		if _, err := Snapshot("BTCUSDT", &d); !errors.Is(err, market.ErrNumber) {
			t.Errorf("Snapshot(%+v) = %v; want %v", d, err, market.ErrNumber)
		}
	}
}

// Requests are signed by the venue's clock as it is now, with a client of its own for each offset.
func TestOffset(t *testing.T) {
	v := &Venue{Client: binance.NewClient("key", "secret")}
	if v.sdk() != v.Client {
		t.Error("without Offset it is not the client that was given")
	}
	offset := 2 * time.Second
	v.Offset = func() time.Duration { return offset }
	first := v.sdk()
	offset += 10 * time.Millisecond
	if first.TimeOffset != -2000 || v.Client.TimeOffset != 0 || v.sdk() != first {
		t.Errorf("TimeOffset %d, of the client itself %d", first.TimeOffset, v.Client.TimeOffset)
	}
	offset = -2 * time.Second
	if c := v.sdk(); c.TimeOffset != 2000 || first.TimeOffset != -2000 {
		t.Errorf("TimeOffset %d, of the client before %d", c.TimeOffset, first.TimeOffset)
	}
}
