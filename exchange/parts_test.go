package exchange

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRoutes(t *testing.T) {
	for _, test := range []struct {
		venue, method, path string
		kind                Kind
	}{
		{"binance", "POST", "/api/v3/order", Order}, {"binance", "POST", "/api/v3/order/", Order}, {"binance", "DELETE", "/api/v3/order", Cancel},
		{"binance", "POST", "/sim/api/v3/order", Order}, {"binance", "POST", "/api/v3/order/test", Read}, {"binance", "GET", "/api/v3/order", Verify},
		{"binance", "POST", "/api/v3/order/oco", Order}, {"binance", "", "/x", Read}, {"binance", "HEAD", "/x", Read}, {"binance", "PATCH", "/x", Order},
		{"alpaca", "DELETE", "/v2/orders/abc", Cancel}, {"alpaca", "DELETE", "/v2/orders", Cancel}, {"alpaca", "GET", "/alpaca/v2/orders:by_client_order_id", Verify},
		{"bitfinex", "POST", "/v2/auth/r/orders/tBTCUSD/hist", Verify}, {"bitfinex", "POST", "/v2/auth/r/wallets", Read}, {"bitfinex", "POST", "/v2/auth/w/order/submit", Order},
		{"bitfinex", "POST", "/v2/auth/w/transfer", Order},
		{"deribit", "GET", "/api/v2/private/buy", Order}, {"deribit", "POST", "/api/v2/public/anything", Read}, {"gate", "DELETE", "/api/v4/spot/orders/t-1", Cancel},
		{"coinbase", "GET", "/api/v3/brokerage/orders/historical/fills", Verify},
	} {
		if kind := mustLoad(t, test.venue).endpoint(test.method, test.path).kind; kind != test.kind {
			t.Errorf("%s %s %s is a %v; want %v", test.venue, test.method, test.path, kind, test.kind)
		}
	}
	if ends("orders", segments("/v2/orders")) || !ends("/orders", segments("/orders")) || ends("/v2/orders/", segments("/v2/orders/*")) || !ends("orders", segments("orders")) {
		t.Error("ends is wrong about short paths")
	}
	p := mustLoad(t, "binance")
	for i := range mostEndpoints + 10 {
		p.endpoint("GET", "/x/"+strings.Repeat("y", i))
	}
	if n := len(p.seen.known); n != mostEndpoints {
		t.Errorf("%d endpoints remembered; want %d", n, mostEndpoints)
	}
}

