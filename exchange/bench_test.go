package exchange

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// quick answers at once, from memory.
type quick struct{ resp http.Response }

func (q *quick) RoundTrip(r *http.Request) (*http.Response, error) {
	resp := q.resp
	resp.Body = http.NoBody
	resp.Request = r
	return &resp, nil
}

func newQuick() *quick {
	return &quick{http.Response{StatusCode: 200, Header: http.Header{
		"Date": {time.Now().UTC().Format(http.TimeFormat)}, "X-Mbx-Used-Weight": {"5"}, "X-Mbx-Used-Weight-1m": {"5"},
		"Content-Type": {"application/json"}, "Server": {"nginx"}, "Connection": {"keep-alive"},
	}}}
}

// roomy has no limit that a benchmark could reach.
func roomy(t testing.TB) *Profile {
	p := mustLoad(t, "binance")
	for i := range p.Rest.Limits {
		huge := 1e15
		p.Rest.Limits[i].Limit = &huge
	}
	p.compile()
	return p
}

func readAgain(t testing.TB, c *http.Client, req *http.Request) {
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

// What the Transport adds to http.Client, for a read. The targets are 2 µs and 5 allocations.
func BenchmarkRead(b *testing.B) {
	q := newQuick()
	for name, rt := range map[string]http.RoundTripper{"bare": q, "exchange": &Transport{Profile: roomy(b), Base: q}} {
		b.Run(name, func(b *testing.B) {
			c := &http.Client{Transport: rt}
			req, _ := http.NewRequest("GET", host+"/api/v3/depth?symbol=BTCUSDT&limit=100", nil)
			b.ReportAllocs()
			for b.Loop() {
				readAgain(b, c, req)
			}
		})
	}
}

// The same for an order, whose bodies are read, hashed and looked into.
func BenchmarkOrder(b *testing.B) {
	q := newQuick()
	base := baseFunc(func(r *http.Request) (*http.Response, error) {
		resp, _ := q.RoundTrip(r)
		resp.Body = io.NopCloser(strings.NewReader(`{"symbol":"BTCUSDT","orderId":28,"clientOrderId":"a1b2c3"}`))
		return resp, nil
	})
	for name, rt := range map[string]http.RoundTripper{"bare": base, "exchange": &Transport{Profile: roomy(b), Base: base, PassOrders: true}} {
		b.Run(name, func(b *testing.B) {
			c := &http.Client{Transport: rt}
			b.ReportAllocs()
			for b.Loop() {
				req, _ := http.NewRequest("POST", orderURL, strings.NewReader(orderForm))
				readAgain(b, c, req)
			}
		})
	}
}

// Of an order more must be kept: what is sent, what came back, and what the Desk is told.
func TestOrderAllocs(t *testing.T) {
	q := newQuick()
	base := baseFunc(func(r *http.Request) (*http.Response, error) {
		resp, _ := q.RoundTrip(r)
		resp.Body = io.NopCloser(strings.NewReader(`{"symbol":"BTCUSDT","orderId":28,"clientOrderId":"a1b2c3"}`))
		return resp, nil
	})
	bare, ours := &http.Client{Transport: base}, &http.Client{Transport: &Transport{Profile: roomy(t), Base: base, PassOrders: true}}
	count := func(c *http.Client) float64 {
		return testing.AllocsPerRun(200, func() {
			req, _ := http.NewRequest("POST", orderURL, strings.NewReader(orderForm))
			readAgain(t, c, req)
		})
	}
	if more := count(ours) - count(bare); more > 9 {
		t.Errorf("%v allocations more than http.Client; want at most 9", more)
	}
}

func TestReadAllocs(t *testing.T) {
	q := newQuick()
	bare, ours := &http.Client{Transport: q}, &http.Client{Transport: &Transport{Profile: roomy(t), Base: q}}
	req, _ := http.NewRequest("GET", host+"/api/v3/depth?symbol=BTCUSDT&limit=100", nil)
	count := func(c *http.Client) float64 { return testing.AllocsPerRun(200, func() { readAgain(t, c, req) }) }
	if more := count(ours) - count(bare); more > 5 {
		t.Errorf("%v allocations more than http.Client; want at most 5", more)
	}
}
