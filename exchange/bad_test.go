package exchange

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
)

// What a venue should not answer, and does: an order is never taken for placed or refused by it, and nobody waits for long.
func TestBadAnswers(t *testing.T) {
	const (
		page  = "<html><head><title>502 Bad Gateway</title></head></html>"
		limit = `{"code":-1003,"msg":"Too much request weight used"}`
	)
	for _, test := range []struct {
		name    string
		status  int
		headers []string
		body    string
		cut     bool // the body ends in the middle
		order   Outcome
		class   retry.Class // of an order
		read    retry.Class
		most    time.Duration // that an answer may hold up the next request
		id      string        // of the order
	}{
		{name: "unknown code, known status", status: 400, body: `{"code":-99999,"msg":"new"}`, order: NotPlaced, class: retry.Permanent, read: retry.Permanent}, // "HTTP 4XX: the issue is on the sender's side", Binance spot REST docs
		{name: "unknown code in a 500", status: 500, body: `{"code":-99999,"msg":"new"}`, order: Unknown, class: retry.Ambiguous, read: retry.Transient},
		{name: "unknown code in a 200", status: 200, body: `{"code":-99999,"msg":"new"}`, order: Unknown, class: retry.Ambiguous, read: 0},
		{name: "unknown status", status: 599, body: `{}`, order: Unknown, class: retry.Ambiguous, read: retry.Transient},
		{name: "page in a 200", status: 200, body: page, order: Unknown, class: retry.Ambiguous},
		{name: "page in a 400", status: 400, body: page, order: Unknown, class: retry.Ambiguous, read: retry.Permanent},
		{name: "page in a 502", status: 502, body: page, order: Unknown, class: retry.Ambiguous, read: retry.Transient},
		{name: "cut in the id", status: 200, body: `{"symbol":"BTCUSDT","orderId":2`, cut: true, order: Unknown, class: retry.Ambiguous},
		{name: "cut and closed as if whole", status: 200, body: `{"symbol":"BTCUSDT","orderId":2`, order: Unknown, class: retry.Ambiguous},
		{name: "cut refusal", status: 400, body: `{"code":-2010,"msg":"Account has ins`, cut: true, order: Unknown, class: retry.Ambiguous, read: retry.Permanent},
		{name: "id as a string", status: 200, body: `{"symbol":"BTCUSDT","orderId":"28","clientOrderId":"a1b2c3"}`, order: Exists, id: "28"},
		{name: "id as a float", status: 200, body: `{"symbol":"BTCUSDT","orderId":2.8e1,"clientOrderId":"a1b2c3"}`, order: Exists, id: "2.8e1"},
		{name: "id that is null", status: 200, body: `{"symbol":"BTCUSDT","orderId":null}`, order: Unknown, class: retry.Ambiguous},
		{name: "code as a string", status: 400, body: `{"code":"-2010","msg":"Account has insufficient balance for requested action."}`, order: NotPlaced, class: retry.Permanent, read: retry.Permanent},
		{name: "clock 3 s ahead", status: 200, headers: []string{"Date: Sat, 01 Jan 2000 00:00:03 GMT"}, body: `{"orderId":1}`, order: Exists, id: "1"},
		{name: "clock years away", status: 200, headers: []string{"Date: Sat, 01 Jan 2050 00:00:00 GMT"}, body: `{"orderId":1}`, order: Exists, id: "1"},
		{name: "Date that is none", status: 200, headers: []string{"Date: yesterday"}, body: `{"orderId":1}`, order: Exists, id: "1"},
		{name: "timestamp refused", status: 400, body: `{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}`, order: NotPlaced, class: retry.Transient, read: retry.Transient},
		{name: "Retry-After negative", status: 429, headers: []string{"Retry-After: -5"}, body: limit, order: NotPlaced, class: retry.Throttled, read: retry.Throttled, most: 2 * time.Second},
		{name: "Retry-After of 30 years", status: 429, headers: []string{"Retry-After: 999999999"}, body: limit, order: NotPlaced, class: retry.Throttled, read: retry.Throttled, most: 2 * time.Second},
		{name: "Retry-After beyond numbers", status: 429, headers: []string{"Retry-After: 1e999"}, body: limit, order: NotPlaced, class: retry.Throttled, read: retry.Throttled, most: 2 * time.Second},
		{name: "Retry-After in words", status: 429, headers: []string{"Retry-After: soon"}, body: limit, order: NotPlaced, class: retry.Throttled, read: retry.Throttled, most: 2 * time.Second},
		{name: "usage beyond numbers", status: 200, headers: []string{"X-MBX-USED-WEIGHT-1M: 1e999"}, body: `{"orderId":1}`, order: Exists, id: "1"},
		{name: "usage negative", status: 200, headers: []string{"X-MBX-USED-WEIGHT-1M: -7"}, body: `{"orderId":1}`, order: Exists, id: "1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bad := true
				p := mustLoad(t, "binance")
				tr := &Transport{Profile: p, Desk: &fakeDesk{}, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
					if !bad {
						return reply(r, 200, `{"orderId":7}`), nil
					}
					resp := reply(r, test.status, test.body, test.headers...)
					if test.cut {
						resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(test.body), broken{io.ErrUnexpectedEOF}))
					}
					return resp, nil
				})}
				for _, method := range []string{"POST", "GET"} {
					bad = true
					ctx, v := WithVerdict(t.Context())
					resp, err := send(ctx, tr, method, orderURL, orderForm)
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(resp.Body)
					if string(got) != test.body || test.cut != (err != nil) {
						t.Errorf("%s: the SDK read %q, %v; want the answer as it came", method, got, err)
					}
					outcome, class := test.order, test.class
					if method == "GET" {
						outcome, class = NoOrder, test.read
					}
					if v.Outcome != outcome || v.Class != class || method == "POST" && v.OrderID != test.id {
						t.Errorf("%s: %v, %v, id %q, %s; want %v, %v, id %q", method, v.Outcome, v.Class, v.OrderID, v.Meaning, outcome, class, test.id)
					}
					bad = false
					began := time.Now()
					if _, err := get(t.Context(), tr, host+"/api/v3/klines"); err != nil || time.Since(began) > test.most {
						t.Errorf("%s: the next request: %v after %v; want it sent within %v", method, err, time.Since(began), test.most)
					}
				}
			})
		})
	}
}

