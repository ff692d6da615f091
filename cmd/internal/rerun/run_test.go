//go:build unix

package rerun

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func mustCodes(t testing.TB, text string) Codes {
	t.Helper()
	c, err := ParseCodes(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"plain": 0o644, "noformat": 0o755} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("\x7fnothing\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	// Each attempt appends a letter, so that they can be counted.
	counted := func(script string) []string { return sh(`printf x >&2; ` + script) }
	for _, test := range []struct {
		name     string
		command  Command
		code     int
		attempts int
	}{
		{"success", Command{Args: counted("exit 0")}, 0, 1},
		{"the last code", Command{Args: counted("exit $((6 + RELENT_ATTEMPT))")}, 9, 3},
		{"success at last", Command{Args: counted("[ $RELENT_ATTEMPT = 2 ]")}, 0, 2},
		{"one attempt", Command{Args: counted("exit 7"), Attempts: 1}, 7, 1},
		{"code 255", Command{Args: counted("exit 255"), Attempts: 2}, 255, 2},
		{"killed", Command{Args: counted("kill -KILL $$"), Attempts: 2}, 137, 2},
		{"ended by TERM", Command{Args: counted("kill -TERM $$")}, 143, 1},
		{"ended by INT", Command{Args: counted("kill -INT $$")}, 130, 1},
		{"ended by HUP", Command{Args: counted("kill -HUP $$")}, 129, 1},
		{"ended by QUIT", Command{Args: counted("ulimit -c 0; kill -QUIT $$")}, 131, 1},
		{"a shell's child ended by INT", Command{Args: counted("exit 130")}, 130, 1},
		{"TERM retried on request", Command{Args: counted("kill -TERM $$"), RetryOnExit: mustCodes(t, "143"), Attempts: 2}, 143, 2},
		{"only these codes", Command{Args: counted("exit 8"), RetryOnExit: mustCodes(t, "7,9-20")}, 8, 1},
		{"these codes", Command{Args: counted("exit 12"), RetryOnExit: mustCodes(t, "7,9-20")}, 12, 3},
		{"not these codes", Command{Args: counted("exit 2"), NoRetryOnExit: mustCodes(t, "2")}, 2, 1},
		{"not wins", Command{Args: counted("exit 2"), RetryOnExit: mustCodes(t, "2"), NoRetryOnExit: mustCodes(t, "2")}, 2, 1},
		{"the command's own 127", Command{Args: counted("exit 127")}, 127, 1},
		{"not found", Command{Args: []string{"no-such-program"}}, 127, 0},
		{"no such file", Command{Args: []string{dir + "/missing"}}, 127, 0},
		{"below a file", Command{Args: []string{dir + "/plain/x"}}, 127, 0},
		{"not executable", Command{Args: []string{dir + "/plain"}}, 126, 0},
		{"not executable in PATH", Command{Args: []string{"plain"}}, 126, 0},
		{"not a program", Command{Args: []string{"noformat"}}, 126, 0},
		{"a directory", Command{Args: []string{dir}}, 126, 0},
		{"another code on giving up", Command{Args: counted("exit 7"), ExitCodeOnGiveUp: new(99)}, 99, 3},
		{"zero on giving up", Command{Args: counted("exit 7"), ExitCodeOnGiveUp: new(0)}, 0, 3},
		{"not given up", Command{Args: counted("exit 0"), ExitCodeOnGiveUp: new(99)}, 0, 1},
		{"until seen", Command{Args: counted(`[ $RELENT_ATTEMPT = 3 ] && echo ready >&2; true`), UntilMatch: regexp.MustCompile("ready$")}, 0, 3},
		{"until seen on stdout", Command{Args: counted(`echo ready; true`), UntilMatch: regexp.MustCompile("^ready$")}, 0, 1},
		{"until never seen", Command{Args: counted(`echo no`), UntilMatch: regexp.MustCompile("^ready$")}, 1, 3},
		{"until seen but failed", Command{Args: counted(`echo ready; exit 4`), UntilMatch: regexp.MustCompile("^ready$")}, 4, 3},
		{"fail seen", Command{Args: counted(`[ $RELENT_ATTEMPT = 3 ] || echo oops`), FailMatch: regexp.MustCompile("oops")}, 0, 3},
		{"fail always seen", Command{Args: counted(`echo oops`), FailMatch: regexp.MustCompile("oops")}, 1, 3},
		{"fail and until seen", Command{Args: counted(`echo ok oops`), FailMatch: regexp.MustCompile("oops"), UntilMatch: regexp.MustCompile("ok")}, 1, 3},
		{"fail seen, code not retried", Command{Args: counted(`echo oops; exit 2`), FailMatch: regexp.MustCompile("oops"), NoRetryOnExit: mustCodes(t, "2")}, 2, 1},
	} {
		test.command.Quiet = true
		got := runHere(t, &test.command)
		if attempts := strings.Count(got.err, "x"); got.code != test.code || test.attempts > 0 && attempts != test.attempts {
			t.Errorf("%s: code %d after %d attempts; want %d after %d\n%s", test.name, got.code, attempts, test.code, test.attempts, got.err)
		}
	}
}

func TestNotFoundIsRetriedOnRequest(t *testing.T) {
	dir := t.TempDir()
	got := runHere(t, &Command{Args: []string{dir + "/later"}, RetryOnExit: mustCodes(t, "127"), Attempts: 4})
	if got.code != 127 || strings.Count(got.err, "cannot run "+dir+"/later: no such file or directory") != 4 {
		t.Errorf("code %d, %s; want 127 and four lines", got.code, got.err)
	}
}

func TestRealExitStatus(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
		out  string
		err  string
	}{
		{append([]string{"run", "--"}, command(t, "exit", "0")...), 0, "", ""},
		{append([]string{"run", "--backoff", "constant(1ms, none)", "--"}, command(t, "exit", "3", "4", "5")...), 5, "", "relent: attempt 2 of 3 ended with exit code 4; next in 1ms"},
		{append([]string{"-q", "run", "--attempts=1", "--"}, command(t, "exit", "41")...), 41, "", ""},
		{[]string{"run", "--attempts", "2", "--", "echo", "-n", "--attempts", "9", "hi"}, 0, "--attempts 9 hi", ""},
		{[]string{"run", "--attempts", "2", "echo", "--attempts", "9", "--", "-x"}, 0, "--attempts 9 -- -x\n", ""},
		{[]string{"run", "--", "sh", "-c", "kill -9 $$"}, 137, "", "was ended by SIGKILL"},
		{[]string{"run", "--", "no-such-program"}, 127, "", "relent: cannot run no-such-program: not found in PATH\n"},
		{[]string{"run", "--", "/"}, 126, "", "relent: cannot run /: is a directory\n"},
		{[]string{"run", "--max-elapsed", "200ms", "--", "sleep", "60"}, 124, "", "no time left within --max-elapsed 200ms"},
		{[]string{"run"}, 2, "", "relent: run: no command to run\ntry: relent run --help\n"},
		{[]string{"run", "--"}, 2, "", "no command to run"},
		{[]string{"run", "--", ""}, 2, "", "no command to run"},
		{[]string{"run", "--attempst", "3", "--", "true"}, 2, "", "unknown flag: --attempst\ntry: "},
		{[]string{"run", "-z", "true"}, 2, "", "unknown shorthand flag: 'z'"},
		{[]string{"run", "--attempts", "0", "--", "true"}, 2, "", `--attempts "0": want 1 or more`},
		{[]string{"run", "--attempts", "-1", "--", "true"}, 2, "", `--attempts "-1": want 1 or more`},
		{[]string{"run", "--attempts", "many", "--", "true"}, 2, "", `--attempts "many": want a whole number`},
		{[]string{"run", "--attempts", "99999999999999999999", "--", "true"}, 2, "", `too large`},
		{[]string{"run", "--attempts", "4294967296", "--", "true"}, 2, "", `want at most`},
		{[]string{"run", "--attempt-timeout", "-5s", "--", "true"}, 2, "", `--attempt-timeout "-5s": want more than 0`},
		{[]string{"run", "--max-elapsed", "0s", "--", "true"}, 2, "", `--max-elapsed "0s": want more than 0`},
		{[]string{"run", "--kill-after", "5", "--", "true"}, 2, "", `--kill-after "5": want a duration with its unit`},
		{[]string{"run", "--backoff", "sometimes", "--", "true"}, 2, "", `--backoff "sometimes": `},
		{[]string{"run", "--until-match", "(", "--", "true"}, 2, "", `--until-match "(": `},
		{[]string{"run", "--fail-match", "[", "--", "true"}, 2, "", `--fail-match "[": `},
		{[]string{"run", "--retry-on-exit", "9-3", "--", "true"}, 2, "", `--retry-on-exit "9-3": "9-3" runs backwards`},
		{[]string{"run", "--no-retry-on-exit", "0", "--", "true"}, 2, "", `--no-retry-on-exit "0": `},
		{[]string{"run", "--stdin", "some", "--", "true"}, 2, "", `--stdin "some": want one of [none buffer pass]`},
		{[]string{"run", "--stdout", "twice", "--", "true"}, 2, "", `--stdout "twice": want one of [once stream]`},
		{[]string{"run", "--stdin-max", "16", "--", "true"}, 2, "", `--stdin-max "16": `},
		{[]string{"run", "--stdin-max", "0B", "--", "true"}, 2, "", `--stdin-max "0B": want more than 0`},
		{[]string{"run", "--exit-code-on-give-up", "256", "--", "true"}, 2, "", `want at most 255`},
		{[]string{"run", "--notify-fd", "1", "--", "true"}, 2, "", `--notify-fd "1": want 2 or more`},
		{[]string{"run", "--notify-fd", "77", "--", "true"}, 2, "", `--notify-fd 77: bad file descriptor`},
		{[]string{"run", "-o", "xml", "--", "true"}, 2, "", `--output "xml": want one of`},
		{[]string{"run", "--exit-code-on-give-up", "55", "--attempts", "1", "--", "false"}, 55, "", "gave up after 1 attempt in "},
		{[]string{"run", "--retry-on-exit", "3", "--retry-on-exit", "4", "--attempts", "2", "-q", "--", "sh", "-c", "echo $RELENT_ATTEMPT; exit 4"}, 4, "2\n", "1\n"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			t.Parallel()
			got := finish(t, relent(t, test.args...))
			if got.code != test.code || got.out != test.out || !strings.Contains(got.err, test.err) || test.err == "" && got.err != "" {
				t.Errorf("%q = %d, %q, %q; want %d, %q, %q", test.args, got.code, got.out, got.err, test.code, test.out, test.err)
			}
		})
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	got := finish(t, relent(t, "run", "--help"))
	for _, flag := range []string{
		"--attempts N", "(default exponential(100ms, x2, max 30s, full))", "--attempt-timeout DURATION", "--max-elapsed", "--retry-on-exit CODES", "--no-retry-on-exit",
		"--until-match RE", "--fail-match", "--stdin MODE", "--stdout MODE", "--stdin-max SIZE", "(default 16MiB)", "--kill-after", "(default 5s)", "--fail-cmd COMMAND",
		"--notify-fd N", "--exit-code-on-give-up", "-o, --output",
	} {
		if !strings.Contains(got.out, flag) {
			t.Errorf("help lacks %q:\n%s", flag, got.out)
		}
	}
}

