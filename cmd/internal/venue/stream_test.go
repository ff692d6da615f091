package venue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// dial opens a link in memory.
func dial(t *testing.T, v *Venue, path string) *websocket.Conn {
	t.Helper()
	c, resp, err := websocket.Dial(t.Context(), "ws://venue"+path, &websocket.DialOptions{HTTPClient: v.Client()})
	if err != nil {
		t.Fatalf("dial %s: %v, %v", path, resp, err)
	}
	c.SetReadLimit(1 << 20)
	return c
}

// next reads a message into a map, or returns the error.
func next(ctx context.Context, c *websocket.Conn) (map[string]any, error) {
	_, b, err := c.Read(ctx)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	return m, json.Unmarshal(b, &m)
}

func mustNext(t *testing.T, c *websocket.Conn) map[string]any {
	t.Helper()
	m, err := next(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func say(t *testing.T, c *websocket.Conn, format string, args ...any) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, format, args...)); err != nil {
		t.Fatal(err)
	}
}

// apiCall is a message of /ws-api/v3 with a signature.
func apiCall(id, method, words string) string {
	p := values(words)
	p.Set("apiKey", DefaultKey)
	p.Set("timestamp", strconv.FormatInt(time.Now().UnixMilli(), 10))
	p.Set("signature", signature(p.Encode(), DefaultSecret))
	params := map[string]any{}
	for name := range p {
		params[name] = p.Get(name)
	}
	b, _ := json.Marshal(map[string]any{"id": id, "method": method, "params": params}) // plain data
	return string(b)
}

// inBubble runs a test in virtual time with a venue whose market moves by itself.
func inBubble(t *testing.T, cfg Config, f func(t *testing.T, v *Venue)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if cfg.FlowEvery == 0 {
			cfg.FlowEvery = 50 * time.Millisecond
		}
		v := New(cfg)
		defer v.Close()
		f(t, v)
	})
}

// replica keeps a book from a snapshot and depth events, by the venue's rules.
type replica struct {
	last       int64
	told       bool // of an event; the first may overlap the snapshot, the others follow each other
	bids, asks map[string]string
}

func (r *replica) apply(t *testing.T, d depthEvent) {
	t.Helper()
	if d.First > r.last+1 || d.Last <= r.last || r.told && d.First != r.last+1 {
		t.Fatalf("event %d to %d after %d: a gap, or nothing new", d.First, d.Last, r.last)
	}
	r.last, r.told = d.Last, true
	for side, levels := range map[*map[string]string][][2]string{&r.bids: d.Bids, &r.asks: d.Asks} {
		for _, l := range levels {
			if (*side)[l[0]] = l[1]; dec(l[1]).IsZero() {
				delete(*side, l[0])
			}
		}
	}
}

func (r *replica) report(symbol string) BookReport {
	sorted := func(side map[string]string, best int) (out [][2]string) {
		for p, q := range side {
			out = append(out, [2]string{p, q})
		}
		slices.SortFunc(out, func(a, b [2]string) int { return best * dec(a[0]).Cmp(dec(b[0])) })
		return out
	}
	return BookReport{Symbol: symbol, Sequence: r.last, Bids: sorted(r.bids, -1), Asks: sorted(r.asks, 1)}
}

// TestDepthBuildsTheBook: a snapshot and the events after it are the venue's book, level by level, at their sequence.
func TestDepthBuildsTheBook(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, v *Venue) {
		c := dial(t, v, "/ws/btcusdt@depth@100ms")
		snapshot := decode[depthView](t, get(v, "depth?symbol=BTCUSDT&limit=5000"))
		r := replica{last: snapshot.LastUpdateID, bids: map[string]string{}, asks: map[string]string{}}
		for _, l := range snapshot.Bids {
			r.bids[l[0]] = l[1]
		}
		for _, l := range snapshot.Asks {
			r.asks[l[0]] = l[1]
		}
		var reports []BookReport
		for i := range 40 {
			if i%5 == 0 {
				ask(v, "POST", "order", fmt.Sprint(marketBuy, "m", i))
			}
			var d depthEvent
			_, b, err := c.Read(t.Context())
			if err != nil || json.Unmarshal(b, &d) != nil || d.Event != "depthUpdate" || d.Name != "BTCUSDT" {
				t.Fatalf("%s, %v", b, err)
			}
			if d.Last > r.last {
				r.apply(t, d)
			}
			reports = append(reports, r.report("BTCUSDT"))
		}
		if got := findings(v, Report{Books: reports}, "I11"); !got.Pass {
			t.Errorf("%+v", got)
		}
	})
}

