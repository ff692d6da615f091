package venue

import (
	"context"
	"encoding/json"
	"fmt"
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
