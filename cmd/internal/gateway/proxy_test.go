package gateway

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// echo is an upstream that says what reached it.
func echo(t testing.TB) (url string, seen func() []*http.Request) {
	var got atomic.Pointer[[]*http.Request]
	got.Store(&[]*http.Request{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		for {
			old := got.Load()
			now := append(append([]*http.Request{}, *old...), r)
			if got.CompareAndSwap(old, &now) {
				break
			}
		}
		fmt.Fprintf(w, "%s %s %s %q %v", r.Method, r.Host, r.RequestURI, body, err)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() []*http.Request { return *got.Load() }
}

func TestForwards(t *testing.T) {
	up, seen := echo(t)
	p := start(t, fast+section(up+"/base", ", policy: api.call"), Options{})
	got := ask(t, "POST", p.url+"/a%20b/c?x=1&y=%41", "hello", "Connection", "X-Hop", "X-Hop", "1", "Keep-Alive", "1", "X-Forwarded-For", "6.6.6.6", "Proxy-Authorization", "x", "X-End", "2")
	if want := fmt.Sprintf(`POST %s /base/a%%20b/c?x=1&y=%%41 "hello" <nil>`, strings.TrimPrefix(up, "http://")); got.body != want || got.StatusCode != 200 {
		t.Errorf("%d %s; want %s", got.StatusCode, got.body, want)
	}
	h := seen()[0].Header
	for name, want := range map[string]string{
		"X-Hop": "", "Keep-Alive": "", "Proxy-Authorization": "", "X-End": "2", "X-Forwarded-For": "127.0.0.1",
		"X-Forwarded-Host": strings.TrimPrefix(p.url, "http://"), "X-Forwarded-Proto": "http", "Via": "1.1 " + p.name, "Relent-Attempt": "",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q; want %q", name, got, want)
		}
	}
}

func TestRoutes(t *testing.T) {
	up, seen := echo(t)
	p := start(t, fast+`
proxy:
  listen: 127.0.0.1:0
  admin: 127.0.0.1:0
  drain: 0s
  routes:
    - { match: /api, upstream: "`+up+`/any", policy: api.call, trust_forwarded: true }
    - { match: /api/v3, upstream: "`+up+`/three", policy: api.call }
    - { match: Shop.example/, upstream: "`+up+`/shop", policy: api.call, keep_host: true }
    - { match: shop.example/api/, upstream: "`+up+`/shopapi", policy: api.call }
`, Options{})
	for _, c := range []struct{ host, path, want string }{
		{"", "/api", "/any/api"},
		{"", "/api/", "/any/api/"},
		{"", "/api/v3/x", "/three/api/v3/x"},
		{"", "/api/v33", "/any/api/v33"},
		{"shop.EXAMPLE:80", "/x", "/shop/x"},
		{"shop.example.", "/apis", "/shop/apis"},
		{"shop.example", "/api/x", "/shopapi/api/x"},
		{"other.example", "/api/x", "/any/api/x"},
		{"other.example", "/x", ""},
		{"", "/ap", ""},
		{"", "/API", ""},
	} {
		before := len(seen())
		got := ask(t, "GET", p.url+c.path, "", "Host", c.host, "X-Forwarded-For", "1.2.3.4")
		switch {
		case c.want == "":
			if !got.is(noRoute) || len(seen()) != before {
				t.Errorf("%s%s: %d %s; want no route", c.host, c.path, got.StatusCode, got.body)
			}
		case !strings.Contains(got.body, " "+c.want+" "):
			t.Errorf("%s%s: %s; want %s", c.host, c.path, got.body, c.want)
		}
		if all := seen(); c.want == "/any/api" && all[len(all)-1].Header.Get("X-Forwarded-For") != "1.2.3.4, 127.0.0.1" {
			t.Errorf("X-Forwarded-For: %q; the client is trusted", all[len(all)-1].Header.Get("X-Forwarded-For"))
		}
		if strings.HasPrefix(c.want, "/shop/") != strings.Contains(strings.ToLower(got.body), "get shop.example") {
			t.Errorf("%s: %s: keep_host", c.host, got.body)
		}
	}
}

// What is sent again, and what is not.
func TestResends(t *testing.T) {
	for _, c := range []struct {
		name, method, policy string
		header               []string
		answer               string // of the first attempt
		attempts             int
		status               int // that the client sees
		kind                 result
		outcome              string
	}{
		{"GET, 502", "GET", "api.call", nil, "HTTP/1.1 502 Bad\r\nContent-Length: 1\r\n\r\nx", 2, 200, "", ""},
		{"GET, cut", "GET", "api.call", nil, "", 2, 200, "", ""},
		{"POST, 502", "POST", "api.call", nil, "HTTP/1.1 502 Bad\r\nContent-Length: 1\r\n\r\nx", 1, 502, "", ""},
		{"POST, cut", "POST", "api.call", nil, "", 1, 502, broken, maybeWas},
		{"DELETE, cut", "DELETE", "api.call", nil, "", 1, 502, broken, maybeWas},
		{"PUT, cut", "PUT", "api.call", nil, "", 1, 502, broken, maybeWas},
		{"POST, 429", "POST", "api.call", nil, "HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", 2, 200, "", ""},
		{"POST with a key, cut", "POST", "api.call", []string{"Idempotency-Key", "k"}, "", 2, 200, "", ""},
		{"POST, idempotent policy, cut", "POST", "api.keyed", nil, "", 2, 200, "", ""},
		{"POST, garbage", "POST", "api.call", nil, "SSH-2.0-OpenSSH\r\n\r\n", 1, 502, broken, maybeWas},
		{"POST of a retry above", "POST", "api.keyed", []string{"Relent-Attempt", "1"}, "", 1, 502, broken, maybeWas},
		{"GET, 404", "GET", "api.call", nil, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 1, 404, "", ""},
		{"GET, 301 is passed on", "GET", "api.call", nil, "HTTP/1.1 301 There\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 1, 301, "", ""},
		{"POST, 307 is passed on", "POST", "api.keyed", nil, "HTTP/1.1 307 There\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 1, 307, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var attempts atomic.Int32
			up := rude(t, func(n int, r *http.Request, conn net.Conn) {
				if attempts.Add(1) == 1 {
					io.WriteString(conn, c.answer)
					return
				}
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			})
			p := start(t, fast+section(up, ", policy: "+c.policy), Options{})
			body := ""
			if c.method != "GET" {
				body = "order"
			}
			got := ask(t, c.method, p.url+"/x", body, c.header...)
			if int(attempts.Load()) != c.attempts || got.StatusCode != c.status {
				t.Errorf("%d attempts, %d %s; want %d, %d", attempts.Load(), got.StatusCode, got.body, c.attempts, c.status)
			}
			if c.kind != "" && (!got.is(c.kind) || got.Header.Get("Relent-Outcome") != c.outcome) {
				t.Errorf("%v %s; want %s, %s", got.Header, got.body, c.kind, c.outcome)
			}
		})
	}
}

func TestUpstreamAway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	p := start(t, fast+section("http://"+l.Addr().String(), ", policy: api.call"), Options{})
	got := ask(t, "POST", p.url+"/", "x")
	if !got.is(unreachable) || got.member(t, "outcome") != notSent || got.member(t, "attempts") != 3.0 {
		t.Errorf("%s; want three attempts, none sent", got.body)
	}
	if strings.Contains(got.body, l.Addr().String()) {
		t.Errorf("%s: the address of the upstream is nobody's business", got.body)
	}
}