// findings returns one invariant.
func findings(v *Venue, r Report, id string) Invariant {
	for _, i := range v.Oracle().Check(r).Invariants {
		if i.ID == id {
			return i
		}
	}
	panic("no invariant " + id)
}

func TestMarketStreams(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, v *Venue) {
		c := dial(t, v, "/stream?streams=btcusdt@trade/btcusdt@aggTrade/btcusdt@kline_1m/btcusdt@bookTicker/ethusdt@depth/nobody@trade")
		seen := map[string]map[string]any{}
		for len(seen) < 5 {
			m := mustNext(t, c)
			seen[m["stream"].(string)] = m["data"].(map[string]any)
		}
		for stream, fields := range map[string]string{
			"btcusdt@trade": "e E s t p q T m M", "btcusdt@aggTrade": "e E s a p q f l T m M",
			"btcusdt@kline_1m": "e E s k", "btcusdt@bookTicker": "u s b B a A", "ethusdt@depth": "e E s U u b a",
		} {
			for field := range strings.FieldsSeq(fields) {
				if _, ok := seen[stream][field]; !ok {
					t.Errorf("%s has no %s: %v", stream, field, seen[stream])
				}
			}
		}
		if k, _ := seen["btcusdt@kline_1m"]["k"].(map[string]any); k["i"] != "1m" || k["x"] != false {
			t.Errorf("kline = %v", k)
		}
	})
}

// TestFinalCandleComesOnce: when a minute is over its candle is told as final, once.
func TestFinalCandleComesOnce(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, v *Venue) {
		c := dial(t, v, "/ws/btcusdt@kline_1m")
		final := map[float64]int{}
		for len(final) < 2 {
			m := mustNext(t, c)
			if k := m["k"].(map[string]any); k["x"] == true {
				final[k["t"].(float64)]++
			}
		}
		for range 30 {
			if k := mustNext(t, c)["k"].(map[string]any); k["x"] == true {
				final[k["t"].(float64)]++
			}
		}
		for opened, n := range final {
			if n != 1 {
				t.Errorf("candle %v was final %d times", opened, n)
			}
		}
	})
}

