package operate

import (
	"context"
	"encoding/json"
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

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/dashboard"
)

// diagnosis is what doctor says, by check and level.
func diagnosis(t *testing.T, args ...string) (code int, lines string) {
	t.Helper()
	code, out, stderr := relent(t, append([]string{"doctor", "-o", "ndjson", "--timeout", "2s"}, args...)...)
	if stderr != "" {
		t.Errorf("stderr: %s", stderr)
	}
	var b strings.Builder
	for line := range strings.Lines(out) {
		var c check
		if err := json.Unmarshal([]byte(line), &c); err != nil || c.Check == "" || c.Level != ok && c.Try == "" && c.Check != "server" && c.Check != "store" {
			t.Errorf("%v: %s", err, line)
		}
		fmt.Fprintf(&b, "%s %s: %s | %s\n", c.Level, c.Check, c.Text, c.Try)
	}
	return code, b.String()
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestDoctorIsContent(t *testing.T) {
	secret, tok := token(t, "ann", dashboard.Operator)
	b := mount(t, dashboard.Tokens(dashboard.TokenList{tok}))
	dir := t.TempDir()
	conf := write(t, "relent.yaml", fmt.Sprintf("version: 1\npolicies: {a.b: {}}\nserver: {listen: %q, store: %q}\naudit: {dir: %q}\nhalt: {state_file: %q, trigger_file: %q}\n",
		b.Listener.Addr(), orderLog(t), dir, filepath.Join(dir, "state"), filepath.Join(dir, "STOP")))
	code, lines := diagnosis(t, "-c", conf, "--token-file", secret)
	if code != 0 || strings.Contains(lines, fail) {
		t.Errorf("code %d\n%s", code, lines)
	}
	has(t, lines, "ok version: relent v1.2.3, go", "ok configuration: "+conf+" is valid: 1 policies (from --config)", "ok token: "+secret+" is only its owner's",
		"ok server: "+b.URL+" answers; ann is operator there", "ok clock: within ", "ok port: "+b.Listener.Addr().String()+" is that of the server",
		"answers, and is durable", "ok audit: records go to "+dir, "ok stop: state file", "ok stop: trigger file")
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
	code, out, _ := relent(t, "doctor", "-c", conf, "--token-file", secret)
	if code != 0 || !strings.HasPrefix(out, "ok    version        relent v1.2.3") || !strings.Contains(out, ", 0 failed\n") {
		t.Errorf("code %d\n%s", code, out)
	}
	_, out, _ = relent(t, "doctor", "-c", conf, "--token-file", secret, "-o", "json")
	if m := fields(t, out); m["fail"] != 0.0 || len(m["checks"].([]any)) < 9 {
		t.Error(out)
	}
}

func TestDoctorFindsWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := write(t, "file", "")
	odd := filepath.Join(file, "x")
	open, tok := token(t, "vera", dashboard.Viewer)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	stranger, _ := token(t, "sam", dashboard.Operator)
	vera, v := token(t, "vera", dashboard.Viewer)
	b := mount(t, dashboard.Tokens(dashboard.TokenList{tok, v}))
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	trigger := write(t, "STOP", "")
	conf := func(text string, args ...any) []string {
		return []string{"-c", write(t, "relent.yaml", "version: 1\n"+fmt.Sprintf(text, args...))}
	}
	for _, test := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"nothing is configured", nil, 0, []string{"ok configuration: none: there is no relent.yaml", "ok token: none", "ok store: none", "ok audit: no folder", "ok stop: no files"}},
		{"a broken configuration", []string{"-c", write(t, "c", "version: 2\n")}, 1, []string{"fail configuration:", "relent policy check "}},
		{"a questionable one", conf("budgets: {spare: {}}\n"), 0, []string{"warn configuration: ", "with 1 warning"}},
		{"an open token", []string{"--token-file", open, "--server", b.URL}, 1, []string{"fail token: " + open + " can be read or written by others (-rw-r--r--) | chmod 600 "}},
		{"no token", []string{"--token-file", file, "--server", b.URL}, 1, []string{"fail token: ", "holds no token", "fail server:"}},
		{"a token that is not there", []string{"--token-file", odd}, 1, []string{"fail token: open "}},
		{"a stranger", []string{"--token-file", stranger, "--server", b.URL}, 1, []string{"fail server: " + b.URL + " answers, and does not know who asks"}},
		{"a viewer", []string{"--token-file", vera, "--server", b.URL}, 0, []string{"warn server: ", "vera is viewer there, and cannot stop"}},
		{"no server where one was named", []string{"--server", "http://127.0.0.1:1"}, 1, []string{"fail server: http://127.0.0.1:1: no server answers there"}},
		{"no URL", []string{"--server", "x"}, 1, []string{`fail server: --server: "x" is not the URL`}},
		{"something else", []string{"--server", answers(t, 200, "<html>").URL}, 1, []string{"fail server: ", "does not look like relent"}},
		{"read only", []string{"--server", answers(t, 200, `{"name":"a","role":"admin","read_only":true,"commander":true}`).URL}, 0, []string{"warn server: ", "takes no commands"}},
		{"a port in use", conf("server: {listen: %q}\n", busy.Addr()), 1, []string{"fail port: ", "is in use by another program"}},
		{"a port that is free", conf("server: {listen: %q}\n", free(t)), 1, []string{"ok port: ", "is free for relent serve", "fail server"}},
		{"an address of elsewhere", conf("server: {listen: \"192.0.2.1:80\"}\n"), 1, []string{"fail port: relent serve could not listen"}},
		{"a store to be made", []string{"--store", "sqlite:" + filepath.Join(dir, "new.db")}, 0, []string{"ok store: ", "is not there yet; " + dir + " can be written"}},
		{"a store in no folder", []string{"--store", "sqlite:" + filepath.Join(dir, "no", "new.db")}, 0, []string{"warn store: ", "mkdir -p "}},
		{"no store", []string{"--store", "mysql:x"}, 1, []string{"fail store: "}},
		{"a store that is none", []string{"--store", "sqlite:" + write(t, "db", strings.Repeat("no database", 100))}, 1, []string{"fail store: "}},
		{"audit in a file", conf("audit: {dir: %q}\n", odd), 1, []string{"fail audit: ", "cannot be written", "make the folder"}},
		{"no files of the stop", conf("halt: {}\n"), 0, []string{"warn stop: halt.state_file is not set", "warn stop: halt.trigger_file is not set"}},
		{"a trigger that is there", conf("halt: {state_file: %q, trigger_file: %q}\n", odd, trigger), 1, []string{"fail stop: the state file cannot be read, which stops orders", "warn stop: the trigger file " + trigger + " is there"}},
	} {
		code, lines := diagnosis(t, test.args...)
		if code != test.code {
			t.Errorf("%s: code %d; want %d\n%s", test.name, code, test.code, lines)
		}
		has(t, lines, test.want...)
	}
	_, out, _ := relent(t, "doctor", "--server", "http://127.0.0.1:1")
	has(t, out, "fail  server ", "do: relent serve")
}

