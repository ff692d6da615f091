package operate

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
	"github.com/relent-go/relent/gate/halt"
)

func TestStopByServer(t *testing.T) {
	b := mount(t, nil)
	code, out, stderr := relent(t, "stop", "equities/binance", "--state", "risk-reducing", "--reason", "slow", "--ticket", "OPS-1", "--expires", "30m", "--server", b.URL)
	if status, err := b.tree.Look("equities/binance"); code != 0 || err != nil || status.State != halt.RiskReducingOnly {
		t.Errorf("code %d, %v, state %v, %s", code, err, status.State, stderr)
	}
	has(t, out, "stopped  equities/binance  risk-reducing  epoch 1", "in flight now: 0, which finish", "ends by itself, in a ramp, in 29m")
	has(t, stderr, "relent resume equities/binance --epoch 1 --reason WHY")

	code, out, _ = relent(t, "stop", "global", "--state", "stopped", "--reason", "all", "--cancel", "-o", "json", "--server", b.URL+"/")
	if m := fields(t, out); code != 0 || m["via"] != "server" || m["where"] != b.URL || m["scope"] != "global" || m["state"] != "stopped" || m["epoch"] != 1.0 || m["in_flight"] != 0.0 {
		t.Errorf("code %d, %s", code, out)
	}
	_, out, _ = relent(t, "stop", "global", "--state", "stopped", "--reason", "all", "--cancel", "--server", b.URL)
	has(t, out, "which are cancelled")
	keys := b.sent()
	if len(keys) != 3 || keys[0] == "" || keys[0] == keys[1] {
		t.Errorf("keys of idempotency %q; want three that differ", keys)
	}
}

func TestStopDrill(t *testing.T) {
	b := mount(t, nil)
	code, out, stderr := relent(t, "stop", "global", "--state", "stopped", "--reason", "monthly", "--drill", "--server", b.URL)
	if status, _ := b.tree.Look("global"); code != 0 || status.State != halt.Running {
		t.Errorf("code %d, state %v, %s", code, status.State, stderr)
	}
	has(t, out, "drill, nothing is stopped  global", "which go on", "reached 1 of 1 processes, the last after ")
	if strings.Contains(stderr, "resume") {
		t.Errorf("a drill is not to be released: %s", stderr)
	}
}

// A drill that did not reach all processes fails, as a stop would not be in force there.
func TestStopDrillThatMissesSomebody(t *testing.T) {
	drill := func(reached, processes int, more ...string) (int, string, string) {
		s := answers(t, 200, fmt.Sprintf(`{"scope":"desk","state":"drain","drill":true,"reached":%d,"processes":%d,"took":12000000}`, reached, processes))
		return relent(t, append([]string{"stop", "desk", "--state", "drain", "--reason", "monthly", "--drill", "--server", s.URL}, more...)...)
	}
	code, out, stderr := drill(2, 3)
	if code != 1 {
		t.Errorf("code %d; want 1", code)
	}
	has(t, out, "reached 2 of 3 processes, the last after 12ms")
	has(t, stderr, "desk: drill: 1 of 3 processes did not say within a second that it arrived", "try: relent status")
	if code, out, _ = drill(0, 0); code != 0 {
		t.Errorf("code %d; want 0", code)
	}
	has(t, out, "no process is connected to this server")
	code, out, _ = drill(2, 3, "-o", "json")
	if m := fields(t, out); code != 1 || m["reached"] != 2.0 || m["processes"] != 3.0 || m["took"] != 12e6 {
		t.Errorf("code %d, %s", code, out)
	}
}

