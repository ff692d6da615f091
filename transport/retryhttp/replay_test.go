package retryhttp_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

func TestReplay(t *testing.T) {
	no := func(*http.Request) bool { return false }
	key := func(name string, values ...string) http.Header { return http.Header{name: values} }
	for _, test := range []struct {
		name, method, body string
		opaque             bool
		header             http.Header
		partial            bool // the server answers with half a response before it closes
		transport          *retryhttp.Transport
		seen               int
		ok                 bool
	}{
		{name: "GET", method: "GET", seen: 2, ok: true},
		{name: "HEAD", method: "HEAD", seen: 2, ok: true},
		{name: "PUT with bytes", method: "PUT", body: "x", seen: 1},
		{name: "DELETE", method: "DELETE", seen: 1},
		{name: "POST", method: "POST", seen: 1},
		{name: "POST with bytes", method: "POST", body: "x", seen: 1},
		{name: "POST with a key", method: "POST", body: "x", header: key("Idempotency-Key", "k"), seen: 2, ok: true},
		{name: "POST with the other key", method: "POST", body: "x", header: key("X-Idempotency-Key", "k"), seen: 2, ok: true},
		{name: "POST with the empty slice", method: "POST", body: "x", header: key("Idempotency-Key"), seen: 2, ok: true},
		{name: "POST with a key and no body", method: "POST", header: key("Idempotency-Key", "k"), seen: 2, ok: true},
		{name: "POST with a key and an opaque body", method: "POST", body: "x", opaque: true, header: key("Idempotency-Key", "k"), seen: 1},
		{name: "GET, partial response", method: "GET", partial: true, seen: 1, ok: true}, // the body's reader learns of it

		{name: "GET, no replay", method: "GET", transport: &retryhttp.Transport{NoReplay: true}, seen: 1},
		{name: "HEAD, no replay", method: "HEAD", transport: &retryhttp.Transport{NoReplay: true}, seen: 1},
		{name: "OPTIONS, no replay", method: "OPTIONS", transport: &retryhttp.Transport{NoReplay: true}, seen: 1},
		{name: "TRACE, no replay", method: "TRACE", transport: &retryhttp.Transport{NoReplay: true}, seen: 1},
		{name: "POST with a key, no replay", method: "POST", body: "x", header: key("Idempotency-Key", "k"), transport: &retryhttp.Transport{NoReplay: true}, seen: 1},
		{name: "POST with a key and no body, no replay", method: "POST", header: key("Idempotency-Key", "k"), transport: &retryhttp.Transport{NoReplay: true}, seen: 1},
		{name: "GET said not to be idempotent", method: "GET", transport: &retryhttp.Transport{Idempotent: no}, seen: 1},
		{name: "POST with a key that does not count", method: "POST", body: "x", header: key("Idempotency-Key", "k"), transport: &retryhttp.Transport{Idempotent: no}, seen: 1},
		{name: "POST with an empty key", method: "POST", body: "x", header: key("Idempotency-Key", ""), seen: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			transport := test.transport
			if transport == nil {
				transport = &retryhttp.Transport{}
			}
			transport.Policy = &retry.Policy{MaxAttempts: 1}
			replays := 0
			transport.OnReplay = func(r *http.Request, n int) {
				if r.Method != test.method {
					t.Errorf("a replay of %s is reported", r.Method)
				}
				replays += n
			}
			for { // until the connection is one that was used before, which net/http decides
				transport.Base = plainBase(t)
				server := &hangingUp{partial: test.partial}
				url := "http://" + listen(t, server.serve)
				first, err := transport.Base.RoundTrip(request(t, "GET", url, ""))
				if err != nil {
					t.Fatal(err)
				}
				read(t, first)

				req := request(t, test.method, url, test.body)
				if test.opaque {
					req, _ = opaqueRequest(t, test.method, url, test.body)
				}
				if test.header != nil {
					req.Header = test.header
				}
				var connections []bool
				resp, err := transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
					GotConn: func(i httptrace.GotConnInfo) { connections = append(connections, i.Reused) },
				})))
				if err == nil {
					resp.Body.Close()
				}
				transport.CloseIdleConnections()
				if !connections[0] {
					replays = 0
					continue
				}
				got := server.requests()
				if len(got) != test.seen || (err == nil) != test.ok || replays != test.seen-1 {
					t.Errorf("seen %d times, %d replays, %v; want %d, %d, success: %t", len(got), replays, err, test.seen, test.seen-1, test.ok)
				}
				for _, body := range got {
					if body != test.body {
						t.Errorf("the server read %q; want %q", body, test.body)
					}
				}
				return
			}
		})
	}
}

