package venue

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// unlimited is a venue for load.
func unlimited() Config {
	return Config{
		MaxOrders: 10_000_000, KeepLog: 1000,
		Limits: Limits{WeightPerMinute: Unlimited, RequestsPer5Min: Unlimited, OrdersPer10s: Unlimited, OrdersPerDay: Unlimited, ConnectsPer5Min: Unlimited},
	}
}

// BenchmarkREST is over loopback, 32 clients at a time, client and venue in one process.
func BenchmarkREST(b *testing.B) {
	for _, path := range []string{"/api/v3/time", "/api/v3/depth?symbol=BTCUSDT&limit=5"} {
		b.Run(path, func(b *testing.B) {
			cfg := unlimited()
			cfg.FlowPerRequest = -1
			srv := httptest.NewServer(New(cfg))
			defer srv.Close()
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			b.SetParallelism(32 / runtime.GOMAXPROCS(0))
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					resp, err := client.Get(srv.URL + path)
					if err != nil {
						b.Error(err)
						return
					}
					_, err = io.Copy(io.Discard, resp.Body) // else the connection is not used again
					_ = resp.Body.Close()
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
			client.CloseIdleConnections()
		})
	}
}

// TestThousandSockets: a thousand connections hear of one market, over loopback, and the venue keeps up.
func TestThousandSockets(t *testing.T) {
	if testing.Short() {
		t.Skip("1,000 sockets")
	}
	const links, seconds = 1000, 2
	cfg := unlimited()
	cfg.FlowEvery = 20 * time.Millisecond
	v := New(cfg)
	srv := httptest.NewServer(v)
	defer srv.Close()
	defer v.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var frames, failed atomic.Int64
	var readers, dials sync.WaitGroup
	begin := make(chan struct{})
	free := make(chan struct{}, 50)
	for range links {
		dials.Add(1)
		readers.Go(func() {
			free <- struct{}{}
			c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(srv.URL, "http")+"/ws/btcusdt@depth@100ms", nil)
			<-free
			dials.Done()
			if err != nil {
				failed.Add(1)
				return
			}
			c.SetReadLimit(1 << 20)
			<-begin
			for {
				if _, _, err := c.Read(ctx); err != nil {
					return
				}
				frames.Add(1)
			}
		})
	}
	dials.Wait()
	if n := failed.Load(); n > 0 {
		t.Fatalf("%d of %d did not connect", n, links)
	}
	close(begin)
	frames.Store(0)
	time.Sleep(seconds * time.Second) // of real time: what is measured is speed
	got := frames.Load()
	cancel()
	readers.Wait()
	t.Logf("%d frames a second to %d sockets", got/seconds, links)
	if got < links*seconds {
		t.Errorf("%d frames in %d s to %d sockets; want one a second each at the least", got, seconds, links)
	}
}

// TestLogAndBookStayBounded: what is kept has an end, however much happens.
func TestLogAndBookStayBounded(t *testing.T) {
	v := New(Config{KeepLog: 20, KeepBook: 50, Limits: Limits{WeightPerMinute: Unlimited, OrdersPer10s: Unlimited}})
	for i := range 500 {
		ask(v, "POST", "order", fmt.Sprint(marketBuy, i))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	m := v.world.engine.markets["BTCUSDT"]
	if n := len(v.world.log.ring); n != 20 {
		t.Errorf("%d log entries; want 20", n)
	}
	if len(m.changes) > 100 || len(m.tape) > 2*keepTrades || len(m.aggregated) > 2*keepTrades {
		t.Errorf("%d changes, %d trades, %d aggregates", len(m.changes), len(m.tape), len(m.aggregated))
	}
}
