package ws_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"

	"github.com/relent-go/relent/contrib/ws"
	"github.com/relent-go/relent/transport/retryws"
)

// each runs a test with both libraries.
func each(t *testing.T, test func(t *testing.T, dial retryws.Dialer)) {
	t.Run("coder", func(t *testing.T) { test(t, &ws.Coder{}) })
	t.Run("gorilla", func(t *testing.T) { test(t, &ws.Gorilla{}) })
}

// serve starts a server that hands each connection to f, and ends it afterwards.
func serve(t *testing.T, f func(ctx context.Context, c *websocket.Conn)) retryws.Address {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(1 << 20)
		f(r.Context(), c)
	}))
	t.Cleanup(s.Close)
	return retryws.Address{URL: "ws" + strings.TrimPrefix(s.URL, "http"), Header: http.Header{"X-Test": {"1"}}}
}

func open(t *testing.T, d retryws.Dialer, to retryws.Address, heard func()) retryws.Conn {
	t.Helper()
	c, err := d.Dial(t.Context(), to, heard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(0) })
	return c
}

func nothing() {}

func TestEcho(t *testing.T) {
	each(t, func(t *testing.T, d retryws.Dialer) {
		c := open(t, d, serve(t, func(ctx context.Context, c *websocket.Conn) {
			for {
				kind, m, err := c.Read(ctx)
				if err != nil {
					return
				}
				c.Write(ctx, kind, m)
			}
		}), nothing)
		for _, m := range []string{"one", "two"} {
			if err := c.Write(t.Context(), []byte(m)); err != nil {
				t.Fatal(err)
			}
			if got, err := c.Read(t.Context()); err != nil || string(got) != m {
				t.Errorf("Read = %q, %v; want %q", got, err, m)
			}
		}
		if err := c.Close(retryws.CloseNormal); err != nil {
			t.Errorf("Close = %v", err)
		}
		if err := c.Close(0); err != nil {
			t.Errorf("Close again = %v", err)
		}
		if err := c.Write(t.Context(), []byte("x")); err == nil {
			t.Error("Write after Close = nil")
		}
		if err := c.Ping(t.Context()); err == nil {
			t.Error("Ping after Close = nil")
		}
	})
}

// Pings of both sides are answered, and those of the server are reported.
func TestPings(t *testing.T) {
	each(t, func(t *testing.T, d retryws.Dialer) {
		var heard atomic.Int64
		pinged := make(chan error, 1)
		c := open(t, d, serve(t, func(ctx context.Context, c *websocket.Conn) {
			ctx = c.CloseRead(ctx)
			pinged <- c.Ping(ctx)
			<-ctx.Done()
		}), func() { heard.Add(1) })
		go c.Read(t.Context())
		if err := <-pinged; err != nil || heard.Load() != 1 {
			t.Errorf("server's ping: %v, heard %d times; want answered, once", err, heard.Load())
		}
		for range 2 {
			if err := c.Ping(t.Context()); err != nil {
				t.Errorf("Ping = %v", err)
			}
		}
	})
}

// A server that does not read answers no ping: ctx bounds the wait.
func TestPingWithoutAnswer(t *testing.T) {
	each(t, func(t *testing.T, d retryws.Dialer) {
		c := open(t, d, serve(t, func(ctx context.Context, c *websocket.Conn) { <-ctx.Done() }), nothing)
		go c.Read(t.Context())
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := c.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ping = %v; want %v", err, context.DeadlineExceeded)
		}
		ended := make(chan error, 1)
		go func() { ended <- c.Ping(context.Background()) }()
		time.AfterFunc(50*time.Millisecond, func() { c.Close(0) })
		if err := <-ended; err == nil {
			t.Error("Ping = nil on a closed connection")
		}
	})
}

func TestCloseCodes(t *testing.T) {
	for _, code := range []int{1000, 1001, 1003, 1008, 1009, 1011, 1012, 1013} {
		each(t, func(t *testing.T, d retryws.Dialer) {
			c := open(t, d, serve(t, func(_ context.Context, c *websocket.Conn) { c.Close(websocket.StatusCode(code), "because") }), nothing)
			_, err := c.Read(t.Context())
			if e, ok := errors.AsType[*retryws.CloseError](err); !ok || e.Code != code || e.Reason != "because" {
				t.Errorf("Read = %v; want closed with %d", err, code)
			}
			if err := c.Close(0); err != nil {
				t.Errorf("Close = %v", err)
			}
		})
	}
}

// A connection that breaks without a close frame.
func TestAbruptEnd(t *testing.T) {
	each(t, func(t *testing.T, d retryws.Dialer) {
		c := open(t, d, serve(t, func(_ context.Context, c *websocket.Conn) { c.CloseNow() }), nothing)
		_, err := c.Read(t.Context())
		e, _ := errors.AsType[*retryws.CloseError](err)
		if !errors.Is(err, io.EOF) && (e == nil || e.Code != retryws.CloseAbnormal) {
			t.Errorf("Read = %v; want EOF or 1006", err)
		}
	})
}