type hangingUp struct {
	partial bool // it begins to answer before it closes

	mu   sync.Mutex
	seen []string // bodies, without that of the first request
}

func (s *hangingUp) serve(n int, c net.Conn) {
	in := bufio.NewReader(c)
	for i := 1; ; i++ {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, _ := io.ReadAll(r.Body)
		if n > 1 || i > 1 {
			s.mu.Lock()
			s.seen = append(s.seen, string(body))
			s.mu.Unlock()
		}
		switch {
		case n > 1 || i == 1:
			io.WriteString(c, answer)
		case s.partial:
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
			return
		default:
			return
		}
	}
}

func (s *hangingUp) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

func TestNoReplayOnTheWire(t *testing.T) {
	requests := make(chan string, 2)
	address := listen(t, func(n int, c net.Conn) {
		in := bufio.NewReader(c)
		var lines []string
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if line != "\r\n" {
				if name, value, ok := strings.Cut(line, ":"); ok {
					line = strings.ToLower(name) + ":" + value
				}
				lines = append(lines, line)
				continue
			}
			slices.Sort(lines[1:])
			requests <- strings.Join(lines, "")
			lines = nil
			io.WriteString(c, answer)
		}
	})
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "DELETE", "POST", "PUT", "PATCH", "LOCK"} {
		var sent [2]string
		for i, off := range []bool{false, true} {
			transport := &retryhttp.Transport{Base: plainBase(t), NoReplay: off}
			resp, err := transport.RoundTrip(request(t, method, "http://"+address, ""))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			sent[i] = <-requests
			transport.CloseIdleConnections()
		}
		if sent[0] != sent[1] {
			t.Errorf("%s: %q becomes %q", method, sent[0], sent[1])
		}
	}
}

func TestHTTP2(t *testing.T) {
	var seen atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if r.ProtoMajor != 2 || err != nil || len(body) > 0 {
			t.Errorf("%s: %s, body %q, %v", r.Method, r.Proto, body, err)
		}
		if seen.Add(1); r.URL.Path == "/abort" {
			panic(http.ErrAbortHandler) // RST_STREAM
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE"} {
		for _, off := range []bool{false, true} {
			transport := &retryhttp.Transport{Base: server.Client().Transport, NoReplay: off, Policy: quick(2)}
			resp, err := transport.RoundTrip(request(t, method, server.URL, ""))
			if err != nil {
				t.Fatal(err)
			}
			read(t, resp)
		}
	}
	// A stream reset after the request was sent is Ambiguous.
	for method, want := range map[string]int32{"GET": 2, "POST": 1} {
		seen.Store(0)
		transport := &retryhttp.Transport{Base: server.Client().Transport, Policy: quick(2)}
		_, err := transport.RoundTrip(request(t, method, server.URL+"/abort", ""))
		if failure, _ := errors.AsType[*retry.Error](err); failure == nil || !failure.Unknown || seen.Load() != want {
			t.Errorf("%s: %v after %d attempts; want %d, outcome unknown", method, err, seen.Load(), want)
		}
	}
}

func TestRefusedReplay(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.SetDeadline(time.Now().Add(2 * time.Second)) // should net/http not use it again
		in := bufio.NewReader(c)
		http.ReadRequest(in)
		io.WriteString(c, answer)
		http.ReadRequest(in)
		l.Close()
		c.Close()
	}()
	transport := &retryhttp.Transport{Base: plainBase(t), Policy: quick(1)}
	resp, err := transport.RoundTrip(request(t, "GET", "http://"+address, ""))
	if err != nil {
		t.Fatal(err)
	}
	read(t, resp)
	req := request(t, "POST", "http://"+address, "order")
	req.Header.Set("Idempotency-Key", "k")
	_, err = transport.RoundTrip(req)
	if failure, _ := errors.AsType[*retry.Error](err); failure == nil || !failure.Unknown {
		t.Errorf("%v; want outcome unknown", err)
	}
	<-done
}
