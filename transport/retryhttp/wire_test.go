package retryhttp_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// listen serves each connection with serve, which gets the connection's number from 1 on. It closes

// the connection when serve returns.

func listen(t testing.TB, serve func(n int, c net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				serve(n, c)
			})
		}
	})
	return l.Addr().String()
}

func plainBase(t testing.TB) *http.Transport {
	base := &http.Transport{DisableCompression: true}
	t.Cleanup(base.CloseIdleConnections)
	return base
}

const answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

// The table of spec section 2, "Server closes a reused connection after reading the request": how

// often net/http lets the server see a request by itself, and that it does not where it must not.

// A hangingUp server answers the request that opens its first connection, and closes that when it has

// read the second. On further connections it answers all.

// Without a replay the same bytes are sent.

// Also on HTTP/2 nothing is resent with NoReplay, and a bodiless request is still understood.

// closedPort is an address that refuses.

func closedPort(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// What happens before a connection is there happens to nobody: H14, H19 and the connection phase of spec section 2.

func TestNotSent(t *testing.T) {
	silent := listen(t, func(_ int, c net.Conn) { io.Copy(io.Discard, c) })
	hangUp := listen(t, func(_ int, c net.Conn) { c.Read(make([]byte, 1)) })
	secure := httptest.NewUnstartedServer(nil)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	wrongHost := strings.Replace(secure.URL, "127.0.0.1", "localhost", 1)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(secure.URL, "https://"))

	for _, test := range []struct {
		name, url string
		base      *http.Transport
		policy    retry.Policy
		retried   bool
	}{
		{"dial refused", "http://" + closedPort(t), &http.Transport{}, retry.Policy{}, true},
		{"proxy refused", "http://venue.example", &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: closedPort(t)})}, retry.Policy{}, true},
		{"proxy has no way", "https://venue.example", &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: listen(t, func(_ int, c net.Conn) {
			http.ReadRequest(bufio.NewReader(c))
			io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		})})}, retry.Policy{}, true},
		{"TLS handshake timeout", "https://" + silent, &http.Transport{TLSHandshakeTimeout: 5 * time.Millisecond}, retry.Policy{}, true},
		{"TLS handshake reset", "https://" + hangUp, &http.Transport{}, retry.Policy{}, true},
		{"attempt timeout in the handshake", "https://" + silent, &http.Transport{}, retry.Policy{AttemptTimeout: 10 * time.Millisecond}, true},
		{"attempt timeout in the dial", "http://venue.example", &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}, retry.Policy{AttemptTimeout: 5 * time.Millisecond}, true},
		{"temporary DNS failure", "http://venue.example", &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{IsTemporary: true}
		}}, retry.Policy{}, true},
		{"no such host", "http://venue.example", &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{IsNotFound: true}
		}}, retry.Policy{}, false},
		{"unknown authority", secure.URL, &http.Transport{}, retry.Policy{}, false},
		{"wrong host", wrongHost, &http.Transport{TLSClientConfig: withName(secure, "venue.example")}, retry.Policy{}, false},
		{"version refused", "https://127.0.0.1:" + port, &http.Transport{TLSClientConfig: &tls.Config{MaxVersion: tls.VersionTLS10, MinVersion: tls.VersionTLS10, InsecureSkipVerify: true}}, retry.Policy{}, false},
		{"not TLS", "https://" + listen(t, func(_ int, c net.Conn) { io.WriteString(c, answer) }), &http.Transport{}, retry.Policy{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Cleanup(test.base.CloseIdleConnections)
			policy := quick(3)
			policy.AttemptTimeout = test.policy.AttemptTimeout
			for _, method := range []string{"GET", "POST"} {
				req, body := opaqueRequest(t, method, test.url, "order")
				_, err := (&retryhttp.Transport{Base: test.base, Policy: policy}).RoundTrip(req)
				failure, _ := errors.AsType[*retry.Error](err)
				want, reason := 1, retry.ErrPermanent
				if test.retried {
					want, reason = 3, retry.ErrExhausted
				}
				if failure == nil || failure.Attempts != want || !errors.Is(err, reason) {
					t.Errorf("%s: %v; want %v after %d attempts", method, err, reason, want)
				} else if method == "POST" && failure.Unknown {
					t.Errorf("%s: the outcome passes for unknown: %v", method, err)
				}
				if closes(body) != 1 {
					t.Errorf("%s: body closed %d times", method, closes(body))
				}
			}
		})
	}
}