func TestCommands(t *testing.T) {
	inBubble(t, Config{Limits: Limits{MessagesPerSecond: Unlimited}, NoFlow: true}, func(t *testing.T, v *Venue) {
		c := dial(t, v, "/ws")
		many := `"` + strings.Join(strings.Fields(strings.Repeat("btcusdt@trade ", maxStreams+1)), `","`) + `"`
		for _, test := range []struct{ say, want string }{
			{`{"method":"LIST_SUBSCRIPTIONS","id":1}`, `{"result":[],"id":1}`},
			{`{"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@kline_1h"],"id":"x"}`, `{"result":null,"id":"x"}`},
			{`{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":null}`, `{"result":null,"id":null}`},
			{`{"method":"LIST_SUBSCRIPTIONS","id":2}`, `{"result":["btcusdt@kline_1h","btcusdt@trade"],"id":2}`},
			{`{"method":"UNSUBSCRIBE","params":["btcusdt@trade","ethusdt@trade"],"id":3}`, `{"result":null,"id":3}`},
			{`{"method":"LIST_SUBSCRIPTIONS","id":4}`, `{"result":["btcusdt@kline_1h"],"id":4}`},
			{`{"method":"SUBSCRIBE","params":["BTCUSDT@trade"],"id":5}`, `"code":2`},
			{`{"method":"SUBSCRIBE","params":["btcusdt@kline_7m"],"id":5}`, `"code":2`},
			{`{"method":"SUBSCRIBE","params":"btcusdt@trade","id":5}`, `"code":2`},
			{`{"method":"SUBSCRIBE","params":[` + many + `],"id":5}`, `"code":2`},
			{`{"method":"DANCE","id":5}`, `"code":2`},
			{`{"method":"SUBSCRIBE","params":[],"id":1.5}`, `"code":2`},
			{`{`, `"code":3`},
			{`[]`, `"code":3`},
		} {
			say(t, c, "%s", test.say)
			_, b, err := c.Read(t.Context())
			if err != nil || !strings.Contains(string(b), test.want) {
				t.Errorf("%.80s: %s, %v; want %s", test.say, b, err, test.want)
			}
		}
		if err := c.Write(t.Context(), websocket.MessageBinary, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusUnsupportedData {
			t.Errorf("binary message: %v", err)
		}
	})
}

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

func TestLinksGrowOld(t *testing.T) {
	for _, test := range []struct {
		name  string
		cfg   Config
		fault Fault
		pong  bool
		after time.Duration
		code  websocket.StatusCode
	}{
		{"life", Config{LinkLife: time.Hour}, Fault{}, true, time.Hour, websocket.StatusGoingAway},
		{"life cut", Config{}, Fault{Kind: LifeCut, Delay: time.Minute}, true, time.Minute, websocket.StatusGoingAway},
		{"no pong", Config{}, Fault{}, false, 81 * time.Second, -1},
		{"closed", Config{}, Fault{Kind: CloseLink, Delay: 50 * time.Millisecond}, true, 50 * time.Millisecond, -1},
		{"shutdown", Config{}, Fault{Kind: ServerShutdown, Delay: time.Minute, Grace: 30 * time.Second}, true, 90 * time.Second, websocket.StatusGoingAway},
		{"half-open", Config{LinkLife: time.Hour}, Fault{Kind: HalfOpen, Delay: time.Second}, true, time.Hour, websocket.StatusGoingAway},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.cfg.NoFlow = true
			inBubble(t, test.cfg, func(t *testing.T, v *Venue) {
				if test.fault.Kind != "" {
					add(t, v, test.fault)
				}
				start := time.Now()
				c := dial(t, v, "/ws/btcusdt@trade")
				if !test.pong {
					time.Sleep(test.after) // who does not read does not answer pings
				}
				var err error
				var messages []map[string]any
				for err == nil {
					var m map[string]any
					if m, err = next(t.Context(), c); err == nil {
						messages = append(messages, m)
					}
				}
				if time.Since(start) != test.after || websocket.CloseStatus(err) != test.code {
					t.Errorf("%v after %v; want %v after %v", err, time.Since(start), test.code, test.after)
				}
				if test.fault.Kind == ServerShutdown && (len(messages) != 1 || messages[0]["e"] != "serverShutdown") {
					t.Errorf("messages = %v", messages)
				}
				_ = c.CloseNow()
			})
		})
	}
}

func TestPings(t *testing.T) {
	for kind, answered := range map[Kind]bool{"": true, NoPong: false} {
		inBubble(t, Config{NoFlow: true}, func(t *testing.T, v *Venue) {
			if kind != "" {
				add(t, v, Fault{Kind: kind})
			}
			c := dial(t, v, "/ws/btcusdt@trade")
			ctx := c.CloseRead(t.Context())
			patience, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			if err := c.Ping(patience); (err == nil) != answered {
				t.Errorf("%s: ping = %v; answered should be %v", kind, err, answered)
			}
			_ = c.CloseNow()
		})
	}
}

