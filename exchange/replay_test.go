package exchange

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
)

// A cutting server answers the first request of a connection, reads the second one whole, and cuts: as a venue that took an
// order, and whose load balancer then went away.
func cuttingServer(t *testing.T) (url string, orders *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	orders = &atomic.Int32{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for n := 0; ; n++ {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					io.Copy(io.Discard, req.Body)
					if req.URL.Path == "/api/v3/order" {
						orders.Add(1)
						return // cut
					}
					fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
				}
			}()
		}
	}()
	return "http://" + l.Addr().String(), orders
}

// net/http sends any request with one of these headers again when a connection that was used before breaks.
func TestIdempotencyHeadersDoNotRepeatOrders(t *testing.T) {
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key", "x-idempotency-key"} {
		for _, bare := range []bool{true, false} {
			for _, form := range []string{orderForm, ""} {
				url, orders := cuttingServer(t)
				base := &http.Transport{MaxConnsPerHost: 1}
				defer base.CloseIdleConnections()
				tr := &Transport{Profile: mustLoad(t, "binance"), Desk: &fakeDesk{}, Base: base}
				if _, err := get(t.Context(), tr, url+"/api/v3/klines"); err != nil {
					t.Fatal(err)
				}
				req, _ := http.NewRequestWithContext(t.Context(), "POST", url+"/api/v3/order", strings.NewReader(form))
				req.Header[name] = []string{"k1"}
				var err error
				if bare {
					_, err = base.RoundTrip(req)
				} else {
					_, err = tr.RoundTrip(req)
				}
				want := int32(1)
				if bare {
					want = 2 // this is the trap; if it has gone, so may the code against it
				}
				if bare && name == "x-idempotency-key" {
					continue // net/http knows it only as it spells it
				}
				if err == nil || orders.Load() != want {
					t.Errorf("%s, bare %v, %d bytes: %v, %d orders arrived; want %d", name, bare, len(form), err, orders.Load(), want)
				}
				if !bare && retry.DefaultClassify(err) != retry.Ambiguous {
					t.Errorf("%v is %v; want ambiguous", err, retry.DefaultClassify(err))
				}
				if req.Header[name] == nil {
					t.Errorf("%s: the SDK's own request was changed", name)
				}
			}
		}
	}
}

// A header that the venue honours stays.
func TestHonouredHeaderStays(t *testing.T) {
	p := mustLoad(t, "binance")
	p.Wire.Honours = []string{"idempotency-key"}
	var got http.Header
	tr := &Transport{Profile: p, Desk: &fakeDesk{}, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
		got = r.Header
		return reply(r, 200, `{"orderId":1}`), nil
	})}
	req, _ := http.NewRequest("POST", orderURL, strings.NewReader(orderForm))
	req.Header.Set("Idempotency-Key", "a")
	req.Header.Set("X-Idempotency-Key", "b")
	if _, err := tr.RoundTrip(req); err != nil || got.Get("Idempotency-Key") != "a" || got.Get("X-Idempotency-Key") != "" {
		t.Errorf("%v, sent %v; want the one that is honoured", err, got)
	}
}

// Plain requests on order routes are sent once, whatever the method and whether or not they have a body.
func TestOrdersOnBrokenConnections(t *testing.T) {
	for _, method := range []string{"POST", "DELETE", "PUT"} {
		for _, form := range []string{orderForm, ""} {
			url, orders := cuttingServer(t)
			base := &http.Transport{MaxConnsPerHost: 1}
			defer base.CloseIdleConnections()
			desk := &fakeDesk{}
			tr := &Transport{Profile: mustLoad(t, "binance"), Desk: desk, Base: base}
			for range 2 { // fresh and reused
				get(t.Context(), tr, url+"/api/v3/klines")
				_, err := send(t.Context(), tr, method, url+"/api/v3/order", form)
				if retry.DefaultClassify(err) != retry.Ambiguous {
					t.Errorf("%s: %v is %v; want ambiguous", method, err, retry.DefaultClassify(err))
				}
			}
			if orders.Load() != 2 || len(desk.begun) != 2 || len(desk.ended) != 2 || desk.ended[1].Outcome != Unknown {
				t.Errorf("%s, %d bytes: %d arrived, %d begun, %+v; want 2 of each, unknown", method, len(form), orders.Load(), len(desk.begun), desk.ended)
			}
		}
	}
}