func TestCosts(t *testing.T) {
	for _, test := range []struct {
		venue, limit, method, path, query string
		want                              float64
	}{
		{"binance", "request_weight", "GET", "/api/v3/openOrders", "symbol=A", 6}, {"binance", "request_weight", "GET", "/api/v3/openOrders", "", 80},
		{"binance", "request_weight", "GET", "/api/v3/myTrades", "orderId=5", 5}, {"binance", "request_weight", "GET", "/api/v3/myTrades", "symbol=A", 20},
		{"binance", "request_weight", "GET", "/api/v3/depth", "limit=100", 5}, {"binance", "request_weight", "GET", "/api/v3/depth", "limit=101", 25},
		{"binance", "request_weight", "GET", "/api/v3/depth", "limit=5000", 250}, {"binance", "request_weight", "GET", "/api/v3/depth", "limit=9999", 250},
		{"binance", "request_weight", "GET", "/api/v3/depth", "", 250}, {"binance", "request_weight", "GET", "/api/v3/depth", "limit=-5", 250},
		{"binance", "request_weight", "GET", "/api/v3/unlisted", "", 250}, {"binance", "raw_requests", "GET", "/api/v3/unlisted", "", 1},
		{"deribit", "non_matching", "GET", "/api/v2/public/get_instruments", "", 10000}, {"deribit", "non_matching", "GET", "/api/v2/public/ticker", "", 500},
		{"kraken", "api_counter_starter", "POST", "/0/private/TradesHistory", "", 2}, {"kraken", "api_counter_starter", "POST", "/0/private/OpenOrders", "", 1},
		{"kraken", "trading_starter", "POST", "/0/private/EditOrder", "", 7}, {"kraken", "trading_starter", "POST", "/0/private/AmendOrder", "", 4},
	} {
		p := mustLoad(t, test.venue)
		r := &request{method: test.method, path: test.path, query: test.query, age: -1}
		found := false
		for _, e := range p.endpoint(test.method, test.path).draws {
			if p.draws[e.draw].limit.ID == test.limit {
				found = true
				if got := e.cost(r); got != test.want {
					t.Errorf("%s %s?%s costs %v; want %v", test.method, test.path, test.query, got, test.want)
				}
			}
		}
		if !found {
			t.Errorf("%s %s does not draw on %s", test.method, test.path, test.limit)
		}
	}
	p, err := parsePrice("Amend(<5s/<10s)", "1+3/2")
	if err != nil || p.at(7*time.Second) != 3 || p.at(time.Minute) != 1 || p.at(-1) != 4 {
		t.Errorf("%+v, %v; want 1 and 3 or 2 by age", p, err)
	}
	if p, _ := parsePrice("GET /x(symbol)", "4"); p.at(0) != 4 {
		t.Errorf("a price without ages is %v; want 4", p.at(0))
	}
	if _, err := parsePrice("X(<5s)", "1/2/3"); err != nil {
		t.Errorf("%v; want the dearest to count", err)
	}
	if _, err := parsePrice("X", "1/2"); err == nil {
		t.Error("two costs without ages were accepted")
	}
}

// A profile that does not say what draws on what lets all draw on all; paths narrow it.
func TestDraws(t *testing.T) {
	p := mustLoad(t, "binance")
	p.Wire.Draws = nil
	p.compile()
	if n := len(p.endpoint("GET", "/x").draws); n != 4 {
		t.Errorf("%d limits count; want all 4", n)
	}
	p.Wire.Draws = []Draw{{Limit: "request_weight", Paths: []string{"/a", "/b"}}, {Limit: "raw_requests", Except: []string{"/b"}}}
	p.compile()
	for path, want := range map[string]int{"/a": 2, "/b": 1, "/c": 1} {
		if n := len(p.endpoint("GET", path).draws); n != want {
			t.Errorf("%s draws on %d; want %d", path, n, want)
		}
	}
	// Among limits of one scope the nearest window counts.
	p.Rest.Limits = append(p.Rest.Limits, Limit{ID: "week", Scope: "account", Model: modelFixedUnfilled, Limit: number(7000), WindowMS: new(int64(7 * 86400000)), Fact: Fact{Confidence: Doc}})
	if got := p.limitOf(&p.Rest.Limits[3]); got != 100 {
		t.Errorf("orders_1d counts as %v; want a tenth of the weekly rate", got)
	}
	// OKX counts places and cancels apart, Gate each endpoint.
	for venue, want := range map[string]int{"okx": 2, "gate": 5} {
		l := &Limits{Profile: mustLoad(t, venue)}
		for _, r := range []request{{kind: Order, method: "POST", path: "/api/v5/trade/order"}, {kind: Cancel, method: "POST", path: "/api/v5/trade/cancel-order"}} {
			if venue == "gate" {
				r.path = map[Kind]string{Order: "/spot/orders", Cancel: "/spot/countdown_cancel_all"}[r.kind]
			}
			r.symbol = "X"
			if err := l.reserve(bg, &r, &grant{}); err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		for _, s := range l.Stats().Ledgers {
			if s.Limit != "subaccount_orders" {
				n++
			}
		}
		if n != want {
			t.Errorf("%s: %+v; want %d counts", venue, l.Stats().Ledgers, want)
		}
	}
}

func TestQueryValue(t *testing.T) {
	for query, want := range map[string]string{
		"a=1&b=2": "2", "b=2": "2", "%62=2": "2", "b=%20x": " x", "b=a+b": "a b", "b": "", "a=1": "-", "": "-", "%zz=1": "-", "b=%zz": "-", "+=1&b=3": "3",
	} {
		got, ok := queryValue(query, "b")
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("queryValue(%q) = %q; want %q", query, got, want)
		}
	}
}