func TestMessageAndConnectLimits(t *testing.T) {
	inBubble(t, Config{NoFlow: true, Limits: Limits{ConnectsPer5Min: 3}}, func(t *testing.T, v *Venue) {
		c := dial(t, v, "/ws/btcusdt@trade")
		var err error
		for i := 0; err == nil && i < 10; i++ {
			say(t, c, `{"method":"LIST_SUBSCRIPTIONS","id":%d}`, i)
			_, _, err = c.Read(t.Context())
		}
		if websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			t.Errorf("six messages in a second: %v; want a close for policy", err)
		}
		_ = dial(t, v, "/ws").CloseNow()
		_ = dial(t, v, "/ws").CloseNow()
		_, resp, err := websocket.Dial(t.Context(), "ws://venue/ws", &websocket.DialOptions{HTTPClient: v.Client()})
		if err == nil || resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
			t.Errorf("fourth connect: %v, %v; want 429", resp, err)
		}
		if o := v.Oracle(); o.Totals.PeakConnects != 4 || o.Totals.OverConnects != 1 || len(o.OverConnects) != 1 || o.Totals.Links != 3 {
			t.Errorf("totals = %+v", o.Totals)
		}
	})
}

func TestHandshakeFaults(t *testing.T) {
	for _, test := range []struct {
		fault  Fault
		status int // 0: no answer
	}{
		{Fault{Kind: Refuse}, 0},
		{Fault{Kind: Drop}, 0},
		{Fault{Kind: TooManyRequests}, 429},
		{Fault{Kind: Ban}, 418},
		{Fault{Kind: BadGateway}, 502},
		{Fault{Kind: Delay, Delay: time.Second}, 101},
	} {
		inBubble(t, Config{NoFlow: true}, func(t *testing.T, v *Venue) {
			test.fault.Match.Path = "/ws/*"
			add(t, v, test.fault)
			c, resp, err := websocket.Dial(t.Context(), "ws://venue/ws/btcusdt@trade", &websocket.DialOptions{HTTPClient: v.Client()})
			got := 0
			if resp != nil {
				got = resp.StatusCode
			}
			if got != test.status || (err == nil) != (test.status == 101) {
				t.Errorf("%s: status %d, %v; want %d", test.fault.Kind, got, err, test.status)
			}
			if c != nil {
				_ = c.CloseNow()
			}
		})
	}
}

func TestFrameFaults(t *testing.T) {
	for _, test := range []struct {
		fault Fault
		want  []float64 // trade ids of the first frames
	}{
		{Fault{Kind: FrameGap, Match: Match{Nth: 2}}, []float64{1, 3, 4}},
		{Fault{Kind: FrameDuplicate, Match: Match{Nth: 2}}, []float64{1, 2, 2, 3}},
		{Fault{Kind: FrameReorder, Match: Match{Nth: 2}}, []float64{1, 3, 2, 4}},
		{Fault{Kind: FrameDelay, Delay: time.Second, Match: Match{Nth: 2}}, []float64{1, 2, 3, 4}},
	} {
		synctest.Test(t, func(t *testing.T) {
			v := New(Config{NoFlow: true})
			defer v.Close()
			test.fault.Match.Path = "btcusdt@trade"
			add(t, v, test.fault)
			c := dial(t, v, "/ws/btcusdt@trade")
			synctest.Wait()
			start := time.Now()
			for i := range 5 {
				ask(v, "POST", "order", fmt.Sprint("symbol=BTCUSDT side=SELL type=LIMIT timeInForce=GTC quantity=0.01 price=60000 newClientOrderId=s", i))
				ask(v, "POST", "order", fmt.Sprint("symbol=BTCUSDT side=BUY type=LIMIT timeInForce=GTC quantity=0.01 price=60000 newClientOrderId=b", i))
			}
			var got []float64
			for range test.want {
				got = append(got, mustNext(t, c)["t"].(float64))
			}
			if !slices.Equal(got, test.want) || (time.Since(start) == time.Second) != (test.fault.Kind == FrameDelay) {
				t.Errorf("%s: trades %v after %v; want %v", test.fault.Kind, got, time.Since(start), test.want)
			}
			_ = c.CloseNow()
		})
	}
}

