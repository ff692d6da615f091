package alpacaorders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alpacahq/alpaca-trade-api-go/v3/alpaca"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/retry"
)

type answer func(r *http.Request, body string) (int, string)

func says(code int, body string) answer {
	return func(*http.Request, string) (int, string) { return code, body }
}

// open returns a venue whose far side gives these answers, by method and path.
func open(t *testing.T, answers map[string]answer) (*Venue, *[]string) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method+" "+r.URL.Path+" "+string(body))
		a := answers[r.Method+" "+r.URL.Path]
		if a == nil {
			a = says(http.StatusInternalServerError, `{"code":50010000,"message":"odd"}`)
		}
		code, text := a(r, string(body))
		w.WriteHeader(code)
		fmt.Fprint(w, text)
	}))
	t.Cleanup(server.Close)
	return &Venue{Options: alpaca.ClientOpts{BaseURL: server.URL, APIKey: "k", APISecret: "s"}}, &asked
}

const orderJSON = `{"id":"v7","client_order_id":"A1","created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:06Z","submitted_at":"2026-01-02T03:04:05Z",` +
	`"symbol":"AAPL","type":"limit","side":"buy","time_in_force":"gtc","status":"new","qty":"0.50","filled_qty":"0.1","limit_price":"100.10"}`

const gone = `{"code":40410000,"message":"order not found"}`

var limitTerms = order.Terms{Symbol: "AAPL", Side: order.Buy, Type: order.Limit, TIF: order.GTC, Quantity: "0.5", Price: "100.1"}

func same(t *testing.T, got, want any) {
	t.Helper()
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	if string(g) != string(w) {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

var placed = order.Report{
	Wire: "A1", VenueID: "v7", Status: order.StatusPartial, Terms: limitTerms, Executed: "0.1",
	Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), At: time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC),
}

func TestPlace(t *testing.T) {
	v, asked := open(t, map[string]answer{"POST /v2/orders": says(200, orderJSON)})
	r, err := v.Place(t.Context(), &order.Intent{Wire: "A1", Terms: limitTerms})
	if err != nil {
		t.Fatal(err)
	}
	same(t, r, placed)
	for _, want := range []string{`"client_order_id":"A1"`, `"qty":"0.5"`, `"limit_price":"100.1"`, `"time_in_force":"gtc"`, `"type":"limit"`, `"side":"buy"`} {
		if !strings.Contains((*asked)[0], want) {
			t.Errorf("sent %s; want %s", (*asked)[0], want)
		}
	}
	v, _ = open(t, nil)
	if _, err := v.Place(t.Context(), &order.Intent{Wire: "A1", Terms: limitTerms}); err == nil {
		t.Error("no error from a server that fails")
	}
}

