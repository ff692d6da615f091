package venue

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestUserStream: subscribe with a signature, then hear of one's orders, and of a cancel under C.
func TestUserStream(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, v *Venue) {
		c := dial(t, v, "/ws-api/v3")
		say(t, c, "%s", apiCall("one", "userDataStream.subscribe.signature", ""))
		if m := mustNext(t, c); m["status"] != 200.0 || m["result"].(map[string]any)["subscriptionId"] != 0.0 {
			t.Fatalf("subscribe = %v", m)
		}
		answers := map[string]map[string]any{}
		event := func() map[string]any {
			t.Helper()
			for {
				m := mustNext(t, c)
				if id, ok := m["id"].(string); ok {
					answers[id] = m
				}
				if e, ok := m["event"].(map[string]any); ok && e["e"] == "executionReport" {
					return e
				}
			}
		}
		ask(v, "POST", "order", restingBid+"resting")
		if e := event(); e["c"] != "resting" || e["x"] != "NEW" || e["X"] != "NEW" || e["i"] != 1.0 || e["w"] != true {
			t.Errorf("new = %v", e)
		}
		say(t, c, "%s", apiCall("two", "order.place", "symbol=BTCUSDT side=BUY type=MARKET quantity=0.01 newClientOrderId=taken newOrderRespType=FULL"))
		var z, l string
		for z != "0.01000000" {
			e := event()
			if e["c"] != "taken" {
				t.Fatalf("event = %v", e)
			}
			if e["x"] == "TRADE" {
				z, l = e["z"].(string), e["l"].(string)
				if dec(l).IsZero() || e["t"].(float64) < 1 || e["N"] != "BTC" {
					t.Errorf("trade = %v", e)
				}
			}
		}
		say(t, c, "%s", apiCall("three", "order.cancel", "symbol=BTCUSDT origClientOrderId=resting newClientOrderId=the-cancel"))
		if e := event(); e["c"] != "the-cancel" || e["C"] != "resting" || e["x"] != "CANCELED" || e["X"] != "CANCELED" {
			t.Errorf("cancel = %v", e)
		}
		say(t, c, "%s", apiCall("four", "order.status", "symbol=BTCUSDT origClientOrderId=taken"))
		say(t, c, "%s", apiCall("five", "order.status", "symbol=BTCUSDT origClientOrderId=nobodys"))
		say(t, c, `{"id":"six","method":"time"}`)
		for len(answers) < 5 {
			if m := mustNext(t, c); m["id"] != nil {
				answers[m["id"].(string)] = m
			}
		}
		if r, _ := answers["four"]["result"].(map[string]any); r["status"] != "FILLED" {
			t.Errorf("status = %v", answers["four"])
		}
		if e, _ := answers["five"]["error"].(map[string]any); answers["five"]["status"] != 400.0 || e["code"] != -2013.0 {
			t.Errorf("status of nobody's = %v", answers["five"])
		}
		if answers["six"]["status"] != 200.0 {
			t.Errorf("time = %v", answers["six"])
		}
		say(t, c, "%s", apiCall("seven", "userDataStream.unsubscribe", ""))
		if m := mustNext(t, c); m["id"] != "seven" || m["status"] != 200.0 {
			t.Errorf("unsubscribe = %v", m)
		}
		ask(v, "POST", "order", restingBid+"unheard")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if m, err := next(ctx, c); err == nil {
			t.Errorf("after unsubscribe: %v", m)
		}
	})
}

func TestAPIRefusals(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, v *Venue) {
		add(t, v,
			Fault{Kind: AcceptUnavailable, Match: Match{ClientID: "unknown"}},
			Fault{Kind: BadGateway, Match: Match{ClientID: "page"}},
			Fault{Kind: CutBody, Match: Match{ClientID: "cut"}})
		c := dial(t, v, "/ws-api/v3")
		bad := strings.Replace(apiCall("b", "order.place", "symbol=BTCUSDT"), `"timestamp":"`, `"timestamp":"9`, 1)
		for _, test := range []struct {
			say          string
			status, code float64
		}{
			{`{`, 400, -1135},
			{`{} {}`, 400, -1135},
			{`{"id":1,"method":"time"}]`, 400, -1135},
			{`{"id":1.5,"method":"time"}`, 400, -1135},
			{`{"id":1,"method":"no.such"}`, 400, -1000},
			{`{"id":1,"method":"order.place","params":{}}`, 401, -2014},
			{bad, 400, -1022},
			{apiCall("1", "order.place", "symbol=BTCUSDT side=BUY type=MARKET quantity=0.01 newClientOrderId=unknown"), 503, -1007},
			{apiCall("1", "order.place", "symbol=BTCUSDT side=BUY type=MARKET quantity=0.01 newClientOrderId=page"), 502, -1000},
		} {
			say(t, c, "%s", test.say)
			m := mustNext(t, c)
			if e, _ := m["error"].(map[string]any); m["status"] != test.status || e["code"] != test.code {
				t.Errorf("%s = %v; want %v, %v", test.say, m, test.status, test.code)
			}
		}
		say(t, c, "%s", apiCall("1", "order.place", "symbol=BTCUSDT side=BUY type=MARKET quantity=0.01 newClientOrderId=cut"))
		if m, err := next(t.Context(), c); err == nil {
			t.Errorf("answer %v on a cut link", m)
		}
		if f := v.Oracle().Orders; f["unknown"].VenueOrders != 1 || f["cut"].VenueOrders != 1 || f["page"].VenueOrders != 0 {
			t.Errorf("orders = %v", f)
		}
	})
}

func TestListenKeys(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, v *Venue) {
		if r := ask(v, "POST", "userDataStream", ""); r.status != http.StatusGone {
			t.Errorf("listen key: %+v; want 410", r)
		}
	})
	inBubble(t, Config{ListenKeys: true}, func(t *testing.T, v *Venue) {
		key := decode[listenKeyView](t, ask(v, "POST", "userDataStream", "")).ListenKey
		if again := decode[listenKeyView](t, ask(v, "POST", "userDataStream", "")).ListenKey; key == "" || again != key {
			t.Errorf("keys %q and %q; want one", key, again)
		}
		c := dial(t, v, "/ws/"+key)
		synctest.Wait()
		ask(v, "POST", "order", restingBid+"a")
		if m := mustNext(t, c); m["e"] != "executionReport" || m["c"] != "a" {
			t.Errorf("event = %v", m)
		}
		if r := ask(v, "PUT", "userDataStream", "listenKey="+key); r.status != 200 {
			t.Errorf("keep: %+v", r)
		}
		if r := ask(v, "PUT", "userDataStream", "listenKey=other"); r.code() != -1125 {
			t.Errorf("keep of another: %+v", r)
		}
		if r := ask(v, "DELETE", "userDataStream", "listenKey="+key); r.status != 200 {
			t.Errorf("end: %+v", r)
		}
		mustNext(t, c) // the balances of the first order
		ask(v, "POST", "order", restingBid+"b")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if m, err := next(ctx, c); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the end of the key: %v, %v", m, err)
		}
	})
}
