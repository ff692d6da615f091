package venue

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// alpacaAsk sends a request to the Alpaca interface in memory.
func alpacaAsk(t *testing.T, v *Venue, method, path, body string) response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://venue/alpaca/v2/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("APCA-API-KEY-ID", DefaultKey)
	r.Header.Set("APCA-API-SECRET-KEY", DefaultSecret)
	resp, err := v.Client().Do(r)
	if err != nil {
		return response{cut: true}
	}
	defer resp.Body.Close()
	var b strings.Builder
	_, err = bufio.NewReader(resp.Body).WriteTo(&b)
	return response{status: resp.StatusCode, header: resp.Header, body: b.String(), cut: err != nil}
}

const alpacaBid = `{"symbol":"BTC/USD","qty":"1","side":"buy","type":"limit","time_in_force":"gtc","limit_price":"1000","client_order_id":"`

func TestAlpacaRefusals(t *testing.T) {
	v := New(Config{Symbols: []string{"BTCUSD"}, MaxOrders: 5})
	defer v.Close()
	alpacaAsk(t, v, "POST", "orders", alpacaBid+`open"}`)
	alpacaAsk(t, v, "POST", "orders", alpacaBid+`done","unknown":1}`)
	open := decode[alpacaOrderView](t, alpacaAsk(t, v, "GET", "orders:by_client_order_id?client_order_id=open", ""))
	done := decode[alpacaOrderView](t, alpacaAsk(t, v, "GET", "orders:by_client_order_id?client_order_id=done", ""))
	alpacaAsk(t, v, "DELETE", "orders/"+done.ID, "")
	for _, test := range []struct {
		method, path, body string
		status, code       int
	}{
		{"POST", "orders", alpacaBid + `open"}`, 422, 40010001},
		{"POST", "orders", `{`, 422, 40010001},
		{"POST", "orders", `{"symbol":"BTC/USD","qty":1e99,"side":"buy","type":"market"}`, 422, 40010001},
		{"POST", "orders", `{"symbol":"DOGE","qty":1,"side":"buy","type":"market"}`, 422, 42210000},
		{"POST", "orders", `{"symbol":"BTC/USD","qty":1,"side":"buy","type":"market","stop_price":"1"}`, 422, 42210000},
		{"POST", "orders", `{"symbol":"BTC/USD","qty":1,"side":"up","type":"market"}`, 422, 40010001},
		{"GET", "orders/nonsense", "", 404, 40410000},
		{"GET", "orders/" + strings.Replace(open.ID, "-8000-", "-8001-", 1), "", 404, 40410000},
		{"DELETE", "orders/nonsense", "", 404, 40410000},
		{"DELETE", "orders/" + done.ID, "", 422, 42210000},
		{"PATCH", "orders/nonsense", `{}`, 404, 40410000},
		{"PATCH", "orders/" + done.ID, `{}`, 422, 42210000},
		{"PATCH", "orders/" + open.ID, `{"qty":"0"}`, 422, 42210000},
		{"PATCH", "orders/" + open.ID, `{"limit_price":"0.001"}`, 422, 40010001},
		{"PATCH", "orders/" + open.ID, `{"client_order_id":"open"}`, 422, 40010001},
		{"PATCH", "orders/" + open.ID, `{"qty":"8999"}`, 403, 40310000},
		{"GET", "orders?status=odd", "", 422, 40010001},
		{"GET", "orders?limit=0", "", 422, 40010001},
		{"GET", "orders?after=never", "", 422, 40010001},
		{"GET", "account/activities?page_size=x", "", 422, 40010001},
		{"GET", "account/activities?until=x", "", 422, 40010001},
		{"GET", "events/trades?since=x", "", 422, 40010001},
		{"GET", "nowhere", "", 404, 40410000},
		{"PUT", "clock", "", 405, 40500000},
	} {
		r := alpacaAsk(t, v, test.method, test.path, test.body)
		if r.status != test.status || r.code() != test.code {
			t.Errorf("%s %s %s = %d %s; want %d, %d", test.method, test.path, test.body, r.status, r.body, test.status, test.code)
		}
	}
	r, _ := http.NewRequest("GET", "http://venue/alpaca/v2/events/trades", nil)
	r.Header.Set("APCA-API-KEY-ID", DefaultKey)
	if resp, err := v.Client().Do(r); err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without the secret: %v, %v", resp, err)
	}
	if all := decode[[]alpacaCancelView](t, alpacaAsk(t, v, "DELETE", "orders", "")); len(all) != 1 || all[0].Body.Status != "canceled" {
		t.Errorf("cancel all = %+v", all)
	}
	sound(t, v)
}

