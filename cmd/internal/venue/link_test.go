package venue

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

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
