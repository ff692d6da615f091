package ws_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/relent-go/relent/contrib/ws"
	"github.com/relent-go/relent/transport/retryws"
)

// binance speaks the part of Binance's protocol that a public stream needs.
type binance struct{ address retryws.Address }

func (b binance) Address(retryws.Credentials) retryws.Address    { return b.address }
func (b binance) Auth(*retryws.Request) ([]byte, error)          { return nil, nil }
func (b binance) Subscribe(r *retryws.Request) ([]byte, error)   { return b.request("SUBSCRIBE", r) }
func (b binance) Unsubscribe(r *retryws.Request) ([]byte, error) { return b.request("UNSUBSCRIBE", r) }
func (b binance) Ping() []byte                                   { return nil }

func (binance) request(method string, r *retryws.Request) ([]byte, error) {
	var params []string
	for _, t := range r.Topics {
		params = append(params, t.Symbol+"@"+t.Channel)
	}
	return json.Marshal(map[string]any{"method": method, "params": params, "id": r.ID})
}

func (binance) Classify(m []byte, f *retryws.Frame) {
	var v struct {
		ID    uint64 `json:"id"`
		Event string `json:"e"`
		Sym   string `json:"s"`
		Trade int64  `json:"t"`
		Time  int64  `json:"T"`
	}
	switch err := json.Unmarshal(m, &v); {
	case err != nil:
	case v.ID != 0:
		f.Kind, f.ID = retryws.Confirmed, v.ID
	case v.Event == "trade":
		f.Kind, f.Topic = retryws.Data, retryws.Topic{Channel: v.Event, Symbol: v.Sym}
		f.First, f.Last, f.Time = v.Trade, v.Trade, time.UnixMilli(v.Time)
	}
}

// A session over real connections: each one breaks after three trades.
func TestSession(t *testing.T) {
	each(t, func(t *testing.T, d retryws.Dialer) {
		to := serve(t, func(ctx context.Context, c *websocket.Conn) {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
			c.Write(ctx, websocket.MessageText, []byte(`{"result":null,"id":1}`))
			for i := range 3 {
				c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"e":"trade","s":"BTCUSDT","t":%d,"T":1}`, i+1))
			}
		})
		s := retryws.New(retryws.Config{Name: "binance", Protocol: binance{to}, Dialer: d})
		c := &retryws.Consumer{}
		s.Attach(c)
		s.Want(retryws.Topic{Channel: "trade", Symbol: "BTCUSDT"})
		ended := make(chan error, 1)
		go func() { ended <- s.Run(t.Context()) }()
		var got string
		for range 7 {
			e, err := c.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got += fmt.Sprint(e.Kind, ":", e.Last, " ")
		}
		s.Close()
		if want := "1:0 0:1 0:2 0:3 2:0 "; got[:len(want)] != want {
			t.Errorf("events %s; want to begin with %s", got, want)
		}
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func Example() {
	s := retryws.New(retryws.Config{
		Name:     "binance",
		Protocol: binance{retryws.Address{URL: "wss://stream.binance.com:9443/ws"}},
		Dialer:   &ws.Coder{},
		Budgets:  []*retryws.Budget{{Connects: 150, Per: 5 * time.Minute}}, // half of what Binance allows
		Limits:   retryws.Limits{Messages: 5, Topics: 1024},
		MaxAge:   24 * time.Hour,
	})
	fmt.Println(s.State())
	// Output: IDLE
}
