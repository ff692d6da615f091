package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A shared buffer is written by a command and read by its test.
type shared struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestProxy(t *testing.T) {
	t.Chdir(t.TempDir())
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "from the upstream") }))
	defer up.Close()
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	head := "version: 1\npolicies: { api.call: { gates: [halt] } }\n"
	route := func(more string) string {
		return "proxy:\n  listen: 127.0.0.1:0\n  admin: 127.0.0.1:0\n  drain: 0s\n  routes: [{ match: /, upstream: " + up.URL + ", policy: api.call" + more + " }]\n"
	}
	write("relent.yaml", head+route(""))
	write("none.yaml", head)
	write("bad.yaml", head+route(", venue: nowhere"))
	write("secret.yaml", head+route(", credentials: [{ header: A, value_file: none }]"))
	write("taken.yaml", head+strings.Replace(route(""), "admin: 127.0.0.1:0", "admin: "+strings.TrimPrefix(up.URL, "http://"), 1))
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--odd"}, 2, "try: relent proxy --help"},
		{[]string{"more"}, 2, ""},
		{[]string{"--chaos", "explode"}, 2, `"explode" is no fault`},
		{[]string{"-c", "missing.yaml"}, exitInvalid, "missing.yaml"},
		{[]string{"-c", "none.yaml"}, exitInvalid, "no section proxy"},
		{[]string{"-c", "bad.yaml"}, exitInvalid, "unknown venue"},
		{[]string{"-c", "secret.yaml"}, exitInvalid, "the header A"},
		{[]string{"-c", "taken.yaml"}, 1, "admin: "},
	} {
		var out, complaints bytes.Buffer
		if code := run(append([]string{"proxy"}, c.args...), &out, &complaints); code != c.code || !strings.Contains(complaints.String(), c.want) {
			t.Errorf("%v: %d, %s; want %d, %s", c.args, code, complaints.String(), c.code, c.want)
		}
	}
	var out, complaints shared
	ended := make(chan int, 1)
	go func() { ended <- run([]string{"proxy", "--chaos", "fail 0%"}, &out, &complaints) }()
	var urls []string
	for until := time.Now().Add(30 * time.Second); len(urls) < 2; time.Sleep(10 * time.Millisecond) {
		if urls = regexp.MustCompile(`http://[0-9.:]+/`).FindAllString(out.String(), -1); time.Now().After(until) {
			t.Fatalf("it does not start: %s%s", out.String(), complaints.String())
		}
	}
	for url, want := range map[string]string{urls[0]: "from the upstream", urls[1] + "livez": "ok", urls[1] + "chaos": "fail 0%"} {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !strings.Contains(string(text), want) {
			t.Errorf("%s: %s; want %s", url, text, want)
		}
	}
	// The file is followed: a mistake changes nothing, and a new route is there.
	write("relent.yaml", head+strings.Replace(route(""), "match: /,", "match: /moved, odd: 1,", 1))
	syscall.Kill(os.Getpid(), syscall.SIGHUP)
	said(t, urls[1]+"api/v1/view", "unknown field")
	said(t, urls[0], "from the upstream")
	write("relent.yaml", head+strings.Replace(route(""), "match: /,", "match: /moved,", 1))
	syscall.Kill(os.Getpid(), syscall.SIGHUP)
	said(t, urls[0], "no-route")
	said(t, urls[0]+"moved", "from the upstream")
	syscall.Kill(os.Getpid(), syscall.SIGTERM)
	if code := <-ended; code != 0 {
		t.Errorf("%d, %s", code, complaints.String())
	}
}

// said waits until a page has a text.
func said(t *testing.T, url, want string) {
	t.Helper()
	for until := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if strings.Contains(string(text), want) {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("%s: %s; want %s", url, text, want)
		}
	}
}