// Where each venue's requests hold ids and deadlines.
func TestSendings(t *testing.T) {
	at := time.UnixMilli(1767225600000).UTC()
	for _, test := range []struct {
		venue, method, url, body, header string
		id, symbol                       string
		signed, deadline                 time.Time
	}{
		{"binance", "POST", orderURL, orderForm, "", "a1b2c3", "BTCUSDT", at, at.Add(1500 * time.Millisecond)},
		{"binance", "POST", host + "/api/v3/order", "newClientOrderId=x&timestamp=1767225600000", "", "x", "", at, at.Add(5 * time.Second)},
		{"binance", "POST", host + "/api/v3/order?timestamp=1767225600000&recvWindow=abc", "", "", "", "", at, at.Add(time.Minute)},
		{"binance", "POST", host + "/api/v3/order?timestamp=1767225600000&recvWindow=1000", "recvWindow=2000", "", "", "", at, at.Add(2 * time.Second)},
		{"binance", "POST", host + "/api/v3/order?timestamp=1767225600", "", "", "", "", time.Time{}, time.Time{}},
		{"binance", "DELETE", host + "/api/v3/order?symbol=A&origClientOrderId=b&timestamp=1767225600000", "", "", "b", "A", at, at.Add(5 * time.Second)},
		{"bybit", "POST", host + "/v5/order/create", `{"symbol":"A","orderLinkId":"x"}`, "X-BAPI-TIMESTAMP: 1767225600000", "x", "A", at, at.Add(5 * time.Second)},
		{"bybit", "POST", host + "/v5/order/create", `{"orderLinkId":"x"}`, "X-BAPI-TIMESTAMP: 1767225600000, X-BAPI-RECV-WINDOW: never", "x", "", at, time.Time{}},
		{"okx", "POST", host + "/api/v5/trade/order", `{"instId":"A","clOrdId":"x"}`, "OK-ACCESS-TIMESTAMP: 2026-01-01T00:00:00.000Z, expTime: 1767225602000", "x", "A", at, at.Add(2 * time.Second)},
		{"okx", "POST", host + "/api/v5/trade/order", `{"clOrdId":"x"}`, "OK-ACCESS-TIMESTAMP: 2026-01-01T00:00:00.000Z", "x", "", at, time.Time{}},
		{"deribit", "GET", host + "/api/v2/private/buy?label=l&valid_until=1767225602000&instrument_name=I", "", "", "l", "I", time.Time{}, at.Add(2 * time.Second)},
		{"deribit", "POST", host + "/api/v2/private/buy", `{"params":{"label":"l","valid_until":1767225602000}}`, "", "l", "", time.Time{}, at.Add(2 * time.Second)},
		{"gate", "DELETE", host + "/spot/orders/t-1?currency_pair=P", "", "Timestamp: 1767225600", "t-1", "P", at, time.Time{}},
		{"kraken", "POST", host + "/0/private/AddOrder", "cl_ord_id=x&deadline=2026-01-01T00:00:05Z", "", "x", "", time.Time{}, time.Time{}}, // a weak fence is none
		{"bitget", "POST", host + "/api/v2/spot/trade/place-order", `{"clientOid":"x","receiveWindow":"2000"}`, "ACCESS-TIMESTAMP: 1767225600000", "x", "", at, at.Add(2 * time.Second)},
		{"bitfinex", "POST", host + "/v2/auth/w/order/submit", ` {"cid":12345}`, "", "12345", "", time.Time{}, time.Time{}},
		{"binance", "POST", host + "/api/v3/order", `{"newClientOrderId":"x"}`, "", "", "", time.Time{}, time.Time{}}, // JSON is no form
	} {
		desk := &fakeDesk{}
		tr := &Transport{Profile: mustLoad(t, test.venue), Desk: desk, Base: baseFunc(func(r *http.Request) (*http.Response, error) { return reply(r, 200, "{}"), nil })}
		req, _ := http.NewRequest(test.method, test.url, strings.NewReader(test.body))
		for line := range strings.SplitSeq(test.header, ", ") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				req.Header.Set(name, value)
			}
		}
		if _, err := tr.RoundTrip(req); err != nil {
			t.Errorf("%s: %v", test.venue, err)
			continue
		}
		s := desk.begun[0]
		if s.ClientID != test.id || s.Symbol != test.symbol || !s.Signed.Equal(test.signed) || !s.Deadline.Equal(test.deadline) {
			t.Errorf("%s %s %q: %+v; want %q, %q, %v, %v", test.venue, test.url, test.body, s, test.id, test.symbol, test.signed, test.deadline)
		}
	}
}

