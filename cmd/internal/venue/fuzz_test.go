package venue

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
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
