package venue

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRefusedParameters(t *testing.T) {
	v := New(Config{})
	const limitOrder = "symbol=BTCUSDT side=BUY type=LIMIT timeInForce=GTC quantity=0.01 price=1000 "
	for _, test := range []struct {
		method, path, words string
		code                int
	}{
		{"POST", "order", "side=BUY", -1102},
		{"POST", "order", "symbol=BTCEUR", -1121},
		{"POST", "order", "symbol=b%20tc", -1100},
		{"POST", "order", "symbol=BTCUSDT type=LIMIT", -1102},
		{"POST", "order", "symbol=BTCUSDT side=HOLD type=LIMIT", -1117},
		{"POST", "order", "symbol=BTCUSDT side=BUY type=STOP_LOSS", -1116},
		{"POST", "order", "symbol=BTCUSDT side=BUY type=LIMIT timeInForce=GTC quantity=1", -1102},
		{"POST", "order", limitOrder + "timeInForce=GTX", -1115},
		{"POST", "order", limitOrder + "quoteOrderQty=1", -1106},
		{"POST", "order", limitOrder + "stopPrice=1", -1106},
		{"POST", "order", limitOrder + "quantity=1e3", -1100},
		{"POST", "order", limitOrder + "price=-1", -1100},
		{"POST", "order", limitOrder + "price=1.", -1100},
		{"POST", "order", limitOrder + "price=.5", -1100},
		{"POST", "order", limitOrder + "price=1.123456789", -1111},
		{"POST", "order", limitOrder + "newClientOrderId=a/b", -1100},
		{"POST", "order", limitOrder + "newClientOrderId=" + strings.Repeat("a", 37), -1100},
		{"POST", "order", limitOrder + "newOrderRespType=SOME", -1130},
		{"POST", "order", limitOrder + "selfTradePreventionMode=EXPIRE_TAKER", -2010},
		{"POST", "order", "symbol=BTCUSDT side=BUY type=MARKET", -1102},
		{"POST", "order", "symbol=BTCUSDT side=BUY type=MARKET quantity=1 quoteOrderQty=1", -1128},
		{"POST", "order", "symbol=BTCUSDT side=BUY type=MARKET quantity=1 timeInForce=GTC", -1106},
		{"POST", "order", "symbol=BTCUSDT side=BUY type=LIMIT_MAKER quantity=1 price=1 timeInForce=GTC", -1106},
		{"GET", "order", "symbol=BTCUSDT", -1102},
		{"GET", "order", "orderId=1", -1102},
		{"GET", "order", "symbol=BTCUSDT orderId=x", -1100},
		{"GET", "order", "symbol=BTCUSDT orderId=+1", -1100},
		{"GET", "order", "symbol=BTCUSDT orderId=7", -2013},
		{"GET", "order", "symbol=BTCUSDT origClientOrderId=never", -2013},
		{"GET", "order", "symbol=BTCUSDT origClientOrderId=a/b", -1100},
		{"GET", "order", "symbol=BTCUSDT orderId=1 origClientOrderId=other", -2039},
		{"DELETE", "order", "symbol=BTCUSDT origClientOrderId=never", -2011},
		{"DELETE", "order", "orderId=1", -1102},
		{"DELETE", "order", "symbol=BTCUSDT orderId=1 newClientOrderId=a/b", -1100},
		{"DELETE", "order", "symbol=BTCUSDT orderId=1 cancelRestrictions=SOME", -1130},
		{"DELETE", "order", "symbol=BTCUSDT orderId=1 cancelRestrictions=ONLY_PARTIALLY_FILLED", -2011},
		{"GET", "openOrders", "symbol=NO", -1121},
		{"GET", "allOrders", "", -1102},
		{"GET", "allOrders", "symbol=BTCUSDT limit=0", -1130},
		{"GET", "allOrders", "symbol=BTCUSDT orderId=x", -1100},
		{"GET", "allOrders", "symbol=BTCUSDT startTime=x", -1100},
		{"GET", "allOrders", "symbol=BTCUSDT startTime=1 endTime=86400002", -1127},
		{"GET", "myTrades", "", -1102},
		{"GET", "myTrades", "symbol=BTCUSDT fromId=x", -1100},
		{"GET", "myTrades", "symbol=BTCUSDT orderId=x", -1100},
		{"GET", "myTrades", "symbol=BTCUSDT fromId=1 startTime=1", -1128},
		{"GET", "depth", "", -1102},
		{"GET", "depth", "symbol=BTCUSDT limit=x", -1100},
		{"GET", "trades", "symbol=NO", -1121},
		{"GET", "trades", "symbol=BTCUSDT limit=0", -1130},
		{"GET", "klines", "interval=1m", -1102},
		{"GET", "klines", "symbol=BTCUSDT", -1102},
		{"GET", "klines", "symbol=BTCUSDT interval=7m", -1120},
		{"GET", "klines", "symbol=BTCUSDT interval=1m timeZone=8", -1130},
		{"GET", "klines", "symbol=BTCUSDT interval=1m limit=0", -1130},
		{"GET", "klines", "symbol=BTCUSDT interval=1m endTime=x", -1100},
		{"GET", "exchangeInfo", "symbol=NO", -1121},
		{"GET", "exchangeInfo", "symbol=BTCUSDT symbols=[]", -1128},
		{"GET", "exchangeInfo", "symbols=BTCUSDT", -1100},
	} {
		if r := ask(v, "POST", "order", restingBid+"first"); r.status != 200 && r.code() != -2010 {
			t.Fatal(r.body)
		}
		if r := ask(v, test.method, test.path, test.words); r.code() != test.code || r.status != 400 {
			t.Errorf("%s %s %s = %d %s; want %d", test.method, test.path, test.words, r.status, r.body, test.code)
		}
		v.mu.Lock()
		v.world.limits.addresses = map[string]*address{}
		v.mu.Unlock()
	}
}

