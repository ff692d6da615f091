package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/cmd/internal/server"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

// A followed is a server that follows a file, with a process of its fleet.
type followed struct {
	*testing.T
	path  string
	url   string
	fleet *control.Registry
	fetch *control.Operation
}

func newFollowed(t *testing.T, text string, more server.Config) *followed {
	t.Helper()
	t.Chdir(t.TempDir())
	f := &followed{T: t, path: "relent.yaml"}
	f.write(text)
	file, err := config.Read(f.path, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	follower, err := follow(file)
	if err != nil {
		t.Fatal(err)
	}
	follower.watcher.Settle = 20 * time.Millisecond
	quiet := slog.New(slog.DiscardHandler)
	c := more
	c.Listen, c.Store, c.Log, c.File, c.Budgets = "127.0.0.1:0", "sqlite:"+filepath.Join(t.TempDir(), "relent.db"), quiet, follower, lent(file)
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan *server.Server, 1), make(chan error, 1)
	go func() { ended <- server.Run(ctx, c, func(s *server.Server) { ready <- s }) }()
	select {
	case s := <-ready:
		f.url = strings.TrimSuffix(s.URL(), "/")
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	f.fleet = &control.Registry{Instance: "p1", Logger: quiet}
	if f.fetch, err = f.fleet.AddOperation("", &retry.Policy{Name: "venue.fetch", MaxAttempts: 9, Cost: 7}); err != nil {
		t.Fatal(err)
	}
	link := &control.Fleet{URL: f.url, Registry: f.fleet, Interval: 100 * time.Millisecond}
	linked := make(chan struct{})
	go func() { link.Run(ctx); close(linked) }()
	t.Cleanup(func() {
		cancel()
		<-linked
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return f
}

func (f *followed) write(text string) {
	f.Helper()
	if err := os.WriteFile(f.path+".new", []byte(text), 0o600); err != nil {
		f.Fatal(err)
	}
	if err := os.Rename(f.path+".new", f.path); err != nil { // as editors do
		f.Fatal(err)
	}
}

func (f *followed) until(what string, is func() bool) {
	f.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			f.Fatalf("after 20 s it is still not so that %s", what)
		}
	}
}

func (f *followed) get(path string) (int, string) {
	f.Helper()
	resp, err := http.Get(f.url + path)
	if err != nil {
		f.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

func (f *followed) post(path, body string) (code int, r server.Reloading) {
	f.Helper()
	req, _ := http.NewRequest("POST", f.url+path, strings.NewReader(body))
	req.Header.Set("Relent-Actor", "ann")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		f.Fatal(err)
	}
	return resp.StatusCode, r
}

func (f *followed) records(q string) (list []audit.Record) {
	f.Helper()
	_, text := f.get("/api/v1/audit?q=" + q)
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		f.Fatalf("%s: %v", text, err)
	}
	return list
}

func withAttempts(n string) string {
	return "version: 1\npolicies: { venue.fetch: { max_attempts: " + n + " } }\nbudgets: { orders: { max: 50 } }\n"
}

func TestHotReload(t *testing.T) {
	f := newFollowed(t, withAttempts("2"), server.Config{})
	attempts := func(n int) func() bool { return func() bool { return f.fetch.Current().MaxAttempts == n } }
	f.until("the file of the start is in force", attempts(2))
	if f.fetch.Current().Cost != 7 {
		t.Error("what the file does not give is not the program's any more")
	}

	// Each of the four ways.
	f.write(withAttempts("3"))
	f.until("a change of the file is in force", attempts(3))
	for i, way := range []struct {
		name string
		do   func()
	}{
		{"signal", func() { syscall.Kill(os.Getpid(), syscall.SIGHUP) }},
		{"api", func() {
			if code, r := f.post("/api/v1/config/reload", "{}"); code != 200 || r.Result == "error" || r.V != 1 {
				t.Errorf("reload: %d, %+v", code, r)
			}
		}},
		{"cli", func() {
			var out, complaints bytes.Buffer
			if code := run([]string{"policy", "apply", "-c", f.path, "--server", f.url}, &out, &complaints); code != 0 {
				t.Errorf("apply: %d, %s%s", code, out.String(), complaints.String())
			}
		}},
	} {
		text := withAttempts("4") + strings.Repeat("\n", i)
		if i%2 == 1 {
			text = withAttempts("5")
		}
		f.write(text)
		way.do()
		f.until("it is in force after "+way.name, attempts(4+i%2))
	}
	list := f.records("max_attempts")
	if len(list) != 4 || list[0].Decision != "config" || list[0].Config == "" || !strings.Contains(list[0].Validation, "policies.venue.fetch.max_attempts: 5 -> 4") {
		t.Errorf("records %+v; want one of each change", list)
	}

	// A mistake changes nothing, and shows everywhere.
	f.write("version: 1\npolicies: { venue.fetch: { max_attemps: 1 } }\n")
	f.until("health is degraded", func() bool {
		code, text := f.get("/healthz")
		return code == 200 && strings.HasPrefix(text, "degraded")
	})
	if code, _ := f.get("/readyz"); code != 200 {
		t.Errorf("readyz: %d; a bad file is no reason to send nobody here", code)
	}
	_, metrics := f.get("/metrics")
	for _, want := range []string{"relent_config_last_reload_success 0", `relent_config_reloads_total{result="error"} 1`, `relent_config_reloads_total{result="ok"} 5`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	f.until("the view has the mistake", func() bool {
		var v control.View
		_, text := f.get("/api/v1/view")
		err := json.Unmarshal([]byte(text), &v)
		return err == nil && v.Config != nil && !v.Config.Good && len(v.Config.Errors) == 1 && strings.Contains(v.Config.Errors[0], `did you mean "max_attempts"?`)
	})
	if list := f.records("max_attemps"); len(list) != 1 || list[0].Decision != audit.Deny || list[0].Outcome != audit.Failed {
		t.Errorf("records %+v", list)
	}
	code, r := f.post("/api/v1/config/reload", "{}")
	if code != http.StatusConflict || len(r.Errors) != 1 || r.Error == "" || !attempts(4)() {
		t.Errorf("reload of a mistake: %d, %+v", code, r)
	}
	var out, complaints bytes.Buffer
	if code := run([]string{"policy", "apply", "-c", f.path, "--server", f.url}, &out, &complaints); code != exitInvalid {
		t.Errorf("apply of a mistake: %d; want %d", code, exitInvalid)
	}
	f.write(withAttempts("4") + "\n\n") // what was in force
	f.until("all is well", func() bool {
		_, text := f.get("/healthz")
		return strings.HasPrefix(text, "ok")
	})

	// What needs a restart is refused, and the rest with it.
	for _, more := range []string{"server: { listen: 127.0.0.1:1 }\n", "server: { read_only: true }\n", "halt: { approvers: [ann] }\n", "audit: { dir: elsewhere }\n"} {
		f.write(withAttempts("1") + more)
		if code, r := f.post("/api/v1/config/reload", "{}"); code != http.StatusConflict || !strings.Contains(r.Error, "needs restart") || !attempts(4)() {
			t.Errorf("%s: %d, %+v", more, code, r)
		}
	}

	// Another text than the one that was meant is left alone.
	f.write(withAttempts("6"))
	other := filepath.Join(t.TempDir(), "other.yaml")
	if err := os.WriteFile(other, []byte(withAttempts("8")), 0o600); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	complaints.Reset()
	if code := run([]string{"policy", "apply", "-c", other, "--server", f.url}, &out, &complaints); code != exitInvalid || !strings.Contains(complaints.String(), "another text") {
		t.Errorf("apply of another file: %d, %s", code, complaints.String())
	}
	if code := run([]string{"policy", "apply", "-c", f.path, "--server", f.url, "-o", "json"}, &out, &complaints); code != 0 || !strings.Contains(out.String(), `"v":1,"result":"`) {
		t.Errorf("apply: %d, %s%s", code, out.String(), complaints.String())
	}
	f.until("the meant text is in force", attempts(6))
}

// Overrides stay above the file, and one that the file now equals is cleared; lent budgets get no tokens from a reload.
func TestHotReloadKeepsState(t *testing.T) {
	f := newFollowed(t, withAttempts("4"), server.Config{})
	row := func() (p control.PolicyView, b control.BudgetView) {
		var v control.View
		_, text := f.get("/api/v1/view")
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		for _, one := range v.Policies {
			p = one
		}
		for _, one := range v.Budgets {
			b = one
		}
		return p, b
	}
	f.until("the process is seen with the file in force", func() bool { p, _ := row(); return p.Base["max_attempts"] == "4" })
	if code, _ := f.post("/api/v1/tune", `{"operation":"venue.fetch","fields":{"max_attempts":"2","cost":"3"},"reason":"storm"}`); code != 200 {
		t.Fatalf("tune: %d", code)
	}
	f.until("the override is in force", func() bool { return f.fetch.Current().MaxAttempts == 2 })
	if code, _ := f.post("/api/v1/stop", `{"scope":"desk","state":"stopped","reason":"test"}`); code != 200 {
		t.Fatalf("stop: %d", code)
	}
	f.write(strings.ReplaceAll(withAttempts("5"), "max: 50", "max: 80"))
	f.until("the new file is below it", func() bool { p, _ := row(); return p.Base["max_attempts"] == "5" })
	p, b := row()
	if f.fetch.Current().MaxAttempts != 2 || p.Override["max_attempts"] != "2" || p.Override["cost"] != "3" {
		t.Errorf("%+v; want the override above the file", p)
	}
	if b.Max != 80 || b.Level != 0 {
		t.Errorf("budget %+v; want more room, and no tokens", b)
	}
	f.write(withAttempts("2"))
	f.until("the file equals a field of the override", func() bool {
		p, _ := row()
		_, still := p.Override["max_attempts"]
		return p.Base["max_attempts"] == "2" && !still && p.Override["cost"] == "3" && p.Version == 2
	})
	var v control.View
	_, text := f.get("/api/v1/view")
	if err := json.Unmarshal([]byte(text), &v); err != nil || len(v.Stops) != 1 || v.Stops[0].State != "stopped" {
		t.Errorf("stops %+v, %v; want the stop of before", v.Stops, err)
	}

	// A file that makes no sense below an override is refused.
	if code, _ := f.post("/api/v1/tune", `{"operation":"venue.fetch","version":2,"fields":{"attempt_timeout":"10s"},"reason":"storm"}`); code != 200 {
		t.Fatalf("tune: %d", code)
	}
	f.write("version: 1\npolicies: { venue.fetch: { max_elapsed: 1s } }\n")
	if code, r := f.post("/api/v1/config/reload", "{}"); code != http.StatusConflict || !strings.Contains(r.Error, "does not go with the override of ann") {
		t.Errorf("reload: %d, %+v", code, r)
	}
}

func TestReloadIsForSome(t *testing.T) {
	f := newFollowed(t, withAttempts("4"), server.Config{ReadOnly: true})
	f.write(withAttempts("5"))
	if code, r := f.post("/api/v1/config/reload", "{}"); code != http.StatusForbidden || r.Error == "" {
		t.Errorf("of a server that is read-only: %d, %+v", code, r)
	}
	if code, _ := f.post("/api/v1/requests", `{"scope":"desk","epoch":1,"reason":"r"}`); code != http.StatusForbidden {
		t.Errorf("a release there: %d", code)
	}
	if code, _ := f.post("/api/v1/requests/x/approve", `{}`); code != http.StatusForbidden {
		t.Errorf("an approval there: %d", code)
	}
}