func TestStopIsRefused(t *testing.T) {
	viewer, v := token(t, "vera", dashboard.Viewer)
	stranger, _ := token(t, "sam", dashboard.Operator)
	operator, o := token(t, "otto", dashboard.Operator)
	b := mount(t, dashboard.Tokens(dashboard.TokenList{v, o}))
	stop := []string{"stop", "global", "--state", "drain", "--reason", "why", "--server", b.URL}
	for _, test := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"no token", nil, 1, []string{"global: not stopped: " + b.URL, "token", "--token-file FILE"}},
		{"a stranger's token", []string{"--token-file", stranger}, 1, []string{"not stopped", "try: the same with --token-file"}},
		{"a viewer", []string{"--token-file", viewer}, 1, []string{"vera is viewer", "somebody who may"}},
		{"an operator", []string{"--token-file", operator}, 0, nil},
		{"no such file", []string{"--token-file", operator + "x"}, 1, []string{"stop: --token-file: open", "try: relent token"}},
		{"an empty file", []string{"--token-file", write(t, "empty", "\n")}, 1, []string{"holds no token"}},
		{"a file of something else", []string{"--token-file", write(t, "else", "two words")}, 1, []string{"holds no token"}},
		{"a folder", []string{"--token-file", t.TempDir()}, 1, []string{"is a directory"}},
	} {
		code, _, stderr := relent(t, append(stop, test.args...)...)
		if code != test.code {
			t.Errorf("%s: code %d; want %d\n%s", test.name, code, test.code, stderr)
		}
		has(t, stderr, test.want...)
	}
	t.Setenv("RELENT_TOKEN_FILE", operator)
	if code, _, stderr := relent(t, stop...); code != 0 {
		t.Errorf("the token of the environment: %s", stderr)
	}
	conflict := answers(t, http.StatusConflict, `{"error":"no\u001b[31m"}`)
	code, _, stderr := relent(t, append(stop[:6:6], "--server", conflict.URL)...)
	if code != 1 || strings.Contains(stderr, "\x1b") {
		t.Errorf("code %d, %q", code, stderr)
	}
	has(t, stderr, `no\x1b[31m`, "try: relent status")
}

func TestStopMistakes(t *testing.T) {
	for _, test := range []struct {
		args string
		want []string
	}{
		{"", []string{"relent: stop: SCOPE is missing\ntry: relent stop --help"}},
		{"a b", []string{`"b" is one word too many`}},
		{"a --nonsense", []string{"unknown flag: --nonsense\ntry: relent stop --help"}},
		{"a", []string{`--state: "" is none of no-retries, risk-reducing, drain and stopped`, "--reason: say why"}},
		{"a --state running --reason x", []string{`--state: "running" is none`}},
		{"a//b --state drain --reason x", []string{"SCOPE: "}},
		{"a/b/c/d/e/f/g/h/i --state drain --reason x", []string{"SCOPE: 9 segments are more than 8"}},
		{"a --state stopped --expires 1h --reason x", []string{"--expires: a stop of everything never ends by itself"}},
		{"a --state drain --expires -1h --reason x", []string{"--expires: -1h0m0s is not above 0"}},
		{"a --state drain --cancel --reason x", []string{"--cancel: goes with --state stopped; drain lets"}},
		{"a --state drain --file f --server http://localhost --reason x", []string{"--file, --server: give one"}},
		{"a --state drain --file f --drill --expires 1h --reason x", []string{"--drill: a trigger file stops for real", "--expires: a stop by a trigger file"}},
		{"a --state drain --reason x --server localhost:1", []string{`--server: "localhost:1" is not the URL of a server`}},
		{"a --state drain --reason x --server http://user:secret@localhost", []string{"is not the URL of a server"}},
	} {
		code, out, stderr := relent(t, strings.Fields("stop "+test.args)...)
		if code != 2 || out != "" {
			t.Errorf("stop %s: code %d, stdout %q; want 2", test.args, code, out)
		}
		has(t, stderr, test.want...)
	}
}

// obeyed is what a tree makes of a trigger file.
func obeyed(t *testing.T, file string) *halt.Tree {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("OPERATE_TRIGGER", string(text)) // read at once, by the same rules
	return &halt.Tree{Env: "OPERATE_TRIGGER"}
}

func TestStopByFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "STOP")
	for _, scope := range []string{"global", "", "a/b", "stopped", "drain/a", "#x", "a%20b", "global/c"} {
		code, _, stderr := relent(t, "stop", scope, "--state", "drain", "--reason", " it is\n# late ", "--ticket", "T 1", "--file", file)
		if code != 0 {
			t.Fatalf("%q: %s", scope, stderr)
		}
	}
	tree := obeyed(t, file)
	if n := len(tree.Status()); n > 12 {
		t.Errorf("%d scopes", n)
	}
	for _, scope := range []halt.Scope{"global", "a/b", "stopped", "drain/a", "#x", "a%20b", "c"} {
		status, err := tree.Look(scope)
		if err != nil || len(status.Stops) == 0 || status.Stops[0].State != halt.DrainOnly {
			t.Errorf("%s: %v, %v; want drain by a stop of its own", scope, status.Stops, err)
		}
	}
	code, out, stderr := relent(t, "stop", "a/b", "--state", "drain", "--reason", "it is # late", "--ticket", "T 1", "--file", file)
	has(t, out, "there already  a/b  drain  in "+file, "Other machines are not reached")
	has(t, stderr, "remove the file, and then resume")
	if code != 0 {
		t.Error(stderr)
	}
	code, out, stderr = relent(t, "stop", "a", "--state", "stopped", "--cancel", "--reason", "x", "--ticket", "T", "--file", file, "-o", "json")
	if m := fields(t, out); code != 0 || m["via"] != "file" || m["where"] != file || m["state"] != "stopped" || m["ticket"] != "T" {
		t.Errorf("code %d, %s", code, out)
	}
	has(t, stderr, "cannot cancel what runs")
	if entries, _ := os.ReadDir(filepath.Dir(file)); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v; processes of others must be able to read it", info.Mode())
	}
}

// A tree that runs obeys what the command writes.
func TestStopReachesAProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "STOP")
	tree := &halt.Tree{Trigger: file, Poll: 10 * time.Millisecond}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- tree.Run(ctx) }()
	if code, _, stderr := relent(t, "stop", "a", "--state", "risk-reducing", "--reason", "x", "--file", file); code != 0 {
		t.Fatal(stderr)
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		status, _ := tree.Look("a")
		if status.State == halt.RiskReducingOnly {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("state %v after 5 s", status.State)
		}
	}
	cancel()
	<-ended
}

// What the file stops already, it goes on to stop.
func TestStopWeakensNothing(t *testing.T) {
	for name, text := range map[string]string{"an empty file": "", "comments only": "# nothing\n\n", "no end of line": "global stopped why"} {
		file := write(t, "STOP", text)
		if _, err := addTrigger(t.Context(), file, "a no-retries x (me)"); err != nil {
			t.Fatal(err)
		}
		tree := obeyed(t, file)
		all, _ := tree.Look("global")
		if own, _ := tree.Look("a"); all.State != halt.Stopped || len(own.Stops) != 1 || own.Stops[0].State != halt.NoRetries {
			t.Errorf("%s: global %v, a %v", name, all.State, own.Stops)
		}
	}
	folder := filepath.Join(t.TempDir(), "STOP")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	long := write(t, "STOP", strings.Repeat("x", mostTrigger+1))
	full := write(t, "STOP", "a drain "+strings.Repeat("x", mostTrigger-20)+"\n")
	for file, want := range map[string]string{
		folder: "is no list of stops", long: "is no list of stops", full: "is full",
		filepath.Join(folder, "no", "STOP"): "no such file",
	} {
		code, _, stderr := relent(t, "stop", "b", "--state", "drain", "--reason", "x", "--file", file)
		if code != 1 {
			t.Errorf("%s: code %d", file, code)
		}
		has(t, stderr, want, "b: not stopped", "try: ls -la")
	}
}