func TestRefusedHandshakes(t *testing.T) {
	for _, test := range []struct {
		status int
		header http.Header
		after  time.Duration
	}{
		{429, http.Header{"Retry-After": {"45"}}, 45 * time.Second},
		{418, http.Header{"Retry-After": {"120"}}, 2 * time.Minute},
		{403, nil, 0},
		{401, nil, 0},
		{503, http.Header{"Retry-After": {"1"}}, time.Second},
		{200, nil, 0},
	} {
		each(t, func(t *testing.T, d retryws.Dialer) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for k, v := range test.header {
					w.Header()[k] = v
				}
				w.WriteHeader(test.status)
				io.WriteString(w, "go away")
			}))
			defer s.Close()
			_, err := d.Dial(t.Context(), retryws.Address{URL: "ws" + strings.TrimPrefix(s.URL, "http")}, nothing)
			e, ok := errors.AsType[*retryws.HandshakeError](err)
			if !ok || e.Status != test.status || e.After != test.after || e.Body != "go away" {
				t.Errorf("Dial = %v; want refused with %d, %v", err, test.status, test.after)
			}
		})
	}
}

// Nobody listens, or it is no websocket that answers.
func TestDialErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Sec-WebSocket-Accept", "wrong")
		w.WriteHeader(http.StatusSwitchingProtocols)
	}))
	defer s.Close()
	each(t, func(t *testing.T, d retryws.Dialer) {
		for _, address := range []string{"ws://" + l.Addr().String(), "ws" + strings.TrimPrefix(s.URL, "http")} {
			_, err := d.Dial(t.Context(), retryws.Address{URL: address}, nothing)
			if _, ok := errors.AsType[*retryws.HandshakeError](err); ok || err == nil {
				t.Errorf("Dial = %v; want an error that is no refusal", err)
			}
		}
	})
}

// 10 MB are refused, and the server is told why.
func TestReadLimit(t *testing.T) {
	each(t, func(t *testing.T, d retryws.Dialer) {
		told := make(chan error, 1)
		c := open(t, d, serve(t, func(ctx context.Context, c *websocket.Conn) {
			go c.Write(ctx, websocket.MessageText, make([]byte, 10<<20))
			_, _, err := c.Read(ctx)
			told <- err
		}), nothing)
		_, err := c.Read(t.Context())
		if e, ok := errors.AsType[*retryws.CloseError](err); !ok || e.Code != retryws.CloseTooBig {
			t.Errorf("Read = %v; want closed with 1009", err)
		}
		c.Close(0)
		<-told
	})
	for name, d := range map[string]retryws.Dialer{"coder": &ws.Coder{ReadLimit: 11 << 20}, "gorilla": &ws.Gorilla{ReadLimit: 11 << 20}} {
		t.Run(name+" with a higher limit", func(t *testing.T) {
			c := open(t, d, serve(t, func(ctx context.Context, c *websocket.Conn) {
				c.Write(ctx, websocket.MessageText, make([]byte, 10<<20))
				c.Read(ctx)
			}), nothing)
			if m, err := c.Read(t.Context()); len(m) != 10<<20 || err != nil {
				t.Errorf("Read = %d bytes, %v; want 10 MB", len(m), err)
			}
		})
	}
}

// The end of a context ends Read, and Write to a server that does not read.
func TestContexts(t *testing.T) {
	each(t, func(t *testing.T, d retryws.Dialer) {
		to := serve(t, func(ctx context.Context, c *websocket.Conn) {
			c.Write(ctx, websocket.MessageText, []byte("hello"))
			<-ctx.Done()
		})
		c := open(t, d, to, nothing)
		if _, err := c.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		if _, err := c.Read(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Read = %v; want %v", err, context.Canceled)
		}
		c = open(t, d, to, nothing)
		ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var err error
		for err == nil {
			err = c.Write(ctx, make([]byte, 1<<20))
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Write = %v; want %v", err, context.DeadlineExceeded)
		}
	})
}

// Close does not wait long for a server that never answers, and ends a Read.
func TestCloseWithoutAnswer(t *testing.T) {
	each(t, func(t *testing.T, d retryws.Dialer) {
		c := open(t, d, serve(t, func(ctx context.Context, c *websocket.Conn) { <-ctx.Done() }), nothing)
		ended := make(chan error, 1)
		go func() {
			_, err := c.Read(context.Background())
			ended <- err
		}()
		start := time.Now()
		time.Sleep(20 * time.Millisecond)
		c.Close(retryws.CloseNormal)
		if err := <-ended; err == nil {
			t.Error("Read = nil after Close")
		}
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("Close took %v; want about a second", took)
		}
	})
}

// The user's own options stay in force.
func TestOptions(t *testing.T) {
	got := make(chan http.Header, 2)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header
		if c, err := websocket.Accept(w, r, nil); err == nil {
			ctx := c.CloseRead(r.Context())
			c.Ping(ctx)
			c.CloseNow()
		}
	}))
	defer s.Close()
	to := retryws.Address{URL: "ws" + strings.TrimPrefix(s.URL, "http"), Header: http.Header{"B": {"session"}, "C": {"3"}}}
	mine := http.Header{"A": {"1"}, "B": {"mine"}}
	var pings atomic.Int64
	for _, d := range []retryws.Dialer{
		&ws.Coder{Options: &websocket.DialOptions{HTTPHeader: mine, OnPingReceived: func(context.Context, []byte) bool { pings.Add(1); return true }}},
		&ws.Gorilla{Dialer: &gorilla.Dialer{}, Header: mine},
	} {
		c := open(t, d, to, nothing)
		c.Read(t.Context())
		h := <-got
		if h.Get("A") != "1" || h.Get("B") != "session" || h.Get("C") != "3" {
			t.Errorf("handshake with %v", h)
		}
	}
	if len(mine) != 2 || pings.Load() != 1 {
		t.Errorf("options changed to %v, %d pings seen; want as they were, 1", mine, pings.Load())
	}
}
