package venue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
)

// session trades a little under storm, without waiting, and returns the log without its times.
func session(t *testing.T, seed uint64) string {
	t.Helper()
	v := New(Config{Seed: seed, ReplicaLag: time.Nanosecond, Limits: Limits{WeightPerMinute: Unlimited, OrdersPer10s: Unlimited}})
	faults, err := Preset("storm")
	if err != nil {
		t.Fatal(err)
	}
	for i := range faults {
		faults[i].Delay, faults[i].DelayMax = faults[i].Delay/1e6, faults[i].DelayMax/1e6
		switch faults[i].Kind {
		case PartialFills, TakeBalance: // what they do later would be done at a time of its own
			faults[i].Delay = 0
		case ReportFirst: // takes its time
			faults[i].Count, faults[i].Match.Nth = 1, 1
		}
	}
	add(t, v, faults...)
	for i := range 150 {
		ask(v, "POST", "order", fmt.Sprint(marketBuy, "m", i))
		ask(v, "POST", "order", "symbol=ETHUSDT side=SELL type=LIMIT timeInForce=GTC quantity=0.1 price=3000."+fmt.Sprint(i%10))
		ask(v, "DELETE", "order", fmt.Sprint("symbol=ETHUSDT orderId=", i))
		get(v, "depth?symbol=ETHUSDT")
	}
	log := v.Log(0)
	for i := range log {
		log[i].Time = time.Time{}
		if r := log[i].Request; r != nil {
			r.Arrival, r.Forwarded = time.Time{}, time.Time{}
		}
	}
	b, err := json.Marshal(log)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSameSeedSameLog(t *testing.T) {
	a, b := session(t, 5), session(t, 5)
	if a != b {
		t.Error("two runs with one seed differ")
	}
	if a == session(t, 6) {
		t.Error("two seeds give one log")
	}
}

// TestSameSeedSameBytes: where time is virtual the log repeats with its times.
func TestSameSeedSameBytes(t *testing.T) {
	run := func() (log []byte) {
		synctest.Test(t, func(t *testing.T) {
			v := New(Config{Seed: 9, FlowEvery: time.Second, ReplicaLag: time.Second})
			faults, _ := Preset("lossy")
			add(t, v, faults...)
			for i := range 50 {
				ask(v, "POST", "order", fmt.Sprint(marketBuy, i))
				time.Sleep(300 * time.Millisecond)
				ask(v, "GET", "order", fmt.Sprint("symbol=BTCUSDT origClientOrderId=", i))
			}
			log, _ = json.Marshal(v.Log(0))
		})
		return log
	}
	if !bytes.Equal(run(), run()) {
		t.Error("two runs in bubbles differ")
	}
}

func TestLogIsBounded(t *testing.T) {
	v := New(Config{KeepLog: 10})
	for range 25 {
		get(v, "ping")
	}
	log := v.Log(0)
	if len(log) != 10 || log[0].N != 16 || log[9].N != 25 {
		t.Errorf("%d entries from %d on; want 10 from 16 on", len(log), log[0].N)
	}
	if n := len(v.Log(24)); n != 1 {
		t.Errorf("%d entries after 24; want 1", n)
	}
	if n := len(v.Log(1<<64-1)) + len(v.Log(25)); n != 0 {
		t.Errorf("%d entries after the last", n)
	}
}

// TestManyClients is for the race detector.
func TestManyClients(t *testing.T) {
	v := New(Config{Limits: Limits{WeightPerMinute: Unlimited, OrdersPer10s: Unlimited}, KeepLog: 100})
	faults, _ := Preset("lossy")
	for i := range faults {
		faults[i].Delay, faults[i].DelayMax = 0, 0
	}
	add(t, v, faults...)
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			for i := range 50 {
				ask(v, "POST", "order", fmt.Sprint(marketBuy, c, "-", i))
				ask(v, "GET", "order", fmt.Sprint("symbol=BTCUSDT orderId=", i))
				ask(v, "GET", "rateLimit/order", "")
				if i%10 == 0 {
					v.Oracle().Check()
					v.Log(0)
					v.Faults.List()
				}
			}
		})
	}
	wg.Wait()
	sound(t, v)
	if o := v.Oracle(); !o.Check().Pass || o.Totals.Requests != 8*150 {
		t.Errorf("%+v %+v", o.Totals, o.Check())
	}
}

func TestCloseReleasesHeldRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, f := range []Fault{
			{Kind: Hold, Delay: time.Minute}, {Kind: Delay, Delay: time.Minute}, {Kind: Drop, Delay: time.Minute},
			{Kind: LateAnswer, Delay: time.Minute}, {Kind: AcceptDropAnswer, Delay: time.Minute},
		} {
			v := New(Config{})
			add(t, v, f)
			var got response
			start := time.Now()
			var wg sync.WaitGroup
			wg.Go(func() { got = ask(v, "POST", "order", restingBid+"a") })
			synctest.Wait()
			v.Close()
			v.Close()
			wg.Wait()
			if !got.cut || time.Since(start) != 0 {
				t.Errorf("%s: %+v after %v; want the connection cut at once", f.Kind, got, time.Since(start))
			}
			if r := get(v, "ping"); !r.cut {
				t.Errorf("request after Close: %d", r.status)
			}
		}
	})
}

func TestResetForgetsRequestsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, f := range []Fault{{Kind: Hold, Delay: time.Second}, {Kind: BadGateway, Reached: true, Delay: time.Second}} {
			v := New(Config{GatewayDelay: time.Second})
			f.Count = 1
			add(t, v, f)
			var got response
			var wg sync.WaitGroup
			wg.Go(func() { got = ask(v, "POST", "order", restingBid+"a") })
			synctest.Wait()
			v.Reset(7)
			wg.Wait()
			if o := v.Oracle(); !got.cut || len(o.Orders) != 0 || o.Seed != 7 || len(v.Log(0)) != 0 {
				t.Errorf("%s: %+v, %+v; want the request gone and the venue empty", f.Kind, got, o)
			}
			if r := get(v, "ping"); f.Kind == BadGateway && r.status != 502 {
				t.Errorf("the rule did not begin anew: %d", r.status)
			}
		}
	})
}

// TestAnswerToNobodyIsNoAcknowledgement covers clients that leave before the answer and while it is written.
func TestAnswerToNobodyIsNoAcknowledgement(t *testing.T) {
	v := New(Config{})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	r := signed("POST", "/api/v3/order", restingBid+"a", DefaultKey, DefaultSecret)
	if got := send(v, r.WithContext(gone)); !got.cut {
		t.Errorf("client that left: %+v", got)
	}
	v.ServeHTTP(deafWriter{http.Header{}}, signed("POST", "/api/v3/order", restingBid+"b", DefaultKey, DefaultSecret))
	o := v.Oracle()
	if a, b := o.Orders["a"], o.Orders["b"]; a.VenueOrders != 1 || b.VenueOrders != 1 || a.Acknowledged || b.Acknowledged {
		t.Errorf("orders = %+v; want both placed, none acknowledged", o.Orders)
	}
	if log := v.Log(0); log[len(log)-1].Kind != EntryLost {
		t.Errorf("log ends with %+v; want lost", log[len(log)-1])
	}
}

type deafWriter struct{ h http.Header }