func TestUpstreamNeverAnswers(t *testing.T) {
	up := rude(t, func(_ int, _ *http.Request, c net.Conn) { io.Copy(io.Discard, c) })
	p := start(t, fast+section(up, ", policy: api.hasty"), Options{})
	if got := ask(t, "POST", p.url+"/", "x"); !got.is(late) || got.member(t, "outcome") != maybeWas {
		t.Errorf("%s; want late, outcome unknown", got.body)
	}
	if got := ask(t, "GET", p.url+"/", ""); !got.is(late) || got.member(t, "outcome") != nil {
		t.Errorf("%s; want late, and no word on the outcome of a GET", got.body)
	}
}

// An upstream that lies about its length ends as an answer that is cut, never as a whole one.
func TestUpstreamLies(t *testing.T) {
	for name, answer := range map[string]string{
		"too short":        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
		"chunk cut":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nshort",
		"garbage in chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nshort\r\n",
	} {
		up := rude(t, func(_ int, _ *http.Request, c net.Conn) { io.WriteString(c, answer) })
		p := start(t, fast+section(up, ", policy: api.call"), Options{})
		resp, err := http.Get(p.url)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the client takes the answer for whole", name)
		}
	}
	for name, answer := range map[string]string{
		"two lengths":       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
		"no length":         "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc",
		"status":            "HTTP/1.1 2000 OK\r\n\r\n",
		"nothing":           "",
		"large headers":     "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 300<<10) + "\r\n\r\n",
		"informal for ever": strings.Repeat("HTTP/1.1 102 Wait\r\n\r\n", 20_000),
	} {
		up := rude(t, func(_ int, _ *http.Request, c net.Conn) { io.WriteString(c, answer) })
		p := start(t, fast+section(up, ", policy: api.call"), Options{})
		if got := ask(t, "POST", p.url, "x"); !got.is(broken) || got.member(t, "outcome") != maybeWas {
			t.Errorf("%s: %d %s; want %s", name, got.StatusCode, got.body, broken)
		}
	}
	// A header that is none is dropped.
	none := rude(t, func(_ int, _ *http.Request, c net.Conn) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nA B: c\r\nContent-Length: 0\r\n\r\n")
	})
	if got := ask(t, "GET", start(t, fast+section(none, ", policy: api.call"), Options{}).url, ""); got.StatusCode != 200 || got.Header["A B"] != nil {
		t.Errorf("%d %v; want no header with a space", got.StatusCode, got.Header)
	}
	// More than was said is dropped.
	up := rude(t, func(_ int, _ *http.Request, c net.Conn) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
		time.Sleep(10 * time.Millisecond)
	})
	p := start(t, fast+section(up, ", policy: api.call"), Options{})
	for range 3 {
		if got := ask(t, "GET", p.url, ""); got.body != "ok" {
			t.Errorf("%q; want ok", got.body)
		}
	}
}
