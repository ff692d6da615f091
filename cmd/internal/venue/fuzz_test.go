package venue

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzRequest signs whatever it is given: no request makes the venue panic, answer 500 or lose money.
func FuzzRequest(f *testing.F) {
	f.Add("POST", "/api/v3/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1", "")
	f.Add("POST", "/api/v3/order", "", "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=FOK&quantity=0.5&price=61000&newClientOrderId=a")
	f.Add("POST", "/api/v3/order", "symbol=ETHUSDT&side=SELL&type=MARKET&quoteOrderQty=99999999999999999999.99999999", "")
	f.Add("POST", "/api/v3/order", "symbol=ETHUSDT&side=BUY&type=LIMIT_MAKER&quantity=9000&price=1000000&newOrderRespType=ACK", "")
	f.Add("DELETE", "/api/v3/order", "symbol=BTCUSDT&orderId=9223372036854775807", "origClientOrderId=x")
	f.Add("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=%00", "")
	f.Add("GET", "/api/v3/klines", "symbol=BTCUSDT&interval=1M&startTime=9223372036854775807&limit=9223372036854775807", "")
	f.Add("GET", "/api/v3/myTrades", "symbol=BTCUSDT&fromId=9223372036854775807&limit=1", "")
	f.Add("GET", "/api/v3/allOrders", "symbol=BTCUSDT&startTime=0&endTime=9223372036854775807", "")
	f.Add("GET", "/api/v3/exchangeInfo", `symbols=["BTCUSDT",null]`, "")
	f.Add("GET", "/api/v3/account", "recvWindow=0.000&timestamp=99999999999999999999&signature=&signature=1", "signature=")
	f.Add("PATCH", "/%ff", ";;&=", "%%%")
	v := New(Config{MaxOrders: 1000, Limits: Limits{WeightPerMinute: Unlimited, RequestsPer5Min: Unlimited, OrdersPer10s: Unlimited, OrdersPerDay: Unlimited}})
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		if method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			method = "POST"
		}
		signedWell := signed("GET", "/api/v3/account", "", DefaultKey, DefaultSecret)
		r := httptest.NewRequest(method, "/", strings.NewReader(body))
		r.URL = &url.URL{Path: path, RawQuery: query}
		r.Header.Set("X-MBX-APIKEY", DefaultKey)
		if rest, had := cutSignature(query); had == "" {
			stamp := signedWell.URL.Query().Get("timestamp")
			rest += "&timestamp=" + stamp
			r.URL.RawQuery = rest + "&signature=" + signature(rest+body, DefaultSecret)
		}
		got := send(v, r)
		if got.cut || got.status >= 500 || !json.Valid([]byte(got.body)) {
			t.Errorf("%s %s?%s %s = %+v", method, path, query, body, got)
		}
		sound(t, v)
	})
}

func FuzzDecodeFaults(f *testing.F) {
	f.Add(`[{"kind":"hold","delay":"1s","delayMax":"2s","match":{"probability":0.5,"after":"1h"}}]`)
	f.Add(`[{"kind":"drop","match":{"nth":99999999999}}]`)
	f.Fuzz(func(t *testing.T, text string) {
		faults, err := DecodeFaults(strings.NewReader(text))
		if err != nil {
			return
		}
		if _, err := json.Marshal(faults); err != nil {
			t.Errorf("cannot write back %q: %v", text, err)
		}
		for _, fault := range faults {
			if err := fault.Validate(); err != nil {
				t.Errorf("accepted %q: %v", text, err)
			}
		}
	})
}

// FuzzMessages says whatever it is given on both kinds of links: the venue answers or closes, and lives.
func FuzzMessages(f *testing.F) {
	f.Add(false, `{"method":"SUBSCRIBE","params":["btcusdt@depth","btcusdt@kline_1m"],"id":1}`)
	f.Add(false, `{"method":"UNSUBSCRIBE","params":[""],"id":"`+strings.Repeat("x", 100)+`"}`)
	f.Add(true, `{"id":1,"method":"order.place","params":{"symbol":"BTCUSDT","side":"BUY","quantity":1e99}}`)
	f.Add(true, `{"id":null,"method":"userDataStream.unsubscribe","params":{"a":[{}]}}`)
	f.Add(true, `{"id":1,"method":"depth","params":{"symbol":"BTCUSDT","limit":-1}}`)
	f.Add(true, `{"id":1,"method":"userDataStream.subscribe.signature","params":{"apiKey":"`+DefaultKey+`"}}`)
	f.Add(true, `{"method":"time","id":{}}`)
	f.Add(true, `null`)
	v := New(Config{MaxOrders: 1000, Pulse: time.Minute, Limits: Limits{WeightPerMinute: Unlimited, RequestsPer5Min: Unlimited}})
	f.Fuzz(func(t *testing.T, api bool, message string) {
		c := &call{remote: "192.0.2.1:1", path: "/ws"}
		if api {
			c.path = "/ws-api/v3"
		}
		v.number(c)
		l := v.newLink(c)
		v.open(c, l)
		defer v.leave(c.world, l, "done")
		if api {
			v.serveMessage(c.world, l, []byte(message))
		} else {
			v.mu.Lock()
			h := c.world.engine.hub
			h.answer(l, encode(h.command(l, []byte(message))))
			v.mu.Unlock()
		}
		for _, q := range l.queue {
			if !json.Valid(q.data) || strings.Contains(string(q.data), `"status":500`) {
				t.Errorf("%s = %s", message, q.data)
			}
		}
		sound(t, v)
	})
}

// FuzzAlpaca sends whatever it is given to the Alpaca interface.
func FuzzAlpaca(f *testing.F) {
	f.Add("POST", "orders", "", `{"symbol":"BTC/USD","qty":"1","side":"buy","type":"market","time_in_force":"day"}`)
	f.Add("POST", "orders", "", `{"symbol":"BTC/USD","notional":1e300,"side":"buy","type":"market"}`)
	f.Add("PATCH", "orders/x", "", `{"qty":"0.5"}`)
	f.Add("GET", "orders", "status=all&limit=-1&after=never&symbols=,,", "")
	f.Add("GET", "orders:by_client_order_id", "client_order_id=%00", "")
	f.Add("GET", "account/activities/FILL", "page_token=x&page_size=7&until=2020-01-01T00:00:00Z", "")
	f.Add("DELETE", "orders", "", "")
	v := New(Config{MaxOrders: 1000, Symbols: []string{"BTCUSD"}, Limits: Limits{WeightPerMinute: Unlimited, RequestsPer5Min: Unlimited, OrdersPer10s: Unlimited, OrdersPerDay: Unlimited}})
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		if method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			method = "POST"
		}
		if isFeed(alpacaPrefix + path) {
			return
		}
		r := httptest.NewRequest(method, "/", strings.NewReader(body))
		r.URL = &url.URL{Path: alpacaPrefix + path, RawQuery: query}
		r.Header.Set("APCA-API-KEY-ID", DefaultKey)
		r.Header.Set("APCA-API-SECRET-KEY", DefaultSecret)
		got := send(v, r)
		if got.cut || got.status >= 500 || got.body != "" && !json.Valid([]byte(got.body)) {
			t.Errorf("%s %s?%s %s = %+v", method, path, query, body, got)
		}
		sound(t, v)
	})
}
