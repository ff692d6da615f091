package gateway

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/relent-go/relent/chaos"
	"github.com/relent-go/relent/cmd/internal/server"
	"github.com/relent-go/relent/dashboard"
	"github.com/relent-go/relent/observe/audit"
)

// repeater is an upstream that speaks through web sockets.
func repeater(t *testing.T) string {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		for {
			kind, text, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, append([]byte("heard "), text...)) != nil {
				return
			}
		}
	}))
	t.Cleanup(up.Close)
	return up.URL
}

func TestWebSocket(t *testing.T) {
	p := start(t, fast+section(repeater(t), ", policy: api.call"), Options{})
	c, _, err := websocket.Dial(t.Context(), p.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	for n := range 3 {
		text := fmt.Sprint(n)
		if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Read(t.Context()); err != nil || string(got) != "heard "+text {
			t.Fatalf("%q, %v", got, err)
		}
	}
	// Left open: the end of the proxy ends it.
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, _, err := c.Read(ctx); err == nil || ctx.Err() != nil {
			t.Errorf("%v; want the socket closed with the proxy", err)
		}
	})
}

// An answer that comes in parts is passed on in parts.
func TestStreams(t *testing.T) {
	next := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for n := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", n)
			http.NewResponseController(w).Flush()
			<-next
		}
	}))
	defer up.Close()
	p := start(t, fast+section(up.URL, ", policy: api.call"), Options{})
	resp, err := http.Get(p.url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	part := make([]byte, len("data: 0\n\n"))
	for n := range 3 {
		if _, err := io.ReadFull(resp.Body, part); err != nil || string(part) != fmt.Sprintf("data: %d\n\n", n) {
			t.Fatalf("%q, %v", part, err)
		}
		next <- struct{}{}
	}
}