func withName(s *httptest.Server, name string) *tls.Config {
	c := s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	c.ServerName = name
	return c
}

// H15: from the first byte on, nobody knows.

func TestUnknown(t *testing.T) {
	for _, test := range []struct {
		name   string
		serve  func(net.Conn)
		header string
		base   *http.Transport
		policy retry.Policy
	}{
		{name: "closed after the request", serve: func(c net.Conn) { http.ReadRequest(bufio.NewReader(c)) }},
		{name: "closed at once", serve: func(c net.Conn) {}},
		{name: "long headers, closed within", serve: func(c net.Conn) { c.Read(make([]byte, 4<<10)) }, header: strings.Repeat("x", 1<<20)},
		{name: "no answer", serve: func(c net.Conn) { io.Copy(io.Discard, c) }, policy: retry.Policy{AttemptTimeout: 20 * time.Millisecond}},
		{name: "header timeout", serve: func(c net.Conn) { io.Copy(io.Discard, c) }, base: &http.Transport{ResponseHeaderTimeout: 5 * time.Millisecond}},
		{name: "garbage", serve: func(c net.Conn) {
			http.ReadRequest(bufio.NewReader(c))
			io.WriteString(c, "what?\r\n\r\n")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var seen atomic.Int32
			address := listen(t, func(_ int, c net.Conn) { seen.Add(1); test.serve(c) })
			base := test.base
			if base == nil {
				base = &http.Transport{}
			}
			defer base.CloseIdleConnections()
			policy := quick(3)
			policy.AttemptTimeout = test.policy.AttemptTimeout
			for method, want := range map[string]int{"POST": 1, "PUT": 3} {
				req := request(t, method, "http://"+address, "order")
				req.Header.Set("X-Note", test.header)
				_, err := (&retryhttp.Transport{Base: base, Policy: policy}).RoundTrip(req)
				failure, _ := errors.AsType[*retry.Error](err)
				if failure == nil || failure.Attempts != want || !failure.Unknown || method == "POST" && !errors.Is(err, retry.ErrAmbiguous) {
					t.Errorf("%s: %v; want %d attempts, outcome unknown", method, err, want)
				}
			}
		})
	}
}

// A keyed order that net/http sent and then, to resend it, could not dial for, has an unknown outcome,

// though its error is that of a refused dial.

// The caller's cancel says whether anything was sent, and is no failure of the server.

func TestCancelOnTheWire(t *testing.T) {
	silent := listen(t, func(_ int, c net.Conn) { io.Copy(io.Discard, c) })
	for _, test := range []struct {
		url     string
		unknown bool
	}{{"https://" + silent, false}, {"http://" + silent, true}} {
		base := plainBase(t)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		states := &settlements{}
		transport := &retryhttp.Transport{Base: base, Policy: &retry.Policy{Gates: []retry.Gate{states}}}
		_, err := transport.RoundTrip(request(t, "POST", test.url, "order").WithContext(ctx))
		failure, _ := errors.AsType[*retry.Error](err)
		if failure == nil || failure.Reason != context.Canceled || failure.Unknown != test.unknown {
			t.Errorf("%s: %v; want it cancelled, outcome unknown: %t", test.url, err, test.unknown)
		}
		if want := []retry.State{retry.Canceled}; !slices.Equal(states.states, want) {
			t.Errorf("%s: the gate saw %v; want %v", test.url, states.states, want)
		}
		base.CloseIdleConnections()
	}
}