// A read that net/http repeats by itself shows that the server above does cut: the guard is what makes the difference.
func TestReadsAreRepeatedByNetHTTP(t *testing.T) {
	url, orders := cuttingServer(t)
	base := &http.Transport{MaxConnsPerHost: 1}
	defer base.CloseIdleConnections()
	tr := &Transport{Profile: mustLoad(t, "binance"), Base: base}
	get(t.Context(), tr, url+"/api/v3/klines")
	if _, err := get(t.Context(), tr, url+"/api/v3/order"); err == nil || orders.Load() != 2 {
		t.Errorf("%v, %d arrived; want 2: net/http repeats a GET", err, orders.Load())
	}
}

// Nobody listens: not a byte left.
func TestDialFailureIsNotSent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	desk := &fakeDesk{}
	base := &http.Transport{}
	tr := &Transport{Profile: mustLoad(t, "binance"), Desk: desk, Base: base}
	_, err = send(t.Context(), tr, "POST", "http://"+l.Addr().String()+"/api/v3/order", orderForm)
	if len(desk.ended) != 1 || desk.ended[0].Outcome != NotSent || retry.DefaultClassify(err) != retry.Transient {
		t.Errorf("%v: %+v; want not sent, transient", err, desk.ended)
	}
}

// A timeout after the request was read.
func TestTimeoutAfterSendIsUnknown(t *testing.T) {
	hold := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-hold }))
	defer srv.Close()
	defer close(hold)
	desk := &fakeDesk{}
	tr := &Transport{Profile: mustLoad(t, "binance"), Desk: desk, Base: srv.Client().Transport}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := send(ctx, tr, "POST", srv.URL+"/api/v3/order", orderForm)
	if !errors.Is(err, context.DeadlineExceeded) || len(desk.ended) != 1 || desk.ended[0].Outcome != Unknown {
		t.Errorf("%v: %+v; want unknown", err, desk.ended)
	}
}

// HTTP/2: after GOAWAY and REFUSED_STREAM net/http sends requests again that it can. A raw server counts their headers.
func TestHTTP2RefusalsDoNotRepeatOrders(t *testing.T) {
	for _, refusal := range []string{"refused stream", "goaway"} {
		for _, form := range []string{orderForm, ""} {
			url, client, orders := rawHTTP2(t, refusal)
			desk := &fakeDesk{}
			tr := &Transport{Profile: mustLoad(t, "binance"), Desk: desk, Base: client}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			_, err := send(ctx, tr, "POST", url+"/api/v3/order", form)
			cancel()
			if err == nil || orders.Load() != 1 {
				t.Errorf("%s, %d bytes: %v, %d arrived; want an error, 1", refusal, len(form), err, orders.Load())
			}
			if len(desk.ended) != 1 || desk.ended[0].Outcome != Unknown {
				t.Errorf("%s: %+v; want unknown", refusal, desk.ended)
			}
		}
	}
}

// rawHTTP2 speaks just enough HTTP/2 to refuse requests.
func rawHTTP2(t *testing.T, refusal string) (url string, client *http.Transport, requests *atomic.Int32) {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	config := srv.TLS.Clone()
	config.NextProtos = []string{"h2"}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	requests = &atomic.Int32{}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				refuse(c, refusal, requests)
			}()
		}
	}()
	client = srv.Client().Transport.(*http.Transport).Clone()
	client.ForceAttemptHTTP2 = true
	t.Cleanup(client.CloseIdleConnections)
	return "https://" + l.Addr().String(), client, requests
}

func refuse(c net.Conn, refusal string, requests *atomic.Int32) {
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	if _, err := io.ReadFull(c, make([]byte, len(preface))); err != nil {
		return
	}
	frame := func(kind, flags byte, stream uint32, payload []byte) {
		head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags, 0, 0, 0, 0}
		binary.BigEndian.PutUint32(head[5:], stream)
		c.Write(append(head, payload...))
	}
	frame(4, 0, 0, nil) // SETTINGS
	for {
		head := make([]byte, 9)
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(c, payload); err != nil {
			return
		}
		stream := binary.BigEndian.Uint32(head[5:])
		switch {
		case head[3] == 4 && head[4]&1 == 0:
			frame(4, 1, 0, nil) // ACK
		case head[3] == 1 && requests.Add(1) > 3: // HEADERS, again and again
			return
		case head[3] == 1 && refusal == "goaway":
			frame(7, 0, 0, make([]byte, 8)) // the last stream that it saw is 0: this one was not processed
			return
		case head[3] == 1:
			frame(3, 0, stream, []byte{0, 0, 0, 7}) // REFUSED_STREAM
		}
	}
}