// The SDK must neither send again after a 429 nor go on without the caller.
func TestSendsOnce(t *testing.T) {
	v, asked := open(t, map[string]answer{"POST /v2/orders": says(429, `{"code":42910000,"message":"slow down"}`)})
	if _, err := v.Place(t.Context(), &order.Intent{Wire: "A1", Terms: limitTerms}); err == nil || len(*asked) != 1 {
		t.Errorf("Place = %v after %d requests; want one", err, len(*asked))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Query(ctx, order.Ref{Wire: "A1"}); !errors.Is(err, context.Canceled) || len(*asked) != 1 {
		t.Errorf("Query = %v; want %v and no request", err, context.Canceled)
	}
	v.Transport = http.NewFileTransport(http.Dir(t.TempDir()))
	if _, err := v.Query(t.Context(), order.Ref{Wire: "A1"}); err == nil || len(*asked) != 1 {
		t.Errorf("Query = %v; want it through the transport given", err)
	}
}

func TestTerms(t *testing.T) {
	for name, edit := range map[string]func(*order.Terms){
		"post only":   func(t *order.Terms) { t.PostOnly = true },
		"reduce only": func(t *order.Terms) { t.ReduceOnly = true },
		"more":        func(t *order.Terms) { t.More = map[string]string{"a": "b"} },
		"odd numbers": func(t *order.Terms) { t.Quantity = "much" },
	} {
		v, asked := open(t, nil)
		terms := limitTerms
		edit(&terms)
		intent := &order.Intent{Wire: "A1", Terms: terms}
		_, err := v.Place(t.Context(), intent)
		_, err2 := v.Replace(t.Context(), order.Ref{VenueID: "v7"}, "", intent)
		if retry.DefaultClassify(err) != retry.Transient || retry.DefaultClassify(err2) != retry.Transient || len(*asked) != 0 {
			t.Errorf("%s: %v, %v and %d requests; want errors that say nothing was sent", name, err, err2, len(*asked))
		}
	}
	req, err := request(&order.Terms{Symbol: "AAPL", Side: order.Sell, Type: order.StopLimit, Quantity: "1", Price: "2", StopPrice: "3"})
	if err != nil || req.TimeInForce != alpaca.GTC || req.StopPrice.String() != "3" || req.Side != alpaca.Sell || req.Type != alpaca.StopLimit {
		t.Errorf("%+v, %v", req, err)
	}
}

func TestQuery(t *testing.T) {
	for _, test := range []struct {
		name   string
		code   int
		body   string
		status order.Status
		gone   bool
	}{
		{"found", 200, orderJSON, order.StatusPartial, false},
		{"not found", 404, gone, "", true},
		{"404 without the code", 404, `{"message":"no route"}`, "", false},
		{"404 in HTML", 404, `<html>`, "", false},
		{"the code with another status", 422, gone, "", false},
		{"an unknown status", 200, strings.Replace(orderJSON, `"new"`, `"odd"`, 1), "", false},
		{"an unknown side", 200, strings.Replace(orderJSON, `"buy"`, `"odd"`, 1), "", false},
		{"too many digits", 200, strings.Replace(orderJSON, `"0.50"`, `"0.`+strings.Repeat("1", 60)+`"`, 1), "", false},
		{"cut short", 200, orderJSON[:50], "", false},
	} {
		v, _ := open(t, map[string]answer{"GET /v2/orders:by_client_order_id": says(test.code, test.body)})
		r, err := v.Query(t.Context(), order.Ref{Wire: "A1"})
		if (err == nil) != (test.status != "") || errors.Is(err, order.ErrNotFound) != test.gone || err == nil && r.Status != test.status {
			t.Errorf("%s: %+v, %v", test.name, r, err)
		}
	}
}

func TestCancel(t *testing.T) {
	v, asked := open(t, map[string]answer{
		"GET /v2/orders:by_client_order_id": says(200, orderJSON),
		"DELETE /v2/orders/v7":              says(204, ""),
		"DELETE /v2/orders/v8":              says(422, `{"code":42210000,"message":"order is not cancelable"}`),
	})
	if err := v.Cancel(t.Context(), order.Ref{Wire: "A1"}, "c"); err != nil || len(*asked) != 2 {
		t.Errorf("Cancel = %v after %d requests; want 2", err, len(*asked))
	}
	if err := v.Cancel(t.Context(), order.Ref{Wire: "A1", VenueID: "v8"}, "c"); err == nil || len(*asked) != 3 {
		t.Errorf("Cancel = %v; want the refusal", err)
	}
	v, _ = open(t, map[string]answer{"GET /v2/orders:by_client_order_id": says(404, gone)})
	if err := v.Cancel(t.Context(), order.Ref{Wire: "A1"}, "c"); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("Cancel = %v; want not found", err)
	}
}

func TestReplace(t *testing.T) {
	v, asked := open(t, map[string]answer{"PATCH /v2/orders/v6": says(200, orderJSON)})
	intent := &order.Intent{Wire: "A1", Terms: limitTerms}
	legs, err := v.Replace(t.Context(), order.Ref{VenueID: "v6"}, "c", intent)
	if err != nil || legs.Old.Wire != "" || legs.New.VenueID != "v7" {
		t.Errorf("%+v, %v", legs, err)
	}
	if !strings.Contains((*asked)[0], `"client_order_id":"A1"`) {
		t.Errorf("sent %s", (*asked)[0])
	}
	if _, err := v.Replace(t.Context(), order.Ref{}, "c", intent); !errors.Is(err, order.ErrUnsupported) {
		t.Errorf("Replace = %v without an id", err)
	}
	if _, err := v.Replace(t.Context(), order.Ref{VenueID: "v9"}, "c", intent); err == nil {
		t.Error("no error from a server that fails")
	}
}

// Lists are read to their end, though pages overlap.
func TestPages(t *testing.T) {
	line := func(n int, at time.Time) string {
		return fmt.Sprintf(`{"id":"v%d","client_order_id":"c%d","submitted_at":%q,"symbol":"AAPL","type":"trailing_stop","side":"sell","time_in_force":"opg","status":"filled","filled_qty":"1"}`,
			n, n, at.Format(time.RFC3339))
	}
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	orders := func(apart time.Duration, total int) answer {
		return func(r *http.Request, _ string) (int, string) {
			after, _ := time.Parse(time.RFC3339, r.URL.Query().Get("after"))
			var lines []string
			for i := range total {
				if at := start.Add(time.Duration(i) * apart); at.After(after) && len(lines) < mostOrders {
					lines = append(lines, line(i, at))
				}
			}
			return 200, "[" + strings.Join(lines, ",") + "]"
		}
	}
	v, _ := open(t, map[string]answer{"GET /v2/orders": orders(time.Second/4, 1200)})
	if all, err := v.Finished(t.Context(), "AAPL", start); err != nil || len(all) != 1200 {
		t.Errorf("Finished: %d, %v; want 1200", len(all), err)
	}
	if all, err := v.Open(t.Context(), "AAPL"); err != nil || len(all) != 1200 {
		t.Errorf("Open: %d, %v; want 1200", len(all), err)
	}
	v, _ = open(t, map[string]answer{"GET /v2/orders": orders(0, 1200)})
	if _, err := v.Finished(t.Context(), "AAPL", start); !errors.Is(err, ErrPages) {
		t.Errorf("Finished = %v; want %v", err, ErrPages)
	}
	v, _ = open(t, map[string]answer{"GET /v2/orders": says(200, `[{"id":"v1","status":"odd"}]`)})
	if _, err := v.Open(t.Context(), "AAPL"); err == nil {
		t.Error("no error for an odd order")
	}
	v, _ = open(t, nil)
	if _, err := v.Open(t.Context(), "AAPL"); err == nil {
		t.Error("no error from a server that fails")
	}
}

