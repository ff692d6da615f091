package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/cmd/internal/config"
)

// A proxied is a gateway that runs.
type proxied struct {
	*Gateway
	url, admin string
	addr       string
	log        *logged
}

// A logged buffer is written by a logger.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newLog(to io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// fast is the beginning of configurations: policies that do not wait.
const fast = `
version: 1
policies:
  api.call: { max_attempts: 3, backoff: "constant(1ms, none)", attempt_timeout: 20s, gates: [halt] }
  api.keyed: { max_attempts: 3, backoff: "constant(1ms, none)", attempt_timeout: 20s, idempotent: true, gates: [halt] }
  api.hasty: { max_attempts: 1, attempt_timeout: 50ms, gates: [halt] }
`

// parse reads a configuration.
func parse(t testing.TB, text string) *config.File {
	t.Helper()
	file, err := config.Parse("relent.yaml", []byte(text), os.LookupEnv)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return file
}

// section is the section proxy with one route for all, and what else is said of it.
func section(upstream, more string) string {
	return fmt.Sprintf("proxy:\n  listen: 127.0.0.1:0\n  admin: 127.0.0.1:0\n  drain: 1s\n  routes:\n    - { match: /, upstream: %q%s }\n", upstream, more)
}

// start runs a gateway until the test ends.
func start(t testing.TB, text string, o Options) *proxied {
	t.Helper()
	return startFile(t, "relent.yaml", text, o)
}

// startFile runs a gateway whose configuration has a name.
func startFile(t testing.TB, name, text string, o Options) *proxied {
	t.Helper()
	p := &proxied{log: &logged{}}
	o.Log = newLog(p.log)
	file, err := config.Parse(name, []byte(text), os.LookupEnv)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	g, err := New(t.Context(), file, o)
	if err != nil {
		t.Fatal(err)
	}
	p.Gateway = g
	if o.Hangups != nil {
		g.watcher.Settle = time.Hour // else a slow machine reloads twice: for the change, and for the signal
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan Address, 1), make(chan error, 1)
	go func() { ended <- g.Run(ctx, func(a Address) { ready <- a }) }()
	select {
	case a := <-ready:
		p.addr, p.url, p.admin = a.Proxy.String(), "http://"+a.Proxy.String(), "http://"+a.Admin.String()
	case err := <-ended:
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if left := g.full - g.room.free.Load(); left != 0 {
			t.Errorf("%d bytes of the room were not given back", left)
		}
	})
	return p
}

// raw sends bytes, and returns the answers up to the end of the connection.
func raw(t testing.TB, addr, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(c)
	return string(answer)
}

// lines is a request of lines.
func lines(l ...string) string { return strings.Join(l, "\r\n") + "\r\n\r\n" }

// A said is an answer that was read.
type said struct {
	*http.Response
	body string
}

// member returns a member of a problem.
func (s said) member(t testing.TB, name string) any {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(s.body), &members); err != nil {
		t.Fatalf("%d %s: %v", s.StatusCode, s.body, err)
	}
	return members[name]
}

func (s said) is(kind result) bool {
	return s.Header.Get("Content-Type") == "application/problem+json" && strings.Contains(s.body, `"urn:relent:proxy:`+string(kind)+`"`) && s.StatusCode == statuses[kind]
}

// ask makes a request and reads the answer.
func ask(t testing.TB, method, url, body string, header ...string) said {
	t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r, err := http.NewRequest(method, url, content)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return said{resp, string(text)}
}

// A rude upstream answers each connection's requests as it likes: it is handed the request and the connection, which is closed
// afterwards.
func rude(t testing.TB, answer func(n int, r *http.Request, c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	t.Cleanup(func() { l.Close() })
	all.Go(func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				r, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				if _, err := io.Copy(io.Discard, r.Body); err == nil {
					answer(n, r, c)
				}
			})
		}
	})
	return "http://" + l.Addr().String()
}