type settlements struct{ states []retry.State }

func (*settlements) Admit(context.Context, *retry.Attempt) error { return nil }

func (s *settlements) Settle(_ *retry.Attempt, o *retry.Outcome) {
	s.states = append(s.states, o.State)
}

// Requests that net/http cannot send are not tried again.

func TestInvalidRequest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("sent") }))
	defer server.Close()
	for _, test := range []struct {
		name  string
		spoil func(*http.Request)
	}{
		{"no URL", func(r *http.Request) { r.URL = nil }},
		{"scheme", func(r *http.Request) { r.URL.Scheme = "gopher" }},
		{"host", func(r *http.Request) { r.URL.Host = "" }},
		{"no header map", func(r *http.Request) { r.Header = nil }},
		{"header name", func(r *http.Request) { r.Header["X Y"] = []string{""} }},
		{"empty header name", func(r *http.Request) { r.Header[""] = []string{""} }},
		{"header value", func(r *http.Request) { r.Header["X"] = []string{"a\tb", "a\nb"} }},
		{"trailer", func(r *http.Request) { r.Trailer = http.Header{"X": {"\x00"}} }},
		{"method", func(r *http.Request) { r.Method = "GE T" }},
		{"path", func(r *http.Request) { r.URL.Opaque = "//venue/\x7f" }},
		{"length without a body", func(r *http.Request) { r.Body, r.ContentLength = nil, 5 }},
	} {
		for _, off := range []bool{false, true} {
			req := request(t, "POST", server.URL, "x")
			test.spoil(req)
			policy := quick(3)
			policy.Idempotent = true
			_, err := (&retryhttp.Transport{Base: plainBase(t), Policy: policy, NoReplay: off}).RoundTrip(req)
			if failure, _ := errors.AsType[*retry.Error](err); failure == nil || failure.Reason != retry.ErrPermanent || failure.Attempts != 1 {
				t.Errorf("%s: %v; want it permanent", test.name, err)
			}
		}
	}
	// A key that is no header value is noticed as well; a header is needed for Content-Length, too.
	transport := &retryhttp.Transport{Base: plainBase(t), Key: func(*http.Request) string { return "a\nb" }}
	if _, err := transport.RoundTrip(request(t, "POST", server.URL, "")); !errors.Is(err, retry.ErrPermanent) {
		t.Errorf("invalid key: %v", err)
	}
	req := request(t, "POST", server.URL, "")
	req.Header = nil
	if _, err := (&retryhttp.Transport{Base: plainBase(t), NoReplay: true}).RoundTrip(req); !errors.Is(err, retry.ErrAmbiguous) && !errors.Is(err, retry.ErrPermanent) {
		t.Errorf("no header map: %v", err)
	}
}

// 408 to a request that was still being written means that nothing was done with it.