// Commands at the same time lose none of their stops, nor does one that holds the folder for ever hold up the others.
func TestStopAtTheSameTime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "STOP")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := addTrigger(t.Context(), file, fmt.Sprintf("s%d drain x (me)", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	text, _ := os.ReadFile(file)
	if n := strings.Count(string(text), "\n"); n != 8 {
		t.Errorf("%d stops of 8:\n%s", n, text)
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := addTrigger(t.Context(), file, "late drain x (me)"); err != nil {
		t.Error(err)
	}
	if text, _ := os.ReadFile(file); !strings.Contains(string(text), "late drain") {
		t.Errorf("a stop waits for ever")
	}
}

// Where a stop goes: what the command line says, else the environment, else the configuration.
func TestStopGoesWhereItShould(t *testing.T) {
	dir := t.TempDir()
	trigger := filepath.Join(dir, "STOP")
	conf := write(t, "relent.yaml", "version: 1\nhalt: {trigger_file: "+trigger+"}\nserver: {listen: \"127.0.0.1:1\"}\n")
	listen := write(t, "relent.yaml", "version: 1\nserver: {listen: \"127.0.0.1:1\"}\n")
	broken := write(t, "relent.yaml", "version: 2\n")
	stop := []string{"stop", "a", "--state", "drain", "--reason", "it's late"}
	dead := "http://127.0.0.1:1"
	for _, test := range []struct {
		name, env string
		args      []string
		code      int
		out, err  string
	}{
		{"trigger file of the configuration", "", []string{"-c", conf}, 0, "in " + trigger, ""},
		{"the server of the flag is first", "", []string{"-c", conf, "--server", dead}, 1, "", "not stopped: http://127.0.0.1:1: no server answers there: connect: connection refused\ntry: relent stop a --state drain --reason 'it'\\''s late' --file " + trigger},
		{"and so is that of the environment", dead, []string{"-c", conf}, 1, "", "no server answers"},
		{"a file of the command line is before it", dead, []string{"-c", conf, "--file", filepath.Join(dir, "other")}, 0, "in " + filepath.Join(dir, "other"), ""},
		{"a server of the configuration", "", []string{"-c", listen}, 1, "", "no server answers there"},
		{"a broken configuration", "", []string{"-c", broken}, 3, "", "is not valid"},
		{"is not looked at if the server is known", dead, []string{"-c", broken}, 1, "", "--file FILE, the trigger file that processes"},
		{"a drill takes a server", "", []string{"-c", conf, "--drill"}, 2, "", "--drill, --expires: the trigger file of the configuration has neither"},
		{"a drill without server", dead, []string{"--drill"}, 1, "", "try: relent doctor"},
	} {
		t.Setenv("RELENT_SERVER", test.env)
		code, out, stderr := relent(t, append(stop[:len(stop):len(stop)], test.args...)...)
		if code != test.code {
			t.Errorf("%s: code %d; want %d", test.name, code, test.code)
		}
		has(t, out, test.out)
		has(t, stderr, test.err)
	}
}

// A server that may have heard the stop, or not, is not said to have refused it.
func TestStopInDoubt(t *testing.T) {
	for _, s := range []string{answers(t, 200, "<html>").URL, answers(t, 200, "{", "Content-Length", "10").URL} {
		code, _, stderr := relent(t, "stop", "a", "--state", "drain", "--reason", "x", "--server", s, "--timeout", "300ms")
		if code != 1 {
			t.Errorf("code %d", code)
		}
		has(t, stderr, "perhaps not stopped, the server did not say")
	}
	moved := answers(t, http.StatusTemporaryRedirect, "", "Location", "http://elsewhere.example/")
	_, _, stderr := relent(t, "stop", "a", "--state", "drain", "--reason", "x", "--server", moved.URL)
	has(t, stderr, "not stopped", "points to http://elsewhere.example/")
	bare := answers(t, http.StatusForbidden, "")
	_, _, stderr = relent(t, "stop", "a", "--state", "drain", "--reason", "x", "--server", bare.URL)
	has(t, stderr, "answers 403 Forbidden")
}

func TestTriggerLine(t *testing.T) {
	got := triggerLine([]string{"a b", "c"}, control.Stop{State: "drain", Reason: "why", Ticket: "T\n1"}, "me")
	if want := "a%20b/c drain why, T 1 (me)"; got != want {
		t.Errorf("triggerLine = %q; want %q", got, want)
	}
}