func TestAlpacaFillsAndActivities(t *testing.T) {
	v := New(Config{Symbols: []string{"BTCUSD"}, Profile: "alpaca"})
	defer v.Close()
	add(t, v, Fault{Kind: PartialFills, Steps: []float64{0.25, 0.25}, Count: 1}, Fault{Kind: FillFirst, Steps: []float64{0.25}})
	o := decode[alpacaOrderView](t, alpacaAsk(t, v, "POST", "orders", alpacaBid+`a"}`))
	if o.Status != "partially_filled" || o.FilledQty != "0.5" || *o.FilledAvgPrice != "1000" {
		t.Errorf("order = %+v", o)
	}
	next := decode[alpacaOrderView](t, alpacaAsk(t, v, "PATCH", "orders/"+o.ID, `{"limit_price":"1001"}`))
	if *next.Qty != "0.25" || *next.Replaces != o.ID {
		t.Errorf("replacement = %+v; want what was left after the fill on its way", next)
	}
	if r := alpacaAsk(t, v, "POST", "orders", `{"symbol":"BTC/USD","qty":"100","side":"buy","type":"limit","limit_price":"50000","client_order_id":"dear"}`); r.status != 200 || !strings.Contains(r.body, `"status":"rejected"`) {
		t.Errorf("too dear, where an answer only accepts: %+v", r)
	}
	all := decode[[]alpacaActivityView](t, alpacaAsk(t, v, "GET", "account/activities/FILL?direction=asc", ""))
	if len(all) != 3 || all[0].Type != "partial_fill" || all[2].Cum != "0.75" || all[2].Leaves != "0.25" {
		t.Fatalf("activities = %+v", all)
	}
	rest := decode[[]alpacaActivityView](t, alpacaAsk(t, v, "GET", "account/activities?direction=asc&page_token="+all[1].ID, ""))
	if len(rest) != 1 || rest[0].ID != all[2].ID {
		t.Errorf("second page = %+v", rest)
	}
	sound(t, v)
}

// TestAlpacaEventsEnd: until ends the stream, and since_id goes on where another one left off.
func TestAlpacaEventsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{Symbols: []string{"BTCUSD"}})
		defer v.Close()
		start := time.Now()
		alpacaAsk(t, v, "POST", "orders", alpacaBid+`a"}`)
		alpacaAsk(t, v, "POST", "orders", alpacaBid+`b"}`)
		read := func(query string) (got []alpacaUpdate) {
			r := alpacaAsk(t, v, "GET", "events/trades?until="+time.Now().Add(time.Second).UTC().Format(time.RFC3339Nano)+query, "")
			for line := range strings.Lines(r.body) {
				if data, ok := strings.CutPrefix(line, "data: "); ok {
					var u alpacaUpdate
					if err := json.Unmarshal([]byte(data), &u); err != nil {
						t.Fatal(err)
					}
					got = append(got, u)
				}
			}
			return got
		}
		all := read("&since=" + start.UTC().Format(time.RFC3339Nano))
		if len(all) != 2 || all[0].Order.ClientOrderID != "a" || time.Since(start) != time.Second {
			t.Fatalf("%+v after %v", all, time.Since(start))
		}
		if rest := read("&since_id=" + all[0].EventID); len(rest) != 1 || rest[0].EventID != all[1].EventID {
			t.Errorf("after the first: %+v", rest)
		}
		if none := read(""); len(none) != 0 {
			t.Errorf("without since: %+v", none)
		}
	})
}