func TestFills(t *testing.T) {
	line := func(n int, symbol string) string {
		return fmt.Sprintf(`{"id":"f%03d","activity_type":"FILL","transaction_time":"2026-01-02T03:04:05Z","order_id":"v7","symbol":%q,"side":"sell_short","qty":"2.0","price":"3"}`, n, symbol)
	}
	v, _ := open(t, map[string]answer{"GET /v2/account/activities": func(r *http.Request, _ string) (int, string) {
		var lines []string
		first := 0
		if token := r.URL.Query().Get("page_token"); token != "" {
			fmt.Sscanf(token, "f%03d", &first)
			first++
		}
		for i := first; i < 150 && len(lines) < mostActivities; i++ {
			lines = append(lines, line(i, []string{"AAPL", "MSFT"}[i%2]))
		}
		return 200, "[" + strings.Join(lines, ",") + "]"
	}})
	all, err := v.Fills(t.Context(), "AAPL", time.Unix(1, 0))
	if err != nil || len(all) != 75 {
		t.Fatalf("Fills: %d, %v; want 75", len(all), err)
	}
	same(t, all[74], order.Fill{Key: "f148", VenueID: "v7", Symbol: "AAPL", Side: order.Sell, Quantity: "2", Price: "3", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)})
	for name, body := range map[string]string{
		"without an id": `[{"activity_type":"FILL","order_id":"v7","symbol":"AAPL","side":"buy","qty":"2","price":"3"}]`,
		"odd side":      `[{"id":"1","activity_type":"FILL","order_id":"v7","symbol":"AAPL","side":"odd","qty":"2","price":"3"}]`,
		"no token":      "[" + strings.Repeat(`{"symbol":"X"},`, mostActivities-1) + `{"symbol":"X"}]`,
		"not JSON":      "<html>",
	} {
		v, _ := open(t, map[string]answer{"GET /v2/account/activities": says(200, body)})
		if _, err := v.Fills(t.Context(), "AAPL", time.Unix(1, 0)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestHolding(t *testing.T) {
	for _, test := range []struct {
		code int
		body string
		want order.Decimal
	}{
		{200, `{"symbol":"AAPL","qty":"-3.50"}`, "-3.5"},
		{404, `{"code":40410000,"message":"position does not exist"}`, "0"},
		{404, `<html>`, ""},
		{500, `{}`, ""},
	} {
		v, _ := open(t, map[string]answer{"GET /v2/positions/AAPL": says(test.code, test.body)})
		if got, err := v.Holding(t.Context(), "AAPL", true); got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%d %s: %s, %v; want %s", test.code, test.body, got, err, test.want)
		}
	}
}

func TestAssets(t *testing.T) {
	v, asked := open(t, nil)
	for symbol, want := range map[string][2]string{"AAPL": {}, "BTC/USD": {"BTC", "USD"}} {
		if base, quote, err := v.Assets(t.Context(), symbol); base != want[0] || quote != want[1] || err != nil || len(*asked) != 0 {
			t.Errorf("Assets(%s) = %q, %q, %v; want %q", symbol, base, quote, err, want)
		}
	}
}

func TestTime(t *testing.T) {
	v, _ := open(t, map[string]answer{"GET /v2/clock": says(200, `{"timestamp":"2026-01-02T03:04:05Z","is_open":true}`)})
	if at, err := v.Time(t.Context()); err != nil || at.Year() != 2026 {
		t.Errorf("Time = %v, %v", at, err)
	}
	v, _ = open(t, nil)
	if _, err := v.Time(t.Context()); err == nil {
		t.Error("no error without an answer")
	}
}

func TestCheck(t *testing.T) {
	if err := (&Venue{}).Check(); err != nil {
		t.Error(err)
	}
	err := (&Venue{Options: alpaca.ClientOpts{HTTPClient: http.DefaultClient, RetryLimit: 1, BaseURL: "venue"}}).Check()
	want := "Options.HTTPClient: is not used; set Transport\nOptions.RetryLimit: is not used; the machine decides about resends\n" +
		`Options.BaseURL: "venue" has no scheme, such as https://`
	if err == nil || err.Error() != want {
		t.Errorf("Check() = %v", err)
	}
}
