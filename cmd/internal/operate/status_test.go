package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/retry"
)

// seen is what status makes of the world after a second.
func seen() *status {
	before, now := world(10), world(11)
	s := compare(&before, &now)
	s.Server = "http://127.0.0.1:8470"
	s.Settings = []setting{{"server", "http://127.0.0.1:8470", byDefault}, {"token-file", "", byDefault}, {"timeout", "5s", "--timeout"}}
	return s
}

func TestStatusFormats(t *testing.T) {
	var one, many bytes.Buffer
	if err := errors.Join(document(&one, seen()), objects(&many, seen())); err != nil {
		t.Fatal(err)
	}
	golden(t, "status.json", one.String())
	golden(t, "status.ndjson", many.String())
	fields(t, one.String())
	for line := range strings.Lines(many.String()) {
		m := fields(t, line)
		if kind, _ := m["kind"].(string); m[kind] == nil {
			t.Errorf("no part of its kind: %s", line)
		}
	}
	golden(t, "status.txt", strings.Join((&page{status: seen(), verbose: true}).lines(), "\n")+"\n")
	golden(t, "status80.txt", strings.Join((&page{status: seen(), width: 80}).lines(), "\n")+"\n")
}

// No line is longer than the terminal, and colour is the only difference that colour makes.
func TestStatusFits(t *testing.T) {
	for _, width := range []int{60, 80, 132} {
		calm := (&page{status: seen(), width: width, verbose: true}).lines()
		for _, line := range calm {
			if n := utf8.RuneCountInString(line); n > width {
				t.Errorf("%d of %d columns: %s", n, width, line)
			}
		}
		painted := strings.Join((&page{status: seen(), width: width, verbose: true, color: true}).lines(), "\n")
		for _, style := range []string{red, green, yellow, strong, faint, "0"} {
			if !strings.Contains(painted, "\x1b["+style+"m") {
				t.Errorf("no style %s", style)
			}
			painted = strings.ReplaceAll(painted, "\x1b["+style+"m", "")
		}
		if painted != strings.Join(calm, "\n") {
			t.Errorf("colour changes more than colours:\n%s", painted)
		}
	}
}

// What comes over the wire does nothing to the terminal.
func TestStatusHostileText(t *testing.T) {
	const evil = "\x1b]0;x\a\x1b[2J\n"
	v := control.View{Instance: evil, Policies: []control.PolicyView{{Name: evil, Policy: evil, Override: map[string]string{evil: evil}}}, Circuits: []control.CircuitView{{Policy: evil, Target: evil, State: evil, Cause: evil}},
		Stops: []control.StopView{{Scope: evil, State: evil, Actor: evil, Reason: evil}}, Venues: []control.VenueView{{Name: evil, Headroom: map[string]float64{evil: 1}}}, Budgets: []control.BudgetView{{Name: evil}},
		Components: []control.ComponentView{{Name: evil, State: evil, Cause: evil}}, Findings: []control.FindingView{{Kind: evil, Severity: evil, Subject: evil, Summary: evil, Action: evil}}, Instances: []control.InstanceView{{Name: evil, Version: evil, Config: evil}},
		Config: &control.ConfigView{Hash: evil, Errors: []string{evil}}, Dropped: map[string]uint64{evil: 1}, Build: control.Build{Version: evil}}
	for _, line := range (&page{status: compare(&v, &v), verbose: true}).lines() {
		if strings.ContainsAny(line, "\x1b\a\n") {
			t.Errorf("%q", line)
		}
	}
}

