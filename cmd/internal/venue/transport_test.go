package venue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/adshao/go-binance/v2"
)

// outgoing makes a signed request as a client has it.
func outgoing(ctx context.Context, method, path, words string) *http.Request {
	r := signed(method, "/api/v3/"+path, words, DefaultKey, DefaultSecret)
	r.RequestURI = ""
	return r.WithContext(ctx)
}

// traced returns a context that notes which hooks of httptrace were called.
func traced(ctx context.Context) (context.Context, *[]string) {
	var hooks []string
	note := func(name string) { hooks = append(hooks, name) }
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:              func(string) { note("GetConn") },
		GotConn:              func(httptrace.GotConnInfo) { note("GotConn") },
		WroteHeaders:         func() { note("WroteHeaders") },
		WroteRequest:         func(httptrace.WroteRequestInfo) { note("WroteRequest") },
		GotFirstResponseByte: func() { note("GotFirstResponseByte") },
	}), &hooks
}

func TestTransportShowsFaultsAsANetworkDoes(t *testing.T) {
	sent := []string{"GetConn", "GotConn", "WroteHeaders", "WroteRequest"}
	whole := append(slices.Clone(sent), "GotFirstResponseByte")
	for _, test := range []struct {
		name   string
		fault  Fault
		hooks  []string
		is     error
		status int
		body   error
		orders int
	}{
		{name: "no fault", fault: Fault{Kind: Overloaded, Count: 1, Match: Match{Method: "PUT"}}, hooks: whole, status: 200, orders: 1},
		{name: "refused connect", fault: Fault{Kind: Refuse}, hooks: sent[:1], is: syscall.ECONNREFUSED},
		{name: "lost request", fault: Fault{Kind: Drop}, hooks: sent, is: io.EOF},
		{name: "lost answer", fault: Fault{Kind: AcceptDropAnswer}, hooks: sent, is: io.EOF, orders: 1},
		{name: "reset", fault: Fault{Kind: AcceptDropAnswer, Reset: true}, hooks: sent, is: syscall.ECONNRESET, orders: 1},
		{name: "cut body", fault: Fault{Kind: CutBody}, hooks: whole, status: 200, body: io.ErrUnexpectedEOF, orders: 1},
		{name: "gateway", fault: Fault{Kind: BadGateway}, hooks: whole, status: 502},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := New(Config{})
			defer v.Close()
			add(t, v, test.fault)
			ctx, hooks := traced(t.Context())
			resp, err := v.Transport().RoundTrip(outgoing(ctx, "POST", "order", marketBuy+"a"))
			if !errors.Is(err, test.is) || (err == nil) != (test.is == nil) || !slices.Equal(*hooks, test.hooks) {
				t.Errorf("error %v, hooks %v; want %v, %v", err, *hooks, test.is, test.hooks)
			}
			if err == nil {
				_, readErr := io.ReadAll(resp.Body)
				if resp.StatusCode != test.status || !errors.Is(readErr, test.body) {
					t.Errorf("status %d, body ends with %v; want %d, %v", resp.StatusCode, readErr, test.status, test.body)
				}
			}
			if n := v.Oracle().Totals.Orders; n != test.orders {
				t.Errorf("%d orders; want %d", n, test.orders)
			}
		})
	}
}

// TestTransportLetsTheClientLeave: the venue goes on with a request whose client has given up, and does not take it for
// acknowledged.
func TestTransportLetsTheClientLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{})
		defer v.Close()
		add(t, v, Fault{Kind: Hold, Delay: 3 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := v.Client().Do(outgoing(ctx, "POST", "order", marketBuy+"a"))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v; want the deadline after 1s", err, time.Since(start))
		}
		if n := v.Oracle().Totals.Orders; n != 0 {
			t.Errorf("%d orders before the request was forwarded", n)
		}
		time.Sleep(3 * time.Second)
		if o := v.Oracle(); o.Totals.Orders != 1 || o.Orders["a"].Acknowledged {
			t.Errorf("%+v; want one order that nobody heard of", o.Orders)
		}
	})
}

func TestTransportTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{})
		defer v.Close()
		tr := v.Transport()
		tr.Latency, tr.Address = 10*time.Millisecond, "203.0.113.9:1"
		start := time.Now()
		if _, err := tr.RoundTrip(outgoing(t.Context(), "GET", "account", "")); err != nil || time.Since(start) != 20*time.Millisecond {
			t.Errorf("%v after %v; want an answer after 20ms", err, time.Since(start))
		}
		cancelled, cancel := context.WithCancelCause(t.Context())
		reason := errors.New("the user left")
		cancel(reason)
		if _, err := tr.RoundTrip(outgoing(cancelled, "GET", "account", "")); err != reason {
			t.Errorf("%v; want the cause %v", err, reason)
		}
		broken := outgoing(t.Context(), "POST", "order", "")
		broken.Body = io.NopCloser(io.MultiReader(strings.NewReader("symbol="), errReader{reason}))
		if _, err := tr.RoundTrip(broken); !errors.Is(err, reason) {
			t.Errorf("%v; want %v", err, reason)
		}
		v.Close()
		if _, err := tr.RoundTrip(outgoing(t.Context(), "GET", "account", "")); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v of a closed venue; want a refused connect", err)
		}
	})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// TestTransportBodyEndsWithItsContext: as in net/http, an answer cannot be read after the request's context has ended.
func TestTransportBodyEndsWithItsContext(t *testing.T) {
	v := New(Config{})
	defer v.Close()
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := v.Client().Do(outgoing(ctx, "GET", "account", ""))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("read = %v; want canceled", err)
	}
}

// TestTransportAnswersLikeASocket: the same requests over loopback and in memory get the same answers.
func TestTransportAnswersLikeASocket(t *testing.T) {
	run := func(over func(v *Venue) *binance.Client) (got []string) {
		v := New(Config{})
		defer v.Close()
		add(t, v, Fault{Kind: BadGateway, Match: Match{Nth: 3}}, Fault{Kind: AcceptUnavailable, Match: Match{Nth: 4}})
		c := over(v)
		for i := range 6 {
			o, err := c.NewCreateOrderService().Symbol("BTCUSDT").Side(binance.SideTypeBuy).Type(binance.OrderTypeMarket).
				Quantity("0.01").NewClientOrderID(fmt.Sprint("id", i)).Do(t.Context())
			if o != nil {
				o.TransactTime = 0
			}
			b, _ := json.Marshal(o)
			got = append(got, fmt.Sprint(string(b), err))
		}
		return got
	}
	socket := run(func(v *Venue) *binance.Client {
		srv := httptest.NewServer(v)
		t.Cleanup(srv.Close)
		c := binance.NewClient(DefaultKey, DefaultSecret)
		c.BaseURL = srv.URL
		return c
	})
	memory := run(func(v *Venue) *binance.Client {
		c := binance.NewClient(DefaultKey, DefaultSecret)
		c.BaseURL, c.HTTPClient = "http://venue", v.Client()
		return c
	})
	if !reflect.DeepEqual(socket, memory) {
		t.Errorf("over a socket %v\nin memory %v", socket, memory)
	}
}

// TestResetOverASocket: a fault that resets is a reset on the wire as well.
func TestResetOverASocket(t *testing.T) {
	v := New(Config{})
	srv := httptest.NewServer(v)
	defer srv.Close()
	defer v.Close()
	add(t, v, Fault{Kind: Drop, Reset: true})
	r := outgoing(t.Context(), "POST", "order", marketBuy+"a")
	r.URL.Scheme, r.URL.Host, r.Host = "http", strings.TrimPrefix(srv.URL, "http://"), ""
	if _, err := srv.Client().Do(r); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v; want a reset", err)
	}
}

func BenchmarkTransport(b *testing.B) {
	open := Config{MaxOrders: 10_000_000, Limits: Limits{WeightPerMinute: Unlimited, RequestsPer5Min: Unlimited, OrdersPer10s: Unlimited, OrdersPerDay: Unlimited}}
	for _, flow := range []int{2, -1} {
		b.Run(fmt.Sprint("place/flow=", max(flow, 0)), func(b *testing.B) {
			open.FlowPerRequest = flow
			v := New(open)
			defer v.Close()
			tr := v.Transport()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				words := "symbol=BTCUSDT side=" + []string{"BUY", "SELL"}[i%2] + " type=LIMIT timeInForce=IOC price=60000 quantity=0.001 newClientOrderId="
				resp, err := tr.RoundTrip(outgoing(b.Context(), "POST", "order", fmt.Sprint(words, i)))
				if err != nil || resp.StatusCode != 200 {
					b.Fatal(resp, err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}
