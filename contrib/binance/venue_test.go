package binanceorders

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/adshao/go-binance/v2"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/retry"
)

// A fake answers what a test wants, and keeps what it was asked.
type fake struct {
	answers map[string]func(form url.Values) (int, string) // by method and path
	asked   []url.Values
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	if r.Method == http.MethodDelete { // whose form net/http leaves in the body
		r.Form = r.URL.Query()
	}
	f.asked = append(f.asked, r.Form)
	answer := f.answers[r.Method+" "+r.URL.Path]
	if answer == nil {
		http.Error(w, `{"code":-1121,"msg":"no such path"}`, http.StatusBadRequest)
		return
	}
	code, body := answer(r.Form)
	w.WriteHeader(code)
	fmt.Fprint(w, body)
}

func says(code int, body string) func(url.Values) (int, string) {
	return func(url.Values) (int, string) { return code, body }
}

func open(t *testing.T, answers map[string]func(url.Values) (int, string)) (*Venue, *fake) {
	f := &fake{answers: answers}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	client := binance.NewClient("key", "secret")
	client.BaseURL = server.URL
	return &Venue{Client: client}, f
}

const orderJSON = `{"symbol":"BTCUSDT","orderId":7,"clientOrderId":"A1","price":"100.10000000","origQty":"0.50000000","executedQty":"0.10000000",` +
	`"cummulativeQuoteQty":"10.0","status":"PARTIALLY_FILLED","timeInForce":"GTC","type":"LIMIT","side":"BUY","stopPrice":"0.00000000","time":1000,"updateTime":2000}`

var limitTerms = order.Terms{Symbol: "BTCUSDT", Side: order.Buy, Type: order.Limit, TIF: order.GTC, Quantity: "0.5", Price: "100.1"}