func TestCompare(t *testing.T) {
	a, b := world(0), world(2)
	if p := compare(&a, &b).Policies[0]; p.CallRate != 12 || p.RetryRate != 3 || p.Window.Success != 22./24 || p.Window.FirstTry != 18./24 || p.Window.Amplification != 30./24 {
		t.Errorf("over 2 s: %+v", p)
	}
	fell := world(0)
	fell.At = b.At.Add(time.Second)
	if p := compare(&b, &fell).Policies[0]; p.CallRate != 0 || p.RetryRate != 0 {
		t.Errorf("counters that fell: %+v", p)
	}
	b.Epoch++
	if s := compare(&a, &b); s.Window != 0 || !s.Policies[0].CallRate.none() {
		t.Errorf("another process: %+v", s)
	}
	empty := compare(&control.View{}, &control.View{})
	data, _ := json.Marshal(empty)
	if strings.Contains(string(data), "null") {
		t.Errorf("lists that are null: %s", data)
	}
	page := strings.Join((&page{status: empty, width: 80}).lines(), "\n")
	has(t, page, "stops  none, everything runs", "nothing of: findings, policies, circuits, budgets, venues, components")
}

// A real registry behind a real dashboard.
func TestStatusOfAProcess(t *testing.T) {
	t.Parallel()
	b := mount(t, nil)
	op, err := b.registry.AddOperation("venue", &retry.Policy{Name: "venue.fetch_book", MaxAttempts: 2, Idempotent: true})
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	done := make(chan bool)
	go func() {
		defer close(done)
		for !stop.Load() {
			retry.Run(context.Background(), op, func(context.Context) error { return nil })
			time.Sleep(time.Millisecond)
		}
	}()
	code, out, stderr := relent(t, "status", "--server", b.URL, "--every", "300ms", "-o", "json")
	stop.Store(true)
	<-done
	if code != 0 {
		t.Fatal(stderr)
	}
	m := fields(t, out)
	p := m["policies"].([]any)[0].(map[string]any)
	if p["name"] != "venue.fetch_book" || p["calls_per_second"].(float64) <= 0 || p["window"].(map[string]any)["success"] != 1.0 || m["settings"] != nil {
		t.Errorf("%s", out)
	}
	_, out, _ = relent(t, "status", "--server", b.URL, "--every", "200ms", "-o", "ndjson")
	has(t, out, `{"kind":"policy","policy":{"name":"venue.fetch_book"`)
	_, out, stderr = relent(t, "status", "--server", b.URL, "--every", "200ms")
	has(t, out, "desk-1", "venue.fetch_book", "100.0%*", "* of all calls since the start")
	if stderr != "" {
		t.Errorf("no terminal, but progress: %q", stderr)
	}
}

// status -v says where each value comes from.
func TestSettings(t *testing.T) {
	b := mount(t, nil)
	conf := write(t, "relent.yaml", "version: 1\nserver: {listen: \"0.0.0.0:"+b.URL[strings.LastIndex(b.URL, ":")+1:]+"\"}\n")
	of := func(args ...string) map[string]string {
		t.Helper()
		code, out, stderr := relent(t, append([]string{"status", "-v", "-o", "json", "--every", "200ms"}, args...)...)
		if code != 0 {
			t.Fatal(stderr)
		}
		m := map[string]string{}
		for _, x := range fields(t, out)["settings"].([]any) {
			s := x.(map[string]any)
			m[s["name"].(string)] = s["source"].(string) + " " + s["value"].(string)
		}
		return m
	}
	m := of("-c", conf, "--timeout", "2s")
	if m["server"] != "configuration "+b.URL || m["config"] != "--config "+conf || m["timeout"] != "--timeout 2s" || m["output"] != "--output json" || m["color"] != "default auto" || m["token-file"] != "default " {
		t.Errorf("configuration: %v", m)
	}
	t.Setenv("RELENT_SERVER", b.URL)
	t.Setenv("NO_COLOR", "1")
	if m = of(); m["server"] != "RELENT_SERVER "+b.URL || m["config"] != "default " || m["color"] != "NO_COLOR auto" {
		t.Errorf("environment: %v", m)
	}
	if m = of("--server", b.URL+"/"); m["server"] != "--server "+b.URL+"/" {
		t.Errorf("flag: %v", m)
	}
	_, out, _ := relent(t, "status", "-v", "--every", "200ms")
	has(t, out, "settings", "from RELENT_SERVER", "from http://127.0.0.1:")
}