// A ban that does not say how long it lasts lasts as long as the facts say at least, and longer the next time.
func TestBanWithoutAnEnd(t *testing.T) {
	for _, test := range []struct {
		name, body string
		headers    []string
	}{
		{"nothing said", `{"code":-1003,"msg":"Way too much request weight used; IP banned."}`, nil},
		{"an end in the past", `{"code":-1003,"msg":"Way too much request weight used; IP banned until 946684700000."}`, nil},
		{"an end in 300 years", `{"code":-1003,"msg":"Way too much request weight used; IP banned until 9999999999999."}`, []string{"Retry-After: 9999999999"}},
		{"a page", `<html>banned</html>`, []string{"Retry-After: -1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				tr := &Transport{Profile: mustLoad(t, "binance"), Base: baseFunc(func(r *http.Request) (*http.Response, error) {
					sent++
					return reply(r, http.StatusTeapot, test.body, test.headers...), nil
				})}
				for _, least := range []time.Duration{2 * time.Minute, 4 * time.Minute} {
					ctx, v := WithVerdict(t.Context())
					if _, err := get(ctx, tr, host+"/api/v3/klines"); err != nil {
						t.Fatal(err)
					}
					if v.Meaning != Banned || v.After < least || v.After > least+6*time.Second {
						t.Errorf("%s for %v; want a ban of %v and a few seconds", v.Meaning, v.After, least)
					}
					before := sent
					for time.Until(tr.Stats().BannedUntil) > 0 {
						if _, err := get(t.Context(), tr, host+"/api/v3/klines"); err == nil {
							t.Error("sent inside the ban")
						}
						time.Sleep(time.Second)
					}
					if sent != before {
						t.Errorf("%d requests inside the ban", sent-before)
					}
				}
			})
		})
	}
}

// A request without an answer stays booked where there are no windows, too.
func TestUnansweredStaysBooked(t *testing.T) {
	tr := &Transport{Profile: mustLoad(t, "deribit"), Base: baseFunc(func(r *http.Request) (*http.Response, error) { return nil, errTest })}
	if _, err := get(t.Context(), tr, host+"/api/v2/public/get_order_book"); err == nil {
		t.Fatal("an answer came")
	}
	for _, l := range tr.Stats().Limits.Ledgers {
		if l.Used == 0 {
			t.Errorf("%+v; want it used", l)
		}
	}
}