func TestPlace(t *testing.T) {
	v, f := open(t, map[string]func(url.Values) (int, string){"POST /api/v3/order": says(200,
		`{"symbol":"BTCUSDT","orderId":7,"clientOrderId":"A1","transactTime":1000,"price":"100.10000000","origQty":"0.50000000","executedQty":"0.10000000",`+
			`"status":"PARTIALLY_FILLED","timeInForce":"GTC","type":"LIMIT","side":"BUY","fills":[{"tradeId":3,"price":"100.0","qty":"0.1","commission":"0.001","commissionAsset":"BNB"}]}`)})
	r, err := v.Place(t.Context(), &order.Intent{Wire: "A1", Terms: limitTerms})
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1000)
	want := order.Report{Wire: "A1", VenueID: "7", Status: order.StatusPartial, Terms: limitTerms, Executed: "0.1", Created: at, At: at,
		Fills: []order.Fill{{Key: "BTCUSDT/3", Wire: "A1", VenueID: "7", Symbol: "BTCUSDT", Side: order.Buy, Quantity: "0.1", Price: "100", Fee: "0.001", FeeAsset: "BNB", At: at}}}
	same(t, r, want)
	q := f.asked[0]
	for name, value := range map[string]string{"newClientOrderId": "A1", "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
		"quantity": "0.5", "price": "100.1", "newOrderRespType": "FULL", "recvWindow": "2000"} {
		if q.Get(name) != value {
			t.Errorf("%s=%s; want %s", name, q.Get(name), value)
		}
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	if string(g) != string(w) {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

// What Binance has no word for is refused before anything is sent.
func TestTerms(t *testing.T) {
	base := order.Terms{Symbol: "BTCUSDT", Side: order.Sell, Quantity: "1"}
	for _, test := range []struct {
		name string
		edit func(*order.Terms)
		kind string
		tif  string // empty: not sent
		fail bool
	}{
		{"market", func(t *order.Terms) { t.Type = order.Market }, "MARKET", "", false},
		{"limit", func(t *order.Terms) { t.Type, t.Price = order.Limit, "2" }, "LIMIT", "GTC", false},
		{"immediate", func(t *order.Terms) { t.Type, t.Price, t.TIF = order.Limit, "2", order.IOC }, "LIMIT", "IOC", false},
		{"whole", func(t *order.Terms) { t.Type, t.Price, t.TIF = order.Limit, "2", order.FOK }, "LIMIT", "FOK", false},
		{"maker", func(t *order.Terms) { t.Type, t.Price, t.PostOnly = order.Limit, "2", true }, "LIMIT_MAKER", "", false},
		{"stop", func(t *order.Terms) { t.Type, t.StopPrice = order.Stop, "2" }, "STOP_LOSS", "", false},
		{"stop limit", func(t *order.Terms) { t.Type, t.Price, t.StopPrice = order.StopLimit, "2", "3" }, "STOP_LOSS_LIMIT", "GTC", false},
		{"day", func(t *order.Terms) { t.Type, t.Price, t.TIF = order.Limit, "2", order.Day }, "", "", true},
		{"reduce only", func(t *order.Terms) { t.Type, t.ReduceOnly = order.Market, true }, "", "", true},
		{"a stop that makes", func(t *order.Terms) { t.Type, t.StopPrice, t.Price, t.PostOnly = order.StopLimit, "2", "2", true }, "", "", true},
		{"unknown", func(t *order.Terms) { t.Type = "iceberg" }, "", "", true},
		{"more", func(t *order.Terms) { t.Type, t.More = order.Market, map[string]string{"a": "b"} }, "", "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, f := open(t, nil)
			terms := base
			test.edit(&terms)
			_, err := v.Place(t.Context(), &order.Intent{Wire: "A1", Terms: terms})
			if test.fail {
				if !errors.Is(err, order.ErrUnsupported) || retry.DefaultClassify(err) != retry.Transient || len(f.asked) != 0 {
					t.Errorf("Place = %v with %d requests; want none", err, len(f.asked))
				}
				return
			}
			q := f.asked[0]
			if q.Get("type") != test.kind || q.Get("timeInForce") != test.tif || q.Get("side") != "SELL" ||
				q.Get("price") != string(terms.Price) || q.Get("stopPrice") != string(terms.StopPrice) {
				t.Errorf("sent %v", q)
			}
		})
	}
}

func TestQuery(t *testing.T) {
	for _, test := range []struct {
		name   string
		code   int
		body   string
		status order.Status
		want   error // nil: any, if there is no status
	}{
		{"found", 200, orderJSON, order.StatusPartial, nil},
		{"not found", 400, `{"code":-2013,"msg":"Order does not exist."}`, "", order.ErrNotFound},
		{"another refusal", 400, `{"code":-1100,"msg":"Illegal characters"}`, "", nil},
		{"404 without a code", 404, `<html>`, "", nil},
		{"cut short", 200, orderJSON[:40], "", nil},
		{"an unknown status", 200, `{"orderId":7,"status":"ODD","side":"BUY","origQty":"1","executedQty":"0"}`, "", nil},
		{"an unknown side", 200, `{"orderId":7,"status":"NEW","side":"ODD","origQty":"1","executedQty":"0"}`, "", nil},
		{"not a number", 200, `{"orderId":7,"status":"NEW","side":"BUY","origQty":"1e3","executedQty":"0"}`, "", nil},
		{"empty", 200, `{}`, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, f := open(t, map[string]func(url.Values) (int, string){"GET /api/v3/order": says(test.code, test.body)})
			r, err := v.Query(t.Context(), order.Ref{Symbol: "BTCUSDT", Wire: "A1"})
			switch {
			case test.status != "" && (err != nil || r.Status != test.status):
				t.Errorf("Query = %+v, %v; want %s", r, err, test.status)
			case test.status == "" && err == nil:
				t.Errorf("Query = %+v; want an error", r)
			case test.status == "" && errors.Is(err, order.ErrNotFound) != (test.want == order.ErrNotFound):
				t.Errorf("Query = %v; want not found: %v", err, test.want != nil)
			}
			if q := f.asked[0]; q.Get("origClientOrderId") != "A1" || q.Get("symbol") != "BTCUSDT" {
				t.Errorf("asked %v", q)
			}
		})
	}
}

