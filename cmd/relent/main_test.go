package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/relent-go/relent/cmd/internal/demo"
)

// relent runs one command line in this process.
func relent(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(args, &out, &err)
	return code, out.String(), err.String()
}

func TestCommandLine(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "rules.json")
	if err := os.WriteFile(rules, []byte(`[{"kind":"nonsense"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args   string
		code   int
		stdout string // contained in it
		stderr string // contained in it
	}{
		{"", 0, "retries that know when to stop", ""},
		{"--help", 0, "Available Commands", ""},
		{"version", 0, "relent ", ""},
		{"policy", 0, "explain", ""},
		{"nonsense", 2, "", "relent: unknown command \"nonsense\" for \"relent\"\ntry: relent --help"},
		{"--nonsense", 2, "", "relent: unknown flag: --nonsense"},
		{"demo --nonsense", 2, "", "relent: demo: unknown flag: --nonsense\ntry: relent demo --help"},
		{"demo extra", 2, "", "unknown command \"extra\""},
		{"demo --for 0s", 2, "", "--for: 0s is not above 0"},
		{"demo --for never", 2, "", "--for"},
		{"demo --faults nonsense", 2, "", `--faults: no preset "nonsense", there are calm, clock, late, lossy, outage, ratelimit, storm, ws`},
		{"demo --faults " + rules, 2, "", "--faults: " + rules},
		{"demo --compare wise", 2, "", `--compare: "wise" is not naive`},
		{"demo --api-key k", 2, "", "give --venue, too"},
		{"demo --venue nonsense --api-key k --api-secret s", 2, "", `--venue: "nonsense" is not a URL`},
		{"demo --venue http://127.0.0.1:1", 2, "", "--api-key, --api-secret: both are needed"},
		{"demo --venue http://127.0.0.1:1 --api-key k --api-secret s --faults calm --compare naive", 2, "", "--faults: a venue that is not simulated"},
		{"policy explain", 0, "up to 3 attempts, waiting exponential(100ms, x2, max 30s, full)", ""},
		{"policy explain --attempts 2 --backoff constant(1s,none) -o json", 0, `{"v":1,"backoff":"constant(1s, none)","max_attempts":2,`, ""},
		{"policy explain --attempts 0", 2, "", "--attempts: 0 is less than 1"},
		{"policy explain --backoff exponental --max-elapsed -1s --attempt-timeout -1s", 2, "", `--backoff: backoff "exponental": unknown strategy`},
		{"policy explain --nonsense", 2, "", "policy explain: unknown flag: --nonsense\ntry: relent policy explain --help"},
		{"run --attempts 1 -- true", 0, "", ""},
		{"run --attempts 1 -- false", 1, "", ""},
		{"run", 2, "", "relent: run: "},
	} {
		code, stdout, stderr := relent(strings.Fields(test.args)...)
		if code != test.code || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
			t.Errorf("relent %s: code %d, stdout\n%s\nstderr\n%s\nwant %d, %q, %q", test.args, code, stdout, stderr, test.code, test.stdout, test.stderr)
		}
		if test.stderr != "" && stdout != "" {
			t.Errorf("relent %s: an error with stdout %q", test.args, stdout)
		}
	}
	_, _, all := relent("policy", "explain", "--attempts", "-1", "--max-elapsed", "-1s", "--attempt-timeout", "-1s")
	for _, flag := range []string{"--attempts: -1", "--max-elapsed: -1s", "--attempt-timeout: -1s"} {
		if !strings.Contains(all, flag) {
			t.Errorf("mistakes\n%s\nwithout %s", all, flag)
		}
	}
}

// Every field that scripts rely on.
var fields = []string{"calls", "first_try_success", "recovered", "failed", "retries", "amplification",
	"orders_intended", "orders_executed", "duplicates", "lost", "unknown"}

func TestDemo(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := relent("demo", "--for", "2s", "--json", "--faults", "calm", "--seed", "5", "--compare", "naive")
	var report map[string]any
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != 0 || !strings.HasPrefix(stderr, "dashboard: http://127.0.0.1:") {
		t.Fatalf("code %d, %v, stdout\n%s\nstderr\n%s", code, err, stdout, stderr)
	}
	for _, field := range fields {
		if _, ok := report[field].(float64); !ok {
			t.Errorf("field %s is %v", field, report[field])
		}
	}
	if report["duplicates"] != 0.0 || report["lost"] != 0.0 || report["seed"] != 5.0 || report["faults"] != "calm" || report["naive"] == nil || len(report["checks"].([]any)) == 0 {
		t.Errorf("report %s", stdout)
	}
}

func TestDemoForPeople(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := relent("demo", "--for", "500ms", "--faults", "calm")
	if code != 0 || !strings.Contains(stdout, "duplicates           0") || !strings.Contains(stderr, "relent demo: trading") {
		t.Errorf("code %d, stdout\n%s\nstderr\n%s", code, stdout, stderr)
	}
	if _, _, stderr := relent("demo", "-q", "--for", "300ms", "--faults", "calm"); stderr != "" {
		t.Errorf("quiet, but stderr has %q", stderr)
	}
}

// The smoke test of cli-config.md: within seconds the demo shows all that it promises, and says so by its exit code.
func TestDemoShowsItAll(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("trades for 10 s, and settles")
	}
	code, stdout, stderr := relent("demo", "--for", "10s", "--json", "--no-dashboard")
	var report struct{ Seen map[string]int64 }
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != 0 || len(report.Seen) != 5 {
		t.Fatalf("code %d, %v, stdout\n%s\nstderr\n%s", code, err, stdout, stderr)
	}
	for what, at := range report.Seen {
		if at == 0 {
			t.Errorf("%s: not seen", what)
		}
	}
}

// A demonstration that did not show everything fails a script, and nobody else.
func TestDemoShown(t *testing.T) {
	for _, test := range []struct {
		flags demoFlags
		want  bool
	}{
		{demoFlags{json: true, faults: "lossy", cfg: demo.Config{For: 10 * time.Second}}, false},
		{demoFlags{json: true, faults: "lossy", cfg: demo.Config{For: time.Second}}, true},
		{demoFlags{json: true, faults: "calm", cfg: demo.Config{For: time.Minute}}, true},
		{demoFlags{json: true, faults: "lossy", cfg: demo.Config{For: time.Minute, URL: "http://venue"}}, true},
		{demoFlags{faults: "lossy", cfg: demo.Config{For: time.Minute}}, true},
	} {
		if got := test.flags.shown(demo.Report{}); got != test.want {
			t.Errorf("%+v: %v; want %v", test.flags, got, test.want)
		}
	}
}

// The streams break, and are followed all the same. The order log is kept where it was asked for.
func TestDemoOnBrokenStreams(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "kept")
	code, stdout, stderr := relent("demo", "--for", "2s", "--json", "--faults", "ws", "--dir", dir, "--no-dashboard")
	if code != 0 || !strings.Contains(stdout, `"streams":{"reconnects":`) {
		t.Errorf("code %d, stdout\n%s\nstderr\n%s", code, stdout, stderr)
	}
	code, stdout, stderr = relent("orders", "--store", "sqlite:"+filepath.Join(dir, "orders.db"), "--venue", "binance", "--account", "main")
	if code != 0 {
		t.Errorf("the log cannot be listed: code %d, %s%s", code, stdout, stderr)
	}
}

// A venue of one's own choice, here one that another demo simulates, and one that is not there.
func TestDemoOnAnotherVenue(t *testing.T) {
	t.Parallel()
	sim, err := simulate(1, "calm")
	if err != nil {
		t.Fatal(err)
	}
	defer sim.close()
	code, stdout, stderr := relent("demo", "--venue", sim.url, "--api-key", "relent-demo-key", "--api-secret", "relent-demo-secret", "--for", "1s", "--json")
	if code != 0 || !strings.Contains(stdout, `"venue":"`+sim.url) {
		t.Errorf("code %d, stdout\n%s\nstderr\n%s", code, stdout, stderr)
	}
	rules := filepath.Join(t.TempDir(), "rules.json")
	if err := os.WriteFile(rules, []byte(`[]`), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := relent("demo", "--faults", rules, "--for", "100ms", "-q"); code != 0 {
		t.Errorf("code %d, %s", code, stderr)
	}
}

// build returns the path of the program.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "relent")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// ^C ends the demo cleanly: it settles, prints its report and exits with 0.
func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the program")
	}
	cmd := exec.Command(build(t), "demo", "--for", "10m", "--json", "--faults", "calm")
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(2*time.Second, func() { cmd.Process.Signal(syscall.SIGINT) })
	kill := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	defer kill.Stop()
	if err := cmd.Wait(); err != nil || !json.Valid(stdout.Bytes()) {
		t.Errorf("%v, stdout %q; want the report and exit code 0", err, stdout.String())
	}
}

// On a terminal the demo draws, and a second ^C leaves at once even with orders open.
func TestDemoOnATerminal(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the program")
	}
	rules := filepath.Join(t.TempDir(), "rules.json")
	if err := os.WriteFile(rules, []byte(`[{"name":"dark","kind":"drop","match":{"path":"/api/v3/order"}}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(build(t), "demo", "--for", "10m", "--faults", rules)
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 30, Cols: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	time.AfterFunc(2*time.Second, func() { terminal.Write([]byte{3}) })
	time.AfterFunc(3*time.Second, func() { terminal.Write([]byte{3}) })
	kill := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	defer kill.Stop()
	var screen bytes.Buffer
	screen.ReadFrom(terminal) // ends with an error when the program does
	cmd.Wait()
	text := screen.String()
	for _, want := range []string{"relent demo: trading", "settling what is open", "outcome unknown, so it is not sent again", "interrupted before it was settled", "\x1b[16A"} {
		if !strings.Contains(text, want) {
			t.Errorf("the terminal showed no %q", want)
		}
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 { // unknown is neither duplicate nor lost
		t.Errorf("exit code %d; want 0", code)
	}
	if !slices.Contains(strings.Split(strings.ReplaceAll(text, "\r", ""), "\n"), "  duplicates           0") {
		t.Errorf("no report at the end:\n%s", text)
	}
}