func TestRequestTimeout(t *testing.T) {
	for _, test := range []struct {
		name string
		size int
		want int32
	}{
		{"interrupted", 8 << 20, 2},
		{"complete", 200 << 10, 1},
		{"complete, of unknown length", 200<<10 + 1, 1},
		{"short", 10, 1},
	} {
		var seen atomic.Int32
		address := listen(t, func(_ int, c net.Conn) {
			seen.Add(1)
			r, err := http.ReadRequest(bufio.NewReader(c))
			if err != nil {
				return
			}
			if test.name != "interrupted" {
				io.Copy(io.Discard, r.Body)
			}
			io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
		})
		transport := &retryhttp.Transport{Base: plainBase(t), Policy: quick(2)}
		req := request(t, "POST", "http://"+address, strings.Repeat("x", test.size))
		if strings.HasSuffix(test.name, "unknown length") {
			req.ContentLength = -1
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if read(t, resp); resp.StatusCode != 408 || seen.Load() != test.want {
			t.Errorf("%s: %d after %d attempts; want %d attempts", test.name, resp.StatusCode, seen.Load(), test.want)
		}
	}
}

// A discarded response gives its connection back; 421 and 408 ask for another one.

func TestConnections(t *testing.T) {
	for _, test := range []struct {
		code, connections int
	}{{503, 1}, {500, 1}, {421, 2}, {408, 2}} {
		var mu sync.Mutex
		remotes := map[string]bool{}
		calls := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			remotes[r.RemoteAddr] = true
			if calls++; calls == 1 {
				http.Error(w, strings.Repeat("no ", 1000), test.code)
			}
		}))
		transport := &retryhttp.Transport{Base: plainBase(t), Policy: quick(2)}
		resp, err := transport.RoundTrip(request(t, "GET", server.URL, ""))
		if err != nil {
			t.Fatal(err)
		}
		if read(t, resp); resp.StatusCode != 200 || len(remotes) != test.connections {
			t.Errorf("%d: then %d over %d connections; want 200 over %d", test.code, resp.StatusCode, len(remotes), test.connections)
		}
		transport.CloseIdleConnections()
		server.Close()
	}
}

// H26: http.Client replays the body to where a 307 leads, and each leg is retried.

func TestRedirect(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.URL.Path+" "+string(body)+" "+r.Header.Get("Relent-Attempt"))
		switch {
		case len(seen) == 1 || len(seen) == 3:
			w.WriteHeader(503)
		case r.URL.Path == "/old":
			http.Redirect(w, r, "/new", http.StatusTemporaryRedirect)
		}
	}))
	defer server.Close()
	for _, off := range []bool{false, true} {
		seen = nil
		base := plainBase(t)
		client := &http.Client{Transport: &retryhttp.Transport{Base: base, Policy: quick(2), NoReplay: off}}
		resp, err := client.Do(request(t, "PUT", server.URL+"/old", "order"))
		if err != nil {
			t.Fatal(err)
		}
		read(t, resp)
		want := []string{"/old order ", "/old order 1", "/new order ", "/new order 1"}
		if resp.StatusCode != 200 || !slices.Equal(seen, want) {
			t.Errorf("%d, the server saw %q; want %q", resp.StatusCode, seen, want)
		}
		client.CloseIdleConnections()
	}
}

// The caller's own trace still works.

func TestCallersTrace(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	var got, wrote atomic.Int32
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { got.Add(1) },
		WroteRequest: func(httptrace.WroteRequestInfo) { wrote.Add(1) },
	})
	resp, err := (&retryhttp.Transport{Base: plainBase(t)}).RoundTrip(request(t, "POST", server.URL, "order").WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	if read(t, resp); got.Load() != 1 || wrote.Load() != 1 {
		t.Errorf("%d connections, %d requests traced; want 1, 1", got.Load(), wrote.Load())
	}
}

// With the zero Transport a response can be read slowly, in spite of timeouts, and nothing stays behind.

func TestNothingLeftBehind(t *testing.T) {
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	before := runtime.NumGoroutine()
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1)%3 != 0 {
			http.Error(w, strings.Repeat("busy ", 2000), 503)
			return
		}
		for range 5 {
			io.WriteString(w, "data ")
			w.(http.Flusher).Flush()
			time.Sleep(5 * time.Millisecond)
		}
	}))
	policy := quick(3)
	policy.AttemptTimeout = time.Second
	policy.MaxElapsed = 2 * time.Second
	client := retryhttp.Client(policy)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			resp, err := client.Do(request(t, "GET", server.URL, "").WithContext(ctx))
			if err != nil {
				t.Error(err)
				return
			}
			read(t, resp)
		})
	}
	wg.Wait()
	client.CloseIdleConnections()
	server.Close()
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	stacks := make([]byte, 1<<16)
	t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
}
