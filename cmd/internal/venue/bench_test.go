package venue

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

func BenchmarkServe(b *testing.B) {
	open := Config{MaxOrders: 10_000_000, Limits: Limits{WeightPerMinute: Unlimited, RequestsPer5Min: Unlimited, OrdersPer10s: Unlimited, OrdersPerDay: Unlimited}}
	for _, bench := range []struct {
		name    string
		request func(i int) *http.Request
	}{
		{"ping", func(int) *http.Request { return httptest.NewRequest("GET", "/api/v3/ping", nil) }},
		{"depth", func(int) *http.Request {
			return httptest.NewRequest("GET", "/api/v3/depth?symbol=BTCUSDT&limit=20", nil)
		}},
		{"place", func(i int) *http.Request {
			words := "symbol=BTCUSDT side=" + []string{"BUY", "SELL"}[i%2] + " type=MARKET quantity=0.001 newClientOrderId="
			return signed("POST", "/api/v3/order", fmt.Sprint(words, i), DefaultKey, DefaultSecret)
		}},
		{"query", func(int) *http.Request {
			return signed("GET", "/api/v3/order", "symbol=BTCUSDT orderId=1", DefaultKey, DefaultSecret)
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			v := New(open)
			ask(v, "POST", "order", restingBid+"first")
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				if got := send(v, bench.request(i)); got.status != 200 {
					b.Fatalf("%+v", got)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}