func TestBanOf(t *testing.T) {
	for _, test := range []struct {
		venue   string
		status  int
		code    string
		least   time.Duration
		account bool
	}{
		{"binance", 418, "-1003", 2 * time.Minute, false}, {"binance", 403, "", leastBan, false}, {"bybit", 403, "", 10 * time.Minute, false},
		{"kraken", 200, "EGeneral:Temporary lockout", leastBan, false}, {"kucoin", 403, "", 5 * time.Minute, true}, {"bitget", 403, "", leastBan, false},
		{"okx", 403, "", leastBan, false}, {"kucoin", 999, "", leastBan, false},
	} {
		b := mustLoad(t, test.venue).table.ban(test.status, test.code, "")
		if b.least != test.least || strings.Contains(b.scope, "ip") == test.account {
			t.Errorf("%s %d: %+v; want %v", test.venue, test.status, b, test.least)
		}
	}
	if got := longest("2 minutes rising to 3 days"); got != 72*time.Hour {
		t.Errorf("longest = %v", got)
	}
	// A ban of one key is not one of others.
	desk := &fakeDesk{}
	tr := &Transport{Profile: mustLoad(t, "kucoin"), Account: "one", Desk: desk, Bans: &Bans{}, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
		resp := reply(r, 403, "")
		resp.Body = nil
		return resp, nil
	})}
	get(t.Context(), tr, host+"/x")
	if err := tr.Bans.Check(t.Context(), "kucoin", "two"); err != nil {
		t.Errorf("another account: %v", err)
	}
	if err := tr.Bans.Check(t.Context(), "kucoin", "one"); err == nil {
		t.Error("the account is not banned")
	}
}

func TestAgesAreBounded(t *testing.T) {
	a := ages{on: true}
	for i := range mostAges + 5 {
		a.note(Order, strings.Repeat("x", i+1), Exists, time.Now())
	}
	a.note(Order, "x", Unknown, time.Now())
	a.note(Order, strings.Repeat("x", mostAges+5), Exists, time.Now())
	if len(a.placed) != mostAges || a.of("x") != -1 || a.of(strings.Repeat("x", 10)) < 0 {
		t.Errorf("%d remembered; want %d, the youngest", len(a.placed), mostAges)
	}
}