// TestReportFirst: the stream tells of an order before its own answer does.
func TestReportFirst(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, v *Venue) {
		add(t, v, Fault{Kind: ReportFirst, Match: Match{Method: "POST", Path: "/api/v3/order"}})
		c := dial(t, v, "/ws-api/v3")
		say(t, c, "%s", apiCall("s", "userDataStream.subscribe.signature", ""))
		mustNext(t, c)
		answered := make(chan time.Time, 1)
		go func() {
			ask(v, "POST", "order", restingBid+"a")
			answered <- time.Now()
		}()
		mustNext(t, c)
		heard := time.Now()
		if at := <-answered; at.Sub(heard) != 100*time.Millisecond {
			t.Errorf("answer %v after the report; want 100ms", at.Sub(heard))
		}
	})
}

func TestStaleSnapshot(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, v *Venue) {
		before := decode[depthView](t, get(v, "depth?symbol=BTCUSDT&limit=20"))
		time.Sleep(3 * time.Second)
		now := decode[depthView](t, get(v, "depth?symbol=BTCUSDT&limit=20"))
		add(t, v, Fault{Kind: StaleSnapshot, Delay: 3 * time.Second, Count: 1})
		stale := decode[depthView](t, get(v, "depth?symbol=BTCUSDT&limit=20"))
		if stale.LastUpdateID != before.LastUpdateID || !slices.Equal(stale.Bids, before.Bids) || now.LastUpdateID <= before.LastUpdateID {
			t.Errorf("stale snapshot %d; want %d, now is %d", stale.LastUpdateID, before.LastUpdateID, now.LastUpdateID)
		}
	})
}

// TestSlowClientIsCut: a client that does not read does not make the venue hold its frames for ever.
func TestSlowClientIsCut(t *testing.T) {
	inBubble(t, Config{KeepBook: 100, PingEvery: time.Hour}, func(t *testing.T, v *Venue) {
		c := dial(t, v, "/ws/btcusdt@depth@100ms")
		time.Sleep(30 * time.Minute)
		for range 100_000 {
			if _, _, err := c.Read(t.Context()); err != nil {
				return
			}
		}
		t.Error("a client that slept for half an hour still gets everything")
	})
}

func TestResetCutsStreams(t *testing.T) {
	inBubble(t, Config{NoFlow: true}, func(t *testing.T, v *Venue) {
		c := dial(t, v, "/ws/btcusdt@trade")
		synctest.Wait()
		v.Reset(2)
		if _, _, err := c.Read(t.Context()); err == nil {
			t.Error("a stream outlives its world")
		}
	})
}

// TestStreamsLogTheSame: two runs in virtual time write the same log, frames included, byte for byte.
func TestStreamsLogTheSame(t *testing.T) {
	run := func(seed uint64) (out string) {
		inBubble(t, Config{Seed: seed}, func(t *testing.T, v *Venue) {
			faults, err := Preset("ws")
			if err != nil {
				t.Fatal(err)
			}
			add(t, v, faults...)
			var c *websocket.Conn
			for i := range 100 {
				if c == nil {
					c, _, _ = websocket.Dial(t.Context(), "ws://venue/stream?streams=btcusdt@depth@100ms/ethusdt@trade/btcusdt@kline_1m", &websocket.DialOptions{HTTPClient: v.Client()})
				}
				time.Sleep(137 * time.Millisecond)
				synctest.Wait()
				ask(v, "POST", "order", fmt.Sprint(marketBuy, i))
				synctest.Wait()
				if c != nil && i%20 == 19 {
					_ = c.CloseNow()
					c = nil
					synctest.Wait()
				}
			}
			if c != nil {
				_ = c.CloseNow()
			}
			b, _ := json.Marshal(v.Log(0)) // plain data
			out = string(b)
		})
		return out
	}
	a, b := run(7), run(7)
	if a != b {
		at := 0
		for at < min(len(a), len(b)) && a[at] == b[at] {
			at++
		}
		t.Errorf("logs differ at %d: %.300s\nand %.300s", at, a[max(0, at-100):], b[max(0, at-100):])
	}
	if a == run(8) || !strings.Contains(a, `"kind":"frame"`) {
		t.Error("two seeds give one log, or there are no frames in it")
	}
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