func tokens(t *testing.T, roles ...dashboard.Role) (file string, secrets []string) {
	file = filepath.Join(t.TempDir(), "tokens")
	text := ""
	for _, role := range roles {
		secret, token := dashboard.NewToken(role.String(), role)
		text += token.String() + "\n"
		secrets = append(secrets, secret)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, secrets
}

func TestChaos(t *testing.T) {
	up, seen := echo(t)
	file, secrets := tokens(t, dashboard.Viewer, dashboard.Operator)
	p := start(t, fast+section(up, ", policy: api.call")+"  tokens_file: "+file+"\n", Options{Chaos: chaos.New(1)})
	set := func(secret, rules string) int {
		return ask(t, "PUT", p.admin+"/chaos", rules, "Authorization", "Bearer "+secret).StatusCode
	}
	if code := set(secrets[0], "fail"); code != http.StatusUnauthorized {
		t.Errorf("%d; a viewer makes nothing fail", code)
	}
	if code := ask(t, "PUT", p.admin+"/chaos", "fail", "Authorization", "Bearer "+secrets[1], "Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site").StatusCode; code != http.StatusForbidden {
		t.Errorf("%d; a page of somebody else makes nothing fail", code)
	}
	if got := ask(t, "POST", p.url, "x"); got.StatusCode != 200 {
		t.Errorf("%d %s; want no fault yet", got.StatusCode, got.body)
	}
	if code := set(secrets[1], "apply-then-fail on POST /"); code != 200 {
		t.Errorf("%d", code)
	}
	if got := ask(t, "POST", p.url, "x"); !got.is(broken) || got.member(t, "outcome") != maybeWas || len(seen()) != 2 {
		t.Errorf("%d %s, %d reached the upstream; want it done and lost", got.StatusCode, got.body, len(seen()))
	}
	if got := ask(t, "GET", p.admin+"/healthz?verbose", "", "Authorization", "Bearer "+secrets[0]); !strings.Contains(got.body, "ok") {
		t.Errorf("%s", got.body)
	}
}

func TestAuditAndControl(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	ended, ready := make(chan error, 1), make(chan *server.Server, 1)
	go func() {
		ended <- server.Run(ctx, server.Config{Listen: "127.0.0.1:0", Store: "sqlite:" + filepath.Join(dir, "db"), Name: "plane"}, func(s *server.Server) { ready <- s })
	}()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	plane := <-ready
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("unasked\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	up, _ := echo(t)
	text := fast + "audit: { dir: " + filepath.Join(dir, "audit") + " }\n" + section(up, ", policy: api.call") +
		fmt.Sprintf("  name: edge\n  control: { url: %q, token_file: %q }\n", strings.TrimSuffix(plane.URL(), "/"), token)
	t.Run("connected", func(t *testing.T) {
		p := start(t, text, Options{})
		stopAll(t, p, "no-retries")
		for until := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if got := ask(t, "GET", plane.URL()+"healthz?verbose", ""); strings.Contains(ask(t, "GET", plane.URL()+"metrics", "").body, `policy="api.call"`) {
				break
			} else if time.Now().After(until) {
				t.Fatalf("the control plane has not heard of the proxy: %s", got.body)
			}
		}
	})
	store, err := audit.OpenFile(filepath.Join(dir, "audit"), audit.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if heads, err := store.Heads(t.Context()); err != nil || len(heads) != 1 || heads[0].Sequence == 0 {
		t.Errorf("%+v, %v; want the stop written down", heads, err)
	}
}

func TestRunRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	base := fast + section("http://127.0.0.1:1", ", policy: api.call")
	for name, c := range map[string]struct{ text, want string }{
		"listen is taken":  {strings.Replace(base, "listen: 127.0.0.1:0", "listen: "+taken.Addr().String(), 1), "listen: "},
		"admin is taken":   {strings.Replace(base, "admin: 127.0.0.1:0", "admin: "+taken.Addr().String(), 1), "admin: "},
		"no tokens":        {base + "  tokens_file: " + empty + "\n", "has no tokens"},
		"no certificate":   {base + "  cert_file: " + empty + "\n  key_file: " + empty + "\n", "certificate " + empty},
		"no audit":         {"audit: { dir: " + empty + "/x }\n" + base, "audit: "},
		"no control token": {base + "  control: { url: http://127.0.0.1:1, token_file: /nowhere/at/all }\n", "control: "},
		"empty token":      {base + "  control: { url: http://127.0.0.1:1, token_file: " + empty + " }\n", "must hold a token"},
	} {
		g, err := New(t.Context(), parse(t, c.text), Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if err := g.Run(ctx, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
		cancel()
	}
}

// At the end what is under way is finished, and nothing new begins.
func TestDrain(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-finish
		io.WriteString(w, "done")
	}))
	defer up.Close()
	g, err := New(t.Context(), parse(t, strings.Replace(fast+section(up.URL, ", policy: api.call"), "drain: 1s", "drain: 30s", 1)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan Address, 1), make(chan error, 1)
	go func() { ended <- g.Run(ctx, func(a Address) { ready <- a }) }()
	to := (<-ready).Proxy.String()
	answer := make(chan string, 1)
	go func() { answer <- raw(t, to, lines("GET / HTTP/1.1", "Host: a", "Connection: close")) }()
	<-began
	stop()
	for {
		c, err := net.Dial("tcp", to)
		if err != nil {
			break
		}
		c.Close()
		time.Sleep(time.Millisecond)
	}
	close(finish)
	if got := <-answer; !strings.HasSuffix(got, "done") {
		t.Errorf("%q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Clients beyond the number wait for a place.
func TestConnections(t *testing.T) {
	up, _ := echo(t)
	p := start(t, fast+section(up, ", policy: api.call")+"  connections: 1\n", Options{})
	first, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	for p.open() != 1 {
		time.Sleep(time.Millisecond)
	}
	second := make(chan string, 1)
	go func() { second <- raw(t, p.addr, lines("GET / HTTP/1.1", "Host: a", "Connection: close")) }()
	select {
	case got := <-second:
		t.Errorf("%q: it had no place", got)
	case <-time.After(50 * time.Millisecond):
	}
	first.Close()
	if got := <-second; !strings.HasPrefix(got, "HTTP/1.1 200 ") {
		t.Errorf("%q", got)
	}
}