func TestMistakesInTheStruct(t *testing.T) {
	_, err := (&Command{
		Attempts: -1, AttemptTimeout: -1, MaxElapsed: -1, KillAfter: -1, StdinMax: -1,
		Stdin: "x", Stdout: "x", ExitCodeOnGiveUp: new(-1), NotifyFD: -1,
	}).Run(t.Context())
	for _, want := range []string{
		"no command", "--attempts -1", "--attempt-timeout", "--max-elapsed", "--kill-after", "--stdin-max", "--stdin ", "--stdout ",
		"--exit-code-on-give-up -1", "--notify-fd -1",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run = %v; want %q in it", err, want)
		}
	}
	code, err := (&Command{Args: []string{"true"}, NotifyFD: 1}).Run(t.Context())
	if code != 2 || err == nil {
		t.Errorf("NotifyFD 1: Run = %d, %v; want 2 and an error", code, err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if err := writable(int(null.Fd())); err != errReadOnly {
		t.Errorf("writable = %v; want %v", err, errReadOnly)
	}
}

func TestExitError(t *testing.T) {
	cause := errors.New("because")
	e := &Exit{Code: 2, Err: cause}
	if e.Error() != "because" || !errors.Is(e, cause) || (&Exit{Code: 7}).Error() != "exit code 7" {
		t.Errorf("Exit = %v, %v", e, &Exit{Code: 7})
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("RELENT_ATTEMPT", "41")
	t.Setenv("RELENT_LAST_EXIT", "42")
	t.Setenv("RELENT_CALL_ID", "outer")
	got := runHere(t, &Command{Args: sh(`env | grep RELENT_ | sort; exit $((10 + RELENT_ATTEMPT))`), Quiet: true, Stdout: StdoutStream})
	parts := strings.SplitAfter(got.out, "RELENT_MAX_ATTEMPTS=3\n")
	id := strings.TrimPrefix(strings.Split(parts[0], "\n")[1], "RELENT_CALL_ID=")
	want := ""
	for n := 1; n <= 3; n++ {
		want += fmt.Sprintf("RELENT_ATTEMPT=%d\nRELENT_CALL_ID=%s\n", n, id)
		if n > 1 {
			want += fmt.Sprintf("RELENT_LAST_EXIT=%d\n", 10+n-1)
		}
		want += "RELENT_MAX_ATTEMPTS=3\n"
	}
	if got.out != want || len(id) != 16 {
		t.Errorf("environment:\n%s\nwant:\n%s", got.out, want)
	}
}

func TestMessages(t *testing.T) {
	got := runHere(t, &Command{Args: sh("exit $((6 + RELENT_ATTEMPT))")})
	want := "relent: attempt 1 of 3 ended with exit code 7; next in 1ms\n" +
		"relent: attempt 2 of 3 ended with exit code 8; next in 1ms\n" +
		"relent: gave up after 3 attempts in "
	if !strings.HasPrefix(got.err, want) || !strings.HasSuffix(got.err, ": attempts exhausted: the last ended with exit code 9\n") {
		t.Errorf("stderr %q; want %q…", got.err, want)
	}
	if got := runHere(t, &Command{Args: sh("exit 7"), Quiet: true}); got.err != "" || got.code != 7 {
		t.Errorf("quiet: %d, %q; want 7 and silence", got.code, got.err)
	}
	if got := runHere(t, &Command{Args: []string{"no-such-program"}, Quiet: true}); got.err == "" {
		t.Error("quiet: errors are said all the same")
	}
	if got := runHere(t, &Command{Args: sh("exit 2"), NoRetryOnExit: mustCodes(t, "2")}); !strings.Contains(got.err, "gave up after 1 attempt in ") || !strings.Contains(got.err, "not retryable") {
		t.Errorf("stderr %q", got.err)
	}
}

func TestFailCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ran")
	fail := `printf "$RELENT_ATTEMPT $RELENT_LAST_EXIT," >> '` + file + `'; echo on stdout; exit 5`
	got := runHere(t, &Command{Args: sh("echo out; exit 7"), FailCmd: fail})
	if ran := read(t, file); got.code != 7 || ran != "3 7," || got.out != "out\n" {
		t.Errorf("code %d, ran %q, stdout %q; want 7, once with 3 and 7, out", got.code, ran, got.out)
	}
	if !strings.Contains(got.err, "on stdout\nrelent: --fail-cmd ended with exit code 5\n") {
		t.Errorf("stderr %q", got.err)
	}
	runHere(t, &Command{Args: sh("exit 0"), FailCmd: fail})
	if ran := read(t, file); ran != "3 7," {
		t.Errorf("ran %q; want no run after success", ran)
	}
}

func TestAttemptTimeout(t *testing.T) {
	for _, test := range []struct {
		name, script string
		code         int
	}{
		{"ends on TERM", `exec sleep 60`, 143},
		{"ends well on TERM", `trap 'exit 0' TERM; sleep 60 & wait`, 1},
		{"ends on TERM with its own code", `trap 'exit 9' TERM; sleep 60 & wait`, 9},
		{"ignores TERM", `trap '' TERM; sleep 60`, 137},
		{"is stopped", `kill -STOP $$`, 143},
	} {
		pids := filepath.Join(t.TempDir(), "pids")
		got := runHere(t, &Command{
			Args:     sh(`sleep 60 & echo $! $$ >> '` + pids + `'; ` + test.script),
			Attempts: 2, AttemptTimeout: 150 * time.Millisecond, KillAfter: 100 * time.Millisecond,
		})
		if got.code != test.code || !strings.Contains(got.err, "attempt 1 of 2 took longer than 150ms") {
			t.Errorf("%s: code %d; want %d\n%s", test.name, got.code, test.code, got.err)
		}
		numbers := strings.Fields(read(t, pids))
		if len(numbers) != 4 {
			t.Errorf("%s: processes %v; want two of each of two attempts", test.name, numbers)
		}
		for _, n := range numbers {
			var pid int
			fmt.Sscan(n, &pid)
			if running(pid) {
				t.Errorf("%s: process %d is left", test.name, pid)
			}
		}
	}
}

func TestTimeoutCodeCanBeExcluded(t *testing.T) {
	got := runHere(t, &Command{Args: []string{"sleep", "60"}, AttemptTimeout: 20 * time.Millisecond, NoRetryOnExit: mustCodes(t, "143")})
	if got.code != 143 || !strings.Contains(got.err, "after 1 attempt") {
		t.Errorf("code %d, %s", got.code, got.err)
	}
}

func TestMaxElapsed(t *testing.T) {
	for _, test := range []struct {
		name    string
		command Command
	}{
		{"during an attempt", Command{Args: []string{"sleep", "60"}}},
		{"during an attempt that ignores TERM", Command{Args: sh(`trap '' TERM; sleep 60`)}},
		{"during an attempt that then succeeds", Command{Args: sh(`trap 'exit 0' TERM; sleep 60 & wait`)}},
		{"instead of a wait", Command{Args: sh("exit 7"), Backoff: long}},
		{"between attempts", Command{Args: sh("exit 7"), Attempts: 1_000_000}},
	} {
		test.command.MaxElapsed, test.command.KillAfter = 300*time.Millisecond, 50*time.Millisecond
		began := time.Now()
		got := runHere(t, &test.command)
		if got.code != 124 || time.Since(began) > 10*time.Second {
			t.Errorf("%s: code %d after %v; want 124\n%s", test.name, got.code, time.Since(began), got.err)
		}
	}
}

func TestCallerCancels(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	go func() {
		defer cancel()
		for read(t, dir+"/pid") == "" {
			time.Sleep(time.Millisecond)
		}
	}()
	null, _ := os.Open(os.DevNull)
	defer null.Close()
	out := create(t, dir, "out")
	code, err := (&Command{Args: sh(`echo $$ > "$1"; exec sleep 60`, dir+"/pid"), In: null, Out: out, Err: out}).Run(ctx)
	if code != 143 || err != nil {
		t.Errorf("Run = %d, %v; want 143", code, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if code, err := (&Command{Args: sh(`echo > "$1"`, dir+"/never"), In: null, Out: out, Err: out}).Run(cancelled); code != 1 || err != nil || read(t, dir+"/never") != "" {
		t.Errorf("Run = %d, %v; want 1 and nothing run", code, err)
	}
}

func TestLeftoversOfARepeatedAttemptAreEnded(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	script := `sleep 60 >/dev/null 2>&1 & echo $! >> '` + pids + `'; exit 7`
	if got := runHere(t, &Command{Args: sh(script), Attempts: 2}); got.code != 7 {
		t.Errorf("code %d; want 7", got.code)
	}
	var first, last int
	fmt.Sscan(read(t, pids), &first, &last)
	if running(first) {
		t.Errorf("process %d of the first attempt is left", first)
	}
	if !running(last) {
		t.Errorf("process %d of the last attempt is gone; want it left alone", last)
	}
	if p, err := os.FindProcess(last); err == nil {
		p.Kill()
	}
}