func (w deafWriter) Header() http.Header       { return w.h }
func (w deafWriter) WriteHeader(int)           {}
func (w deafWriter) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestConfigValidate(t *testing.T) {
	if err := (Config{}).Validate(); err != nil {
		t.Errorf("zero Config: %v", err)
	}
	odd := Config{
		Symbols: []string{"btcusdt", "ETHUSDT", "ETHUSDT", "USDT", strings.Repeat("A", 20) + "USDT"},
		Markets: map[string]Market{
			"ETHUSDT": {Price: dec("-1"), Tick: dec("0.00001"), Step: dec("0.00001"), Volatility: 2},
			"NOUSDT":  {},
		},
		Accounts: []Account{{Balances: map[string]decimal.Decimal{"USDT": dec("-5")}}, {Secret: "x"}, {Key: DefaultKey}},
		Fee:      dec("1"), KeepLog: -1, MaxOrders: -1, ReplicaLag: time.Hour, GatewayDelay: -1, FlowEvery: -1,
		Limits: Limits{WeightPerMinute: -2, FirstBan: -1},
	}
	err := odd.Validate()
	for _, field := range []string{
		"Symbols: \"btcusdt\"", "Symbols: \"ETHUSDT\" is there twice", "Symbols: \"USDT\"", "Markets[ETHUSDT].Price", "Markets[ETHUSDT].Tick",
		"Markets[ETHUSDT]: MaxOpenOrders", "Markets: \"NOUSDT\"", "Accounts: -5", "Accounts: key \"\"", "Accounts: key \"" + DefaultKey,
		"Fee", "KeepLog", "MaxOrders", "ReplicaLag", "GatewayDelay", "FlowEvery", "Limits.WeightPerMinute", "Limits.FirstBan",
	} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("Validate does not mention %s in %v", field, err)
		}
	}
	v := New(odd)
	if r := get(v, "depth?symbol=ETHUSDT"); r.status != 200 {
		t.Errorf("odd Config: %s; want a venue that works", r.body)
	}
	if b := decode[accountView](t, ask(v, "GET", "account", "")).Balances; len(b) != 1 || b[0].Free != "0.00000000" {
		t.Errorf("balances = %+v", b)
	}
	again, err := v.cfg.complete()
	if err != nil || again.KeepLog != 10_000 {
		t.Errorf("a complete Config does not validate: %v", err)
	}
	free := New(Config{Fee: dec("-1"), Symbols: []string{"SOLUSDT", "ETHBTC", "BTCUSDT"}, Markets: map[string]Market{"SOLUSDT": {Price: dec("9999999")}}})
	a := decode[accountView](t, ask(free, "GET", "account", ""))
	if a.TakerCommission != 0 || len(a.Balances) != 4 || a.Balances[0] != (balanceView{"BTC", "100.00000000", "0.00000000"}) {
		t.Errorf("account = %+v; want no fee and four assets", a)
	}
}

func TestAdmin(t *testing.T) {
	v := New(Config{})
	ask(v, "POST", "order", marketBuy+"a")
	ask(v, "POST", "order", marketBuy+"a")
	admin := v.Admin()
	call := func(method, path, body string) (int, string) {
		w := httptest.NewRecorder()
		admin.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		return w.Code, w.Body.String()
	}
	for _, test := range []struct {
		method, path, body string
		status             int
		has                string
	}{
		{"GET", "/sim/oracle", "", 200, `"venueOrders":2`},
		{"GET", "/sim/oracle/check", "", 200, `"id":"I2","text":"at most one venue order per client id","pass":false`},
		{"GET", "/sim/log", "", 200, `{"n":1,`},
		{"GET", "/sim/log?since=1", "", 200, `{"n":2,`},
		{"GET", "/sim/log?since=x", "", 400, `{"error":"since: `},
		{"POST", "/sim/faults", `[{"kind":"drop","match":{"path":"/x"}}]`, 200, `"name":"drop-1"`},
		{"POST", "/sim/faults", `[{"kind":"drop","path":"/x"}]`, 400, "unknown field"},
		{"GET", "/sim/faults", "", 200, `"path":"/x"`},
		{"DELETE", "/sim/faults", "", 204, ""},
		{"GET", "/sim/faults", "", 200, "[]"},
		{"POST", "/sim/reset", `{"sed":1}`, 400, "unknown field"},
		{"POST", "/sim/reset", `{"seed":42}`, 200, `{"seed":42}`},
		{"GET", "/sim/oracle", "", 200, `"seed":42,"orders":{}`},
		{"POST", "/sim/reset", "", 200, `{"seed":42}`},
		{"POST", "/sim/reset", `{"seed":0}`, 200, `{"seed":1}`},
		{"GET", "/api/v3/ping", "", 404, ""},
	} {
		if status, body := call(test.method, test.path, test.body); status != test.status || !strings.Contains(body, test.has) {
			t.Errorf("%s %s %s = %d %s; want %d with %s", test.method, test.path, test.body, status, body, test.status, test.has)
		}
	}
	r := httptest.NewRequest("POST", "/sim/reset", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	if admin.ServeHTTP(w, r); w.Code != 403 {
		t.Errorf("reset from another page = %d; want 403", w.Code)
	}
	deaf := deafWriter{http.Header{}}
	get(v, "ping")
	get(v, "ping")
	admin.ServeHTTP(deaf, httptest.NewRequest("GET", "/sim/log", nil))
}