func TestStatusFails(t *testing.T) {
	t.Parallel()
	var looks atomic.Int32
	once := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if looks.Add(1) > 1 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Write([]byte("{}"))
	}))
	defer once.Close()
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"--server http://127.0.0.1:1", 1, "try: relent serve, or the same with --server URL"},
		{"--server " + answers(t, 200, "<html>").URL, 1, "this does not look like relent"},
		{"--server " + answers(t, 404, "not found").URL, 1, "answers 404 Not Found\ntry: the same with --server URL of relent serve"},
		{"--server " + once.URL + " --every 200ms", 1, "answers 404"},
		{"--watch --server http://127.0.0.1:1", 1, "no server answers"},
		{"--server nonsense", 2, "is not the URL"},
		{"--every 1ms", 2, "--every: 1ms is not between 200ms and 1m"},
	} {
		code, _, stderr := relent(t, append([]string{"status"}, strings.Fields(test.args)...)...)
		if code != test.code {
			t.Errorf("status %s: code %d; want %d", test.args, code, test.code)
		}
		has(t, stderr, test.want)
	}
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer slow.Close()
	_, _, stderr := relent(t, "status", "--server", slow.URL, "--timeout", "50ms")
	has(t, stderr, "no answer within 50ms")

	b := mount(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var out bytes.Buffer
	if code := runTo(ctx, program(), io.Discard, &out, "status", "--server", b.URL, "--every", "30s"); code != 1 || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("interrupted: code %d, %s", code, &out)
	}
}

// Where it is no terminal, --watch prints one look after the other until it is interrupted, and says when it sees nothing.
func TestWatch(t *testing.T) {
	t.Parallel()
	var n, bad atomic.Uint64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch bad.Add(1) {
		case 3:
			w.WriteHeader(http.StatusNotFound)
		case 4:
			json.NewEncoder(w).Encode(world(n.Load())) // no news
		default:
			json.NewEncoder(w).Encode(world(n.Add(1)))
		}
	}))
	defer s.Close()
	for format, want := range map[string]string{"table": "--- 2026-03-14T12:", "json": `{"v":1,"server"`, "ndjson": `"kind":"venue"`} {
		bad.Store(0)
		ctx, cancel := context.WithTimeout(t.Context(), 1700*time.Millisecond)
		var out, stderr bytes.Buffer
		code := runTo(ctx, program(), &out, &stderr, "status", "--watch", "--every", "200ms", "-o", format, "--server", s.URL)
		cancel()
		if code != 0 || strings.Count(out.String(), want) < 3 || strings.Contains(out.String(), "\x1b") {
			t.Errorf("%s: code %d, %s%s", format, code, &out, &stderr)
		}
		has(t, stderr.String(), "relent: status: "+s.URL+" answers 404")
	}
	if code := runTo(t.Context(), program(), broken{}, io.Discard, "status", "--watch", "--every", "200ms", "--server", s.URL); code != 1 {
		t.Errorf("nobody reads: code %d", code)
	}
	if code := runTo(t.Context(), program(), broken{}, io.Discard, "status", "--every", "200ms", "--server", s.URL); code == 0 {
		t.Errorf("nobody reads: code %d", code)
	}
}

// broken takes nothing.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// The frame of a terminal says what is wrong, and fits.
func TestFrame(t *testing.T) {
	var out bytes.Buffer
	cmd := &cobra.Command{}
	s := settings{Program{Colored: func(*cobra.Command, io.Writer) bool { return false }}, cmd}
	draw := &screen{&out}
	s.frame(draw, seen(), errors.New("no server\nanswers"), time.Now().Add(-5*time.Second), time.Second, 40, 10)
	lines := strings.Split(out.String(), "\r\n")
	if len(lines) != 10 {
		t.Errorf("%d lines of 10", len(lines))
	}
	has(t, lines[0], "not current for 5s: no server; answers")
	has(t, lines[9], "more lines: relent status")
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n > 39+20 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	out.Reset()
	s.frame(draw, seen(), nil, time.Time{}, time.Second, 80, 200)
	has(t, out.String(), "every 1s, ^C ends", "\x1b[?2026h\x1b[H", "\x1b[J\x1b[?2026l")
}
