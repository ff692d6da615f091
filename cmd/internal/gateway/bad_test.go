package gateway

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What could be read in two ways, or not at all, never reaches an upstream.
func TestBadRequests(t *testing.T) {
	var reached atomic.Int32
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		reached.Add(1)
	}))
	defer up.Close()
	text := fast + section(up.URL, ", policy: api.call, max_body: 1KiB") + "  client_idle: 100ms\n  name: here\n  max_hops: 3\n"
	p := start(t, text, Options{})
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	big := strings.Repeat("x", 1025)
	for _, c := range []struct{ name, request, status string }{
		{"two lengths", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 5", "Content-Length: 6") + "hello" + smuggled, "400"},
		{"two lengths in one", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 5, 6") + "hello", "400"},
		{"a length with a sign", lines("POST / HTTP/1.1", "Host: a", "Content-Length: +5") + "hello", "400"},
		{"a negative length", lines("POST / HTTP/1.1", "Host: a", "Content-Length: -5") + "hello", "400"},
		{"a length that is none", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 0x5") + "hello", "400"},
		{"a huge length", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 99999999999999999999") + "hello", "400"},
		{"length and coding", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 5", "Transfer-Encoding: chunked") + "0\r\n\r\n" + smuggled, "400"},
		{"coding and length", lines("POST / HTTP/1.1", "Host: a", "transfer-encoding: chunked", "content-length: 0") + "0\r\n\r\n" + smuggled, "400"},
		{"length and coding in a second request", lines("GET /ok HTTP/1.1", "Host: a", "X-Count: no") + lines("POST / HTTP/1.1", "Host: a", "Content-Length: 5", "Transfer-Encoding: chunked") + "0\r\n\r\n" + smuggled, "any"},
		{"two codings", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: identity") + "0\r\n\r\n" + smuggled, "501"},
		{"a list of codings", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: gzip, chunked") + "0\r\n\r\n" + smuggled, "501"},
		{"a coding that looks like one", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: xchunked") + "0\r\n\r\n", "501"},
		{"a space before the colon", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding : chunked", "Content-Length: 5") + "0\r\n\r\n" + smuggled, "400"},
		{"a header that is none", lines("GET / HTTP/1.1", "Host: a", "A B: c"), "400"},
		{"a header without a name", lines("GET / HTTP/1.1", "Host: a", ": c"), "400"},
		{"a header with a NUL", lines("GET / HTTP/1.1", "Host: a", "A: b\x00c"), "400"},
		{"no host", lines("GET / HTTP/1.1"), "400"},
		{"two hosts", lines("GET / HTTP/1.1", "Host: a", "Host: b"), "400"},
		{"a host that is none", lines("GET / HTTP/1.1", "Host: a b"), "400"},
		{"no request", "hello\r\n\r\n", "400"},
		{"another version", lines("GET / HTTP/3.0", "Host: a"), "505"},
		{"a bad chunk", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "zz\r\nhello\r\n0\r\n\r\n", "400"},
		{"a bad chunk size", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "fffffffffffffffff\r\nhello\r\n", "400"},
		{"a body that ends early", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 10", "Connection: close") + "hello", "408"},
		{"a body that is too long", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 1025") + big, "413"},
		{"chunks that are too long", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "401\r\n" + big + "\r\n0\r\n\r\n" + smuggled, "413"},
		{"too many headers", "GET / HTTP/1.1\r\nHost: a\r\nA: " + strings.Repeat("a", 80<<10) + "\r\n\r\n", "431"},
		{"dots", lines("GET /a/../b HTTP/1.1", "Host: a"), "400"},
		{"dots in disguise", lines("GET /a/%2e%2e/b HTTP/1.1", "Host: a"), "400"},
		{"dots behind a slash in disguise", lines("GET /a%2f..%2fb HTTP/1.1", "Host: a"), "400"},
		{"backslashes", lines("GET /a%5c..%5cb HTTP/1.1", "Host: a"), "400"},
		{"a query that is none", lines("GET /?a=%zz HTTP/1.1", "Host: a"), "400"},
		{"a query with semicolons", lines("GET /?a=1;b=2 HTTP/1.1", "Host: a"), "400"},
		{"the server as a whole", lines("OPTIONS * HTTP/1.1", "Host: a", "Connection: close"), "200"}, // net/http answers this itself
		{"CONNECT", lines("CONNECT a:443 HTTP/1.1", "Host: a:443"), "405"},
		{"TRACE", lines("TRACE / HTTP/1.1", "Host: a"), "405"},
		{"a loop", lines("GET / HTTP/1.1", "Host: a", "Via: 1.1 there, 1.1 here"), "508"},
		{"too many proxies", lines("GET / HTTP/1.1", "Host: a", "Via: 1.1 a, 1.1 b", "Via: 1.0 c (x)"), "508"},
	} {
		t.Run(c.name, func(t *testing.T) {
			reached.Store(0)
			answer := raw(t, p.addr, c.request)
			if c.status != "any" && !strings.HasPrefix(answer, "HTTP/1.1 "+c.status+" ") && !strings.HasPrefix(answer, "HTTP/1.0 "+c.status+" ") {
				t.Errorf("%.200q; want %s", answer, c.status)
			}
			most := int32(0)
			if c.status == "any" {
				most = 2 // the first one is good, and the second may be read as RFC 9112 has it
			}
			if n := reached.Load(); n > most || strings.Contains(answer, "smuggled") {
				t.Errorf("%d requests reached the upstream", n)
			}
			if strings.Count(answer, "HTTP/1.1 ") > 1 && c.status != "any" {
				t.Errorf("%q: something was read after what is bad", answer)
			}
		})
	}
}

// The upstream of a route leads back to the proxy.
func TestLoop(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	text := strings.Replace(fast+section("http://"+addr, ", policy: api.call"), "listen: 127.0.0.1:0", "listen: "+addr, 1)
	p := start(t, text, Options{})
	if got := ask(t, "GET", p.url, ""); !got.is(looped) {
		t.Errorf("%d %s; want a loop found", got.StatusCode, got.body)
	}
	until(t, func() bool { return p.live.Load().every[0].results[forwarded].Load() == 1 }) // in the second round
}

func TestBodyKinds(t *testing.T) {
	up, seen := echo(t)
	p := start(t, fast+section(up, ", policy: api.call, max_body: 64KiB, replay: 4KiB"), Options{})
	for _, c := range []struct {
		name   string
		size   int
		length bool
		whole  bool // sent with a length: it was in memory
	}{
		{"none", 0, true, true}, {"one", 1, true, true}, {"to the limit", 4 << 10, true, true}, {"above it", 4<<10 + 1, true, false},
		{"chunks", 100, false, true}, {"chunks to the limit", 4 << 10, false, true}, {"chunks above it", 8 << 10, false, false},
		{"all", 64 << 10, true, false}, {"all in chunks", 64 << 10, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := strings.Repeat("b", c.size)
			r, _ := http.NewRequest("POST", p.url, io.MultiReader(strings.NewReader(body)))
			if c.length {
				r.ContentLength = int64(c.size)
				if c.size == 0 {
					r.Body = http.NoBody
				}
			}
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 200 || !strings.Contains(string(text), `"`+body+`" <nil>`) {
				t.Errorf("%d %.200s", resp.StatusCode, text)
			}
			all := seen()
			if got := all[len(all)-1]; (got.ContentLength == int64(c.size)) != (c.whole || c.length) {
				t.Errorf("it arrived with a length of %d", got.ContentLength)
			}
		})
	}
}

// A body that found no room is sent once; one that is longer than it may be is not passed on as a whole.
func TestBodyWithoutRoom(t *testing.T) {
	var attempts atomic.Int32
	up := rude(t, func(int, *http.Request, net.Conn) { attempts.Add(1) })
	p := start(t, fast+section(up, ", policy: api.keyed, replay: 64KiB, max_body: 128KiB")+"  buffer: 4KiB\n", Options{})
	if got := ask(t, "POST", p.url, strings.Repeat("b", 32<<10)); !got.is(broken) || attempts.Load() != 1 {
		t.Errorf("%d attempts, %s; want one, since the body is gone", attempts.Load(), got.body)
	}
	if got := ask(t, "POST", p.url, "small"); !got.is(broken) || attempts.Load() != 4 {
		t.Errorf("%d attempts, %s; want three more", attempts.Load(), got.body)
	}
	r, _ := http.NewRequest("POST", p.url, io.MultiReader(strings.NewReader(strings.Repeat("b", 256<<10))))
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil { // else the connection was closed before the client had sent all
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%v; want 413", resp.Status)
		}
		resp.Body.Close()
	}
	if attempts.Load() != 4 {
		t.Errorf("a body that is too long reached the upstream as a whole")
	}
}

// A client that stops within its body does not keep its place.
func TestSlowBody(t *testing.T) {
	up, seen := echo(t)
	p := start(t, fast+section(up, ", policy: api.call, replay: 1KiB, max_body: 1MiB")+"  client_idle: 50ms\n", Options{})
	if got := raw(t, p.addr, lines("POST / HTTP/1.1", "Host: a", "Content-Length: 100")+"slow"); !strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.Contains(got, string(tooSlow)) {
		t.Errorf("%q; want 408", got)
	}
	if got := raw(t, p.addr, lines("POST / HTTP/1.1", "Host: a", "Content-Length: 100000")+"slow"); !strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.Contains(got, string(tooSlow)) {
		t.Errorf("%q; want 408", got)
	}
	for _, r := range seen() {
		if r.ContentLength == 100 {
			t.Error("half a body was forwarded as a request")
		}
	}
}

// A client that does not take its answer does not keep its place, either.
func TestSlowReader(t *testing.T) {
	ended := make(chan error, 1)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		for part := make([]byte, 64<<10); err == nil; {
			_, err = w.Write(part)
		}
		ended <- err
	}))
	defer up.Close()
	p := start(t, fast+section(up.URL, ", policy: api.call")+"  client_idle: 100ms\n", Options{})
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, lines("GET / HTTP/1.1", "Host: a"))
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("the answer goes on although nobody takes it")
	}
}

func TestCredentials(t *testing.T) {
	up, seen := echo(t)
	file := filepath.Join(t.TempDir(), "token")
	t.Setenv("GATEWAY_TEST_KEY", "hunter2-env")
	if err := os.WriteFile(file, []byte("Bearer hunter2-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, fast+section(up, `, policy: api.call, credentials: [{header: Authorization, value_file: "`+file+`"}, {header: X-Key, env: GATEWAY_TEST_KEY}]`), Options{})
	if got := ask(t, "GET", p.url, "", "X-Key", "mine"); got.StatusCode != 200 || seen()[0].Header.Get("Authorization") != "Bearer hunter2-file" || seen()[0].Header.Get("X-Key") != "hunter2-env" || len(seen()[0].Header["X-Key"]) != 1 {
		t.Errorf("%d, %v", got.StatusCode, seen()[0].Header)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	one := p.live.Load().every[0].secrets[0]
	one.mu.Lock()
	one.looked = time.Now().Add(-time.Minute)
	one.mu.Unlock()
	got := ask(t, "POST", p.url, "x")
	if !got.is(noSecret) || len(seen()) != 1 || got.member(t, "outcome") != notSent {
		t.Errorf("%d %s, %d reached the upstream; want nothing forwarded", got.StatusCode, got.body, len(seen()))
	}
	if strings.Contains(p.log.String()+got.body, "hunter2") {
		t.Error("a credential was written down")
	}
	if err := os.WriteFile(file, []byte("Bearer new"), 0o600); err != nil {
		t.Fatal(err)
	}
	one.mu.Lock()
	one.looked = time.Now().Add(-time.Minute)
	one.mu.Unlock()
	if got := ask(t, "GET", p.url, ""); got.StatusCode != 200 || seen()[1].Header.Get("Authorization") != "Bearer new" {
		t.Errorf("%d %s; want the new credential", got.StatusCode, got.body)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no section":          {fast, "no section proxy"},
		"no such credential":  {fast + section("http://127.0.0.1:1", ", policy: api.call, credentials: [{header: A, env: GATEWAY_TEST_NOT_SET}]"), "GATEWAY_TEST_NOT_SET of the header A is not set"},
		"unreadable":          {fast + section("http://127.0.0.1:1", `, policy: api.call, credentials: [{header: A, value_file: "/nowhere/at/all"}]`), "no such file"},
		"venue without facts": {fast + "venues: { mine: { profile: binance } }\n" + section("http://127.0.0.1:1", ", policy: api.call"), ""},
	} {
		_, err := New(t.Context(), parse(t, c.text), Options{})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

// The time that a client has for one answer is not that of the next one on the same connection.
func TestDeadlinesEnd(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			w.Write([]byte("x"))
			http.NewResponseController(w).Flush()
			time.Sleep(150 * time.Millisecond) // longer than client_idle
		case "/late":
			time.Sleep(150 * time.Millisecond)
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer up.Close()
	p := start(t, fast+section(up.URL, ", policy: api.call")+"  client_idle: 50ms\n", Options{})
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	for _, path := range []string{"/slow", "/late", "/", "/a/../b", "/slow", "/late"} {
		for _, body := range []string{"", "body"} {
			r, _ := http.NewRequest("POST", p.url+path, strings.NewReader(body))
			resp, err := client.Do(r)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if _, err := io.ReadAll(resp.Body); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			resp.Body.Close()
			time.Sleep(70 * time.Millisecond)
		}
	}
}