func TestSmallThings(t *testing.T) {
	if got := floor(time.Unix(-1, 0), time.Minute); got != -1 {
		t.Errorf("floor before 1970 = %d; want -1", got)
	}
	if orNone(nil) != "" || stated(&Limit{}) != 0 {
		t.Error("what is not known is not nothing")
	}
	e := &LimitError{Venue: "v", Limit: "l", Reason: ErrLimited, After: time.Second}
	if got, want := e.Error(), "v: rate limit of the venue: l, room in 1s at the earliest"; got != want || e.RetryAfter() != time.Second {
		t.Errorf("Error() = %q; want %q", got, want)
	}
	for tree, want := range map[string]string{`[["a"],["b"]]`: "b", `["a","b"]`: "b", `{"1":"x"}`: "x", `["a"]`: "", `true`: "", `{"1":true}`: "true"} {
		v, _ := decode([]byte(tree))
		if got := first(v, paths([]string{"1"})); got != want {
			t.Errorf("first(%s) = %q; want %q", tree, got, want)
		}
	}
	for query, want := range map[string]string{
		"limit=5": "5", "a=1&limit=5&limit=6": "5", "limits=1&limit=5": "5", "b&limit": "", "xlimit=5": "", "a=%20&limit=5": "5",
		"a%20b=1&limit=a+b": "a b", "li%6dit=7": "7", "limit=%zz": "", "a=+": "", "": "",
	} {
		value, there := queryValue(query, "limit")
		if value != want || there != (want != "" || query == "b&limit") {
			t.Errorf("queryValue(%s) = %q, %v; want %q", query, value, there, want)
		}
	}
	for body, want := range map[string]bool{
		"{} \n": true, "[1]": true, "7": true, "": false, " ": false, "{}{}": false, "{}]": false, "{}}": false, "[1]]": false, "7}": false, "{},": false, "{}<": false,
	} {
		if _, ok := decode([]byte(body)); ok != want {
			t.Errorf("decode(%q) = %v; want %v", body, ok, want)
		}
	}
	r := &http.Request{Method: "POST"}
	freeze(r)
	if r.Header["content-length"] == nil {
		t.Error("a request without headers has no length")
	}
	n, err := r.Body.Read(nil)
	if n != 0 || err == nil || r.Body.Close() != nil {
		t.Error("a hollow body holds something")
	}
	r = &http.Request{Method: "POST", ContentLength: 5}
	freeze(r)
	if r.Body != nil {
		t.Error("net/http does not see the mistake")
	}
	if (&Transport{}).base() != http.DefaultTransport {
		t.Error("the base is another")
	}
	(&Transport{Profile: mustLoad(t, "binance"), Limits: &Limits{Profile: mustLoad(t, "binance")}}).Stats()
	if b := newBan(BanFact{Signal: "HTTP x / 403"}); len(b.statuses) != 0 {
		t.Errorf("statuses %v; want none", b.statuses)
	}
	if f := (Fact{Confidence: Design}); f.Trusted() {
		t.Error("a choice of ours is no fact")
	}
}

// The cuts of a body longer than what is looked at.
func TestLongAnswersToReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := `{"retCode":0,"result":"` + strings.Repeat("x", 2*peekFailure) + `"}`
		for _, status := range []int{200, 500} {
			tr := &Transport{Profile: mustLoad(t, "bybit"), Base: baseFunc(func(r *http.Request) (*http.Response, error) { return reply(r, status, long), nil })}
			req, _ := http.NewRequest("GET", host+"/v5/market/orderbook", nil)
			resp, err := tr.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			buf := make([]byte, 4096)
			for {
				n, err := resp.Body.Read(buf)
				b.Write(buf[:n])
				if err != nil {
					break
				}
			}
			if b.String() != long || resp.Body.Close() != nil {
				t.Errorf("%d: %d bytes; want all %d", status, b.Len(), len(long))
			}
		}
	})
}

func TestUnreadableBanFile(t *testing.T) {
	dir := t.TempDir()
	f := &FileBans{Path: filepath.Join(dir, "bans")}
	if err := f.Save(bg, Ban{Venue: "v", Until: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Load(bg); err != nil {
		t.Fatal(err)
	}
	if bans, err := f.Load(bg); err != nil || len(bans) != 1 { // from memory
		t.Errorf("Load = %v, %v", bans, err)
	}
	if err := os.Remove(f.Path); err != nil {
		t.Fatal(err)
	}
	if bans, err := f.Load(bg); err != nil || len(bans) != 0 {
		t.Errorf("Load = %v, %v; want none", bans, err)
	}
}
