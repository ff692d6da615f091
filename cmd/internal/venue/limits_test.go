package venue

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestWeightThenBan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{Limits: Limits{WeightPerMinute: 10, RefusalsUntilBan: 2}})
		for i := range 2 {
			if r := get(v, "depth?symbol=BTCUSDT"); r.status != 200 || r.header.Get("X-MBX-USED-WEIGHT-1M") != fmt.Sprint(5*i+5) {
				t.Fatalf("depth %d: %d, weight %s", i, r.status, r.header.Get("X-MBX-USED-WEIGHT-1M"))
			}
		}
		if !v.Oracle().Check().Pass {
			t.Error("a client at its limit, not beyond, does not pass")
		}
		time.Sleep(20 * time.Second)
		for range 2 {
			if r := get(v, "ping"); r.status != 429 || r.code() != -1003 || r.header.Get("Retry-After") != "40" || !strings.Contains(r.body, "limit is 10 request weight per 1 MINUTE") {
				t.Errorf("ping beyond the limit: %d %v %s; want 429 for 40 s", r.status, r.header, r.body)
			}
		}
		r := get(v, "ping")
		until := time.Now().Add(2 * time.Minute)
		if r.status != 418 || r.header.Get("Retry-After") != "120" || !strings.Contains(r.body, fmt.Sprintf("IP banned until %d.", until.UnixMilli())) {
			t.Errorf("third refusal: %d %v %s; want a ban of 120 s", r.status, r.header, r.body)
		}
		o := v.Oracle()
		if i8, i9 := o.Check().Invariants[2], o.Check().Invariants[3]; !i8.Pass || i9.Pass || i9.Violations != 3 || o.Totals.PeakWeight != 13 {
			t.Errorf("%+v, %+v, peak %d; want I8 to hold, 3 violations of I9 and a peak of 13", i8, i9, o.Totals.PeakWeight)
		}
		time.Sleep(121 * time.Second)
		if r := get(v, "ping"); r.status != 200 {
			t.Errorf("after the ban: %d %s", r.status, r.body)
		}
	})
}

func TestProbingABanIsCaughtAndCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{Limits: Limits{WeightPerMinute: 1, RefusalsUntilBan: 1, FirstBan: time.Minute, MaxBan: 5 * time.Minute}})
		for range 3 {
			get(v, "ping")
		}
		for range 9 {
			time.Sleep(time.Second)
			get(v, "ping")
		}
		if r := get(v, "ping"); r.status != 418 || r.header.Get("Retry-After") != "120" {
			t.Errorf("tenth probe: %d %v; want a ban twice as long", r.status, r.header)
		}
		for range 200 {
			get(v, "ping")
		}
		if r := get(v, "ping"); r.header.Get("Retry-After") != "300" {
			t.Errorf("after many probes: %v; want the longest ban", r.header)
		}
		i8 := v.Oracle().Check().Invariants[2]
		if i8.ID != "I8" || i8.Pass || i8.Violations != 211 || len(i8.Events) != keepEvents || !strings.Contains(i8.Events[0], "GET /api/v3/ping") {
			t.Errorf("I8 = %+v", i8)
		}
		other := httptest.NewRequest("GET", "/api/v3/ping", nil)
		other.RemoteAddr = "10.0.0.2"
		if r := send(v, other); r.status != 200 {
			t.Errorf("another address: %d; want it unharmed", r.status)
		}
	})
}

func TestBansGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{Limits: Limits{WeightPerMinute: 1, RefusalsUntilBan: 1, FirstBan: time.Minute, MaxBan: 3 * time.Minute}})
		for _, want := range []string{"60", "120", "180", "180"} {
			var r response
			for range 3 {
				r = get(v, "ping")
			}
			if r.status != 418 || r.header.Get("Retry-After") != want {
				t.Errorf("ban: %d for %s s; want %s", r.status, r.header.Get("Retry-After"), want)
			}
			time.Sleep(181 * time.Second)
		}
	})
}

func TestRawRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{Limits: Limits{RequestsPer5Min: 2, RefusalsUntilBan: Unlimited, WeightPerMinute: Unlimited}})
		get(v, "ping")
		get(v, "ping")
		if r := get(v, "ping"); r.status != 429 || r.header.Get("Retry-After") != "300" {
			t.Errorf("third request: %d %v", r.status, r.header)
		}
		if o := v.Oracle(); !o.Check().Pass {
			t.Errorf("I9 speaks of weight, which is unlimited: %+v", o.Check())
		}
	})
}

func TestOrderCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{Limits: Limits{OrdersPer10s: 2}})
		for i := range 3 {
			ask(v, "POST", "order", fmt.Sprint(marketBuy, "m", i)) // filled orders give their count back
		}
		ask(v, "POST", "order", restingBid+"a")
		r := ask(v, "POST", "order", restingBid+"b")
		if r.header.Get("X-MBX-ORDER-COUNT-10S") != "2" || r.header.Get("X-MBX-ORDER-COUNT-1D") != "2" {
			t.Errorf("order counts = %v; want 2", r.header)
		}
		r = ask(v, "POST", "order", restingBid+"c")
		if r.status != 429 || r.code() != -1015 || r.header.Get("Retry-After") != "10" || r.header.Get("X-MBX-ORDER-COUNT-10S") != "" {
			t.Errorf("third unfilled order: %d %v %s; want -1015", r.status, r.header, r.body)
		}
		time.Sleep(10 * time.Second)
		if r := ask(v, "POST", "order", restingBid+"c"); r.status != 200 {
			t.Errorf("after 10 s: %s", r.body)
		}
		unlimited := New(Config{Limits: Limits{OrdersPer10s: Unlimited, OrdersPerDay: Unlimited}})
		if r := ask(unlimited, "GET", "rateLimit/order", ""); r.body != "[]" {
			t.Errorf("rate limits = %s; want none", r.body)
		}
	})
}

func TestAddressesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimits(Limits{WeightPerMinute: 10, RequestsPer5Min: 10}, nil, newLedger(Limits{}, 1000), time.Now())
		for i := range maxAddresses {
			_ = l.admit(&call{remote: fmt.Sprint(i)}, 1, time.Now())
		}
		time.Sleep(6 * time.Minute)
		_ = l.admit(&call{remote: "one more"}, 1, time.Now())
		if n := len(l.addresses); n != 1 {
			t.Errorf("%d addresses kept; want those idle forgotten", n)
		}
	})
}

func TestCosts(t *testing.T) {
	for _, test := range []struct {
		method, path, words string
		want                int
	}{
		{"GET", "/api/v3/depth", "limit=100", 5},
		{"GET", "/api/v3/depth", "limit=101", 25},
		{"GET", "/api/v3/depth", "limit=1000", 50},
		{"GET", "/api/v3/depth", "limit=1001", 250},
		{"GET", "/api/v3/openOrders", "", 80},
		{"GET", "/api/v3/openOrders", "symbol=BTCUSDT", 6},
		{"GET", "/api/v3/myTrades", "orderId=1", 5},
		{"GET", "/api/v3/myTrades", "", 20},
		{"GET", "/api/v3/order", "", 4},
		{"POST", "/api/v3/order", "", 1},
	} {
		if got := routes[test.path][test.method].cost(values(test.words)); got != test.want {
			t.Errorf("cost of %s %s %s = %d; want %d", test.method, test.path, test.words, got, test.want)
		}
	}
}