func TestReportedTerms(t *testing.T) {
	for kind, want := range map[string]order.Terms{
		"LIMIT":           {Symbol: "S", Side: order.Sell, Type: order.Limit, TIF: order.IOC, Quantity: "1", Price: "2", StopPrice: "3"},
		"LIMIT_MAKER":     {Symbol: "S", Side: order.Sell, Type: order.Limit, TIF: order.IOC, Quantity: "1", Price: "2", StopPrice: "3", PostOnly: true},
		"MARKET":          {Symbol: "S", Side: order.Sell, Type: order.Market, Quantity: "1", Price: "2", StopPrice: "3"},
		"STOP_LOSS":       {Symbol: "S", Side: order.Sell, Type: order.Stop, Quantity: "1", Price: "2", StopPrice: "3"},
		"STOP_LOSS_LIMIT": {Symbol: "S", Side: order.Sell, Type: order.StopLimit, TIF: order.IOC, Quantity: "1", Price: "2", StopPrice: "3"},
		"TAKE_PROFIT":     {Symbol: "S", Side: order.Sell, Quantity: "1", Price: "2", StopPrice: "3"},
	} {
		r, err := reported(&binance.Order{Symbol: "S", Side: "SELL", Type: binance.OrderType(kind), TimeInForce: "IOC", Status: "NEW",
			OrigQuantity: "1.0", ExecutedQuantity: "0", Price: "2.0", StopPrice: "3"})
		if err != nil {
			t.Error(err)
		}
		same(t, r.Terms, want)
	}
	r, _ := reported(&binance.Order{Side: "SELL", Type: "LIMIT", TimeInForce: "FOK", Status: "NEW", OrigQuantity: "1", ExecutedQuantity: "0"})
	same(t, r.Terms, order.Terms{Side: order.Sell, Type: order.Limit, TIF: order.FOK, Quantity: "1"})
}

func TestCancel(t *testing.T) {
	v, f := open(t, map[string]func(url.Values) (int, string){"DELETE /api/v3/order": says(200, `{"symbol":"BTCUSDT","status":"CANCELED"}`)})
	v.Window = time.Hour
	if err := v.Cancel(t.Context(), order.Ref{Symbol: "BTCUSDT", Wire: "A1"}, "C1"); err != nil {
		t.Fatal(err)
	}
	if q := f.asked[0]; q.Get("recvWindow") != "60000" {
		t.Errorf("signed for %s ms", q.Get("recvWindow"))
	}
	v, _ = open(t, map[string]func(url.Values) (int, string){"DELETE /api/v3/order": says(400, `{"code":-2011,"msg":"Unknown order sent."}`)})
	if err := v.Cancel(t.Context(), order.Ref{Symbol: "BTCUSDT", Wire: "A1"}, "C1"); err == nil || errors.Is(err, order.ErrNotFound) {
		t.Errorf("Cancel = %v; want the refusal, which proves nothing", err)
	}
}

// Lists are read to their end.
func TestPages(t *testing.T) {
	line := func(id int64, status string) string {
		return fmt.Sprintf(`{"symbol":"S","orderId":%d,"clientOrderId":"c%d","origQty":"1","executedQty":"1","status":%q,"side":"SELL","type":"MARKET"}`, id, id, status)
	}
	trade := func(id int64) string {
		return fmt.Sprintf(`{"symbol":"S","id":%d,"orderId":1,"qty":"1","price":"2","commission":"0","isBuyer":%v}`, id, id%2 == 0)
	}
	list := func(first, n int64, one func(int64) string) string {
		text := "["
		for i := range n {
			if i > 0 {
				text += ","
			}
			text += one(first + i)
		}
		return text + "]"
	}
	paged := func(from string, one func(int64) string) func(url.Values) (int, string) {
		return func(q url.Values) (int, string) {
			if q.Get(from) == "" {
				return 200, list(1, page, one)
			}
			first, _ := strconv.ParseInt(q.Get(from), 10, 64)
			return 200, list(first, 3, one)
		}
	}
	v, _ := open(t, map[string]func(url.Values) (int, string){
		"GET /api/v3/allOrders": paged("orderId", func(id int64) string {
			if id == 2 {
				return line(id, "NEW")
			}
			return line(id, "FILLED")
		}),
		"GET /api/v3/myTrades":   paged("fromId", trade),
		"GET /api/v3/openOrders": says(200, list(1, 2, func(id int64) string { return line(id, "NEW") })),
	})
	if all, err := v.Finished(t.Context(), "S", time.UnixMilli(1)); err != nil || len(all) != page+2 || all[len(all)-1].VenueID != "1003" {
		t.Errorf("Finished: %d, %v; want %d", len(all), err, page+2)
	}
	if all, err := v.Fills(t.Context(), "S", time.UnixMilli(1)); err != nil || len(all) != page+3 || all[0].Key != "S/1" || all[0].Side != order.Sell || all[1].Side != order.Buy {
		t.Errorf("Fills: %d, %v; want %d", len(all), err, page+3)
	}
	if all, err := v.Open(t.Context(), "S"); err != nil || len(all) != 2 {
		t.Errorf("Open: %d, %v; want 2", len(all), err)
	}
	odd := says(200, `[{"side":"ODD"}]`)
	v, _ = open(t, map[string]func(url.Values) (int, string){"GET /api/v3/allOrders": odd, "GET /api/v3/myTrades": odd, "GET /api/v3/openOrders": odd})
	fails(t, v)
	v, _ = open(t, nil)
	fails(t, v)
}