func TestPathsAndBodies(t *testing.T) {
	v := New(Config{})
	for _, test := range []struct {
		r      *http.Request
		status int
	}{
		{httptest.NewRequest("GET", "/", nil), 404},
		{httptest.NewRequest("GET", "/sim/oracle", nil), 404}, // never on the public listener
		{httptest.NewRequest("PUT", "/api/v3/order", nil), 405},
		{httptest.NewRequest("POST", "/api/v3/order", strings.NewReader(strings.Repeat("a", maxBody+1))), 413},
		{httptest.NewRequest("GET", "/api/v3/depth?symbol=BTCUSDT&limit=%zz", nil), 400},
		{httptest.NewRequest("GET", "/api/v3/depth?symbol=BTCUSDT&symbol=ETHUSDT&limit=5&limit=5", nil), 400},
	} {
		if got := send(v, test.r); got.status != test.status {
			t.Errorf("%s %s = %d %s; want %d", test.r.Method, test.r.URL, got.status, got.body, test.status)
		}
	}
	broken := httptest.NewRequest("POST", "/api/v3/order", brokenReader{})
	if got := send(v, broken); !got.cut {
		t.Errorf("request that broke off = %+v; want the connection cut", got)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, http.ErrBodyReadAfterClose }

func TestKeysAndSignatures(t *testing.T) {
	v := New(Config{})
	order := func(change func(*http.Request)) *http.Request {
		r := signed("POST", "/api/v3/order", restingBid+"a", DefaultKey, DefaultSecret)
		change(r)
		return r
	}
	for _, test := range []struct {
		name         string
		r            *http.Request
		status, code int
	}{
		{"no key", order(func(r *http.Request) { r.Header.Del("X-MBX-APIKEY") }), 401, -2014},
		{"another key", order(func(r *http.Request) { r.Header.Set("X-MBX-APIKEY", "x") }), 401, -2015},
		{"another secret", signed("POST", "/api/v3/order", restingBid+"a", DefaultKey, "x"), 400, -1022},
		{"a parameter added", order(func(r *http.Request) { r.URL.RawQuery += "&quantity=5" }), 400, -1022},
		{"no hex", order(func(r *http.Request) { r.URL.RawQuery = "timestamp=1&signature=zz" }), 400, -1022},
		{"no signature", order(func(r *http.Request) { r.URL.RawQuery = "timestamp=1" }), 400, -1102},
		{"a name that ends in signature", order(func(r *http.Request) { r.URL.RawQuery = "mysignature=1&asignature=2" }), 400, -1102},
		{"as it should be", order(func(*http.Request) {}), 200, 0},
	} {
		if got := send(v, test.r); got.status != test.status || got.code() != test.code {
			t.Errorf("%s: %d %s; want %d and %d", test.name, got.status, got.body, test.status, test.code)
		}
	}
}

func TestCutSignature(t *testing.T) {
	for _, test := range []struct{ raw, rest, signature string }{
		{"", "", ""},
		{"a=1", "a=1", ""},
		{"a=1&signature=x", "a=1", "x"},
		{"signature=x&a=1", "a=1", "x"},
		{"a=1&signature=x&b=2", "a=1&b=2", "x"},
		{"nosignature=1&signature=x", "nosignature=1", "x"},
		{"signature=x", "", "x"},
	} {
		if rest, signature := cutSignature(test.raw); rest != test.rest || signature != test.signature {
			t.Errorf("cutSignature(%q) = %q, %q; want %q, %q", test.raw, rest, signature, test.rest, test.signature)
		}
	}
}

func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{GatewayDelay: time.Second})
		for _, test := range []struct {
			name  string
			age   time.Duration // of the timestamp
			words string
			code  int
		}{
			{"fresh", 0, "", 0},
			{"in time at both checks", 4 * time.Second, "", 0},
			{"late at the engine", 4001 * time.Millisecond, "", -1021},
			{"late at arrival", 5001 * time.Millisecond, "", -1021},
			{"a wider window", 5001 * time.Millisecond, "recvWindow=7000", 0},
			{"a fraction", 0, "recvWindow=1000.5", 0},
			{"too fine a fraction", 0, "recvWindow=1000.0005", -1100},
			{"too wide a window", 0, "recvWindow=60001", -1131},
			{"from the future", -time.Second, "", -1021},
			{"almost from the future", -999 * time.Millisecond, "", 0},
			{"no time", 0, "timestamp=", -1102},
			{"not a time", 0, "timestamp=now", -1102},
			{"microseconds", 0, "000", 0},
		} {
			stamp := strconv.FormatInt(time.Now().Add(-test.age).UnixMilli(), 10)
			words := "timestamp=" + stamp + " " + test.words
			if test.words == "000" {
				words = "timestamp=" + stamp + "000"
			}
			if got := ask(v, "GET", "openOrders", words); got.code() != test.code {
				t.Errorf("%s: %s; want %d", test.name, got.body, test.code)
			}
		}
	})
}