func TestClocks(t *testing.T) {
	at := func(off time.Duration) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	none := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }))
	defer none.Close()
	cmd := &cobra.Command{}
	Flags(cmd.Flags())
	d := &doctor{settings: settings{Program{}, cmd}, ctx: t.Context(), venues: map[string]string{
		"same": at(0), "slow": at(3 * time.Second), "fast": at(-time.Minute), "silent": none.URL, "away": "http://127.0.0.1:1", "odd": "http://[",
	}}
	d.clocks()
	var b strings.Builder
	for _, c := range d.checks {
		fmt.Fprintf(&b, "%s %s\n", c.Level, c.Text)
	}
	has(t, b.String(), "ok within 500ms of same", "behind slow", "fail ", " ahead of fast", "warn silent was not asked for its time: its answer has no Date", "warn away was not asked for its time: no server answers there", "warn odd")
	if !strings.Contains(b.String(), "warn 3") && !strings.Contains(b.String(), "warn 2.") {
		t.Errorf("3 s are no warning:\n%s", b.String())
	}
}

func TestVenuesOfTheConfiguration(t *testing.T) {
	file, _, _, err := program().Config(confOf(write(t, "c", "version: 1\nvenues: {binance: {}, other: {profile: okx}}\npolicies: {binance.x: {}, other.x: {}}\n")))
	if err != nil {
		t.Fatal(err)
	}
	d := &doctor{file: file}
	if urls := d.profiles(); !strings.HasPrefix(urls["binance"], "https://") || !strings.HasPrefix(urls["other"], "https://") {
		t.Errorf("profiles = %v", urls)
	}
	d.file = nil
	if urls := d.profiles(); len(urls) != 0 {
		t.Errorf("without configuration: %v", urls)
	}
	if code, _, _ := relent(t, "doctor", "--venues"); code != 0 {
		t.Errorf("without venues: code %d", code)
	}
}

func confOf(name string) *cobra.Command {
	cmd := &cobra.Command{}
	cmd.Flags().String("config", name, "")
	return cmd
}

func TestPlainHTTP(t *testing.T) {
	for url, want := range map[string]bool{"http://127.0.0.1:1": false, "http://[::1]": false, "http://localhost:1": false, "https://ops.example": false, "http://ops.example": true, "http://10.0.0.1": true, ":": false} {
		if got := plainHTTP(url); got != want {
			t.Errorf("plainHTTP(%s) = %v; want %v", url, got, want)
		}
	}
	for listen, want := range map[string]string{":80": "127.0.0.1:80", "0.0.0.0:80": "127.0.0.1:80", "[::]:80": "127.0.0.1:80", "ops:80": "ops:80", "odd": "odd"} {
		if got := reachable(listen); got != want {
			t.Errorf("reachable(%s) = %s; want %s", listen, got, want)
		}
	}
	if remote(t.TempDir()) || remote("/nowhere") {
		t.Error("a folder for tests is over a network")
	}
}

// Each command says when its answer cannot be written.
func TestNobodyReads(t *testing.T) {
	b := mount(t, nil)
	url := "--store=" + orderLog(t)
	for _, args := range []string{"doctor -o json", "doctor -o ndjson", "orders --venue binance --account main " + url, "orders --venue binance --account main -o ndjson " + url, "orders --venue binance --account x " + url,
		"orders show Rparked00000000000 --venue binance --account main " + url, "orders show Rparked00000000000 -o ndjson --venue binance --account main " + url,
		"stop a --state drain --reason x -o json", "stop a --state drain --reason x --file " + filepath.Join(t.TempDir(), "STOP"),
		"status --every 200ms -o ndjson"} {
		if code := runTo(context.Background(), program(), broken{}, io.Discard, strings.Fields(args+serverOf(args, b.URL))...); code == 0 {
			t.Errorf("%s: code 0", args)
		}
	}
}

func serverOf(args, url string) string {
	if strings.Contains(args, "--file") {
		return ""
	}
	return " --server " + url
}