// fails wants an error from each method that reads.
func fails(t *testing.T, v *Venue) {
	t.Helper()
	_, err1 := v.Finished(t.Context(), "S", time.UnixMilli(1))
	_, err2 := v.Fills(t.Context(), "S", time.UnixMilli(1))
	_, err3 := v.Open(t.Context(), "S")
	_, err4 := v.Holding(t.Context(), "S", true)
	for i, err := range []error{err1, err2, err3, err4} {
		if err == nil {
			t.Errorf("read %d: no error", i)
		}
	}
}

func TestHolding(t *testing.T) {
	asked := 0
	v, _ := open(t, map[string]func(url.Values) (int, string){
		"GET /api/v3/exchangeInfo": func(q url.Values) (int, string) {
			asked++
			return 200, `{"symbols":[{"symbol":"BTCUSDT","baseAsset":"BTC","quoteAsset":"USDT"}]}`
		},
		"GET /api/v3/account": says(200, `{"balances":[{"asset":"USDT","free":"9","locked":"9"},{"asset":"BTC","free":"1.50","locked":"0.25"}]}`),
	})
	for range 2 {
		if held, err := v.Holding(t.Context(), "BTCUSDT", true); err != nil || held != "1.75" {
			t.Errorf("Holding = %s, %v; want 1.75", held, err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times what the symbol trades", asked)
	}
	if _, err := v.Holding(t.Context(), "ETHUSDT", true); err == nil {
		t.Error("a symbol that Binance does not know is held")
	}
	if base, quote, err := v.Assets(t.Context(), "BTCUSDT"); base != "BTC" || quote != "USDT" || err != nil || asked != 2 {
		t.Errorf("Assets = %q, %q, %v; want BTC, USDT, as read before", base, quote, err)
	}
	v.pairs["ETHUSDT"] = pair{"ETH", "USDT"}
	if held, err := v.Holding(t.Context(), "ETHUSDT", true); err != nil || held != "0" {
		t.Errorf("Holding = %s, %v; want 0", held, err)
	}
	v, _ = open(t, nil)
	v.pairs = map[string]pair{"S": {"S", "T"}}
	if _, err := v.Holding(t.Context(), "S", true); err == nil {
		t.Error("no error without an account")
	}
}

func TestTime(t *testing.T) {
	v, _ := open(t, map[string]func(url.Values) (int, string){"GET /api/v3/time": says(200, `{"serverTime":1234}`)})
	if at, err := v.Time(t.Context()); err != nil || at.UnixMilli() != 1234 {
		t.Errorf("Time = %v, %v", at, err)
	}
	v, _ = open(t, nil)
	if _, err := v.Time(t.Context()); err == nil {
		t.Error("no error without an answer")
	}
}

func TestCheck(t *testing.T) {
	if err := (&Venue{Client: &binance.Client{}}).Check(); err != nil {
		t.Error(err)
	}
	want := "Client: nil; give it one of go-binance\nWindow: -1ns is not between 1 ms and 60 s, and counts as the nearer of them"
	if err := (&Venue{Window: -1}).Check(); err == nil || err.Error() != want {
		t.Errorf("Check() = %v", err)
	}
}