// testStart is when every synctest bubble begins.
var testStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func TestAnswerForms(t *testing.T) {
	v := New(Config{})
	for _, test := range []struct {
		words  string
		has    string
		hasNot string
	}{
		{marketBuy + "a newOrderRespType=ACK", `"transactTime"`, `"status"`},
		{marketBuy + "b newOrderRespType=RESULT", `"status":"FILLED"`, `"fills"`},
		{marketBuy + "c newOrderRespType=FULL", `"fills":[{`, "null"},
		{marketBuy + "d", `"fills":[{`, "null"},
		{restingBid + "e", `"fills":[]`, "null"},
		{"symbol=BTCUSDT side=BUY type=LIMIT_MAKER quantity=0.01 price=1000", `"clientOrderId":"`, `"status"`},
	} {
		if got := ask(v, "POST", "order", test.words); got.status != 200 || !strings.Contains(got.body, test.has) || strings.Contains(got.body, test.hasNot) {
			t.Errorf("%s = %d %s; want %s and not %s", test.words, got.status, got.body, test.has, test.hasNot)
		}
	}
}

func TestHistories(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{})
		for _, id := range []string{"a", "b", "c", "d"} {
			ask(v, "POST", "order", marketBuy+id)
			time.Sleep(time.Second)
		}
		ids := func(path, words string) (out []int64) {
			for _, o := range decode[[]struct{ OrderID int64 }](t, ask(v, "GET", path, "symbol=BTCUSDT "+words)) {
				if n := len(out); n == 0 || out[n-1] != o.OrderID {
					out = append(out, o.OrderID)
				}
			}
			return out
		}
		at := func(name string, after time.Duration) string {
			return name + "=" + strconv.FormatInt(testStart.Add(after).UnixMilli(), 10) + " "
		}
		all := decode[[]ownTradeView](t, ask(v, "GET", "myTrades", "symbol=BTCUSDT"))
		lastOfB := ""
		for _, tr := range all {
			if tr.OrderID == 2 {
				lastOfB = strconv.FormatInt(tr.ID, 10)
			}
		}
		for _, test := range []struct {
			path, words string
			want        []int64
		}{
			{"allOrders", "", []int64{1, 2, 3, 4}},
			{"allOrders", "limit=2", []int64{3, 4}},
			{"allOrders", "orderId=2 limit=2", []int64{2, 3}},
			{"allOrders", at("startTime", time.Second), []int64{2, 3, 4}},
			{"allOrders", at("startTime", time.Second) + "limit=1", []int64{2}},
			{"allOrders", at("startTime", time.Second) + at("endTime", 2*time.Second), []int64{2, 3}},
			{"myTrades", "", []int64{1, 2, 3, 4}},
			{"myTrades", "orderId=3", []int64{3}},
			{"myTrades", "limit=1", []int64{4}},
			{"myTrades", "limit=1 fromId=" + lastOfB, []int64{2}},
			{"myTrades", at("endTime", time.Second), []int64{1, 2}},
		} {
			if got := ids(test.path, test.words); !equal(got, test.want) {
				t.Errorf("%s %s = orders %v; want %v", test.path, test.words, got, test.want)
			}
		}
		if got := decode[struct{ Balances []balanceView }](t, ask(v, "GET", "account", "")).Balances; len(got) != 3 || got[0].Asset != "BTC" {
			t.Errorf("balances = %+v", got)
		}
	})
}

func equal(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestKlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{FlowPerRequest: -1, FlowEvery: time.Second})
		for range 10 {
			get(v, "depth?symbol=BTCUSDT")
			time.Sleep(30 * time.Second)
		}
		rows := func(query string) [][]any {
			return decode[[][]any](t, get(v, "klines?symbol=BTCUSDT&"+query))
		}
		for _, test := range []struct {
			query string
			n     int
		}{
			{"interval=1m", 6},
			{"interval=1m&limit=2", 2},
			{"interval=1m&startTime=" + strconv.FormatInt(testStart.Add(3*time.Minute).UnixMilli(), 10), 3},
			{"interval=3m", 2},
			{"interval=1h&timeZone=0", 1},
			{"interval=1w", 1},
			{"interval=1M", 1},
			{"interval=1s", 301},
		} {
			if got := rows(test.query); len(got) != test.n || len(got[0]) != 12 {
				t.Errorf("klines?%s = %d rows %v; want %d", test.query, len(got), got, test.n)
			}
		}
		minutes, hour := rows("interval=1m"), rows("interval=1h")[0]
		sum := dec("0")
		for _, m := range minutes {
			sum = sum.Add(dec(m[5].(string)))
			if dec(m[2].(string)).Cmp(dec(m[3].(string))) < 0 || m[6].(float64)-m[0].(float64) != 59_999 {
				t.Errorf("candle %v", m)
			}
		}
		if !sum.Equal(dec(hour[5].(string))) || minutes[0][1] != hour[1] || minutes[5][4] != hour[4] {
			t.Errorf("hour %v is not the sum of %v", hour, minutes)
		}
		time.Sleep(72 * time.Hour) // gaps are flat candles, and memory is bounded
		if got := rows("interval=1m&limit=1000"); len(got) != 1000 || got[0][5] != "0.00000000" || got[0][4] == "0.00000000" {
			t.Errorf("%d candles after three idle days, the first %v", len(got), got[0])
		}
		if week := rows("interval=1w")[0]; time.UnixMilli(int64(week[0].(float64))).UTC().Weekday() != time.Monday {
			t.Errorf("week begins %v", week[0])
		}
	})
}

func TestTapeIsBounded(t *testing.T) {
	v := New(Config{FlowPerRequest: 10_000, Limits: Limits{WeightPerMinute: Unlimited}})
	get(v, "depth?symbol=BTCUSDT")
	list := decode[[]tradeView](t, get(v, "trades?symbol=BTCUSDT&limit=5000"))
	if len(list) != keepTrades || list[keepTrades-1].ID-list[0].ID != keepTrades-1 {
		t.Errorf("%d trades from %d on", len(list), list[0].ID)
	}
}
