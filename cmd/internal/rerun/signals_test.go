//go:build unix

package rerun

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A live is a relent under way in a process of its own.
type live struct {
	*exec.Cmd
	t   *testing.T
	dir string // for files that the command writes

	mu       sync.Mutex
	out, err bytes.Buffer // guarded by mu
}

type locked struct {
	l *live
	b *bytes.Buffer
}

func (w locked) Write(p []byte) (int, error) {
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	return w.b.Write(p)
}

// begin starts relent with a script, which finds the directory for its files in $1.
func begin(t *testing.T, script string, flags ...string) *live {
	t.Helper()
	l := &live{t: t, dir: t.TempDir()}
	args := append(append([]string{"run"}, flags...), "--")
	l.Cmd = relent(t, append(args, sh(script, l.dir)...)...)
	l.Stdout, l.Stderr = locked{l, &l.out}, locked{l, &l.err}
	l.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Process.Kill() })
	return l
}

func (l *live) file(name string) string { return filepath.Join(l.dir, name) }

func (l *live) stderr() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err.String()
}

// says waits for text on stderr.
func (l *live) says(text string) {
	l.t.Helper()
	eventually(l.t, fmt.Sprintf("%q on stderr", text), func() bool { return strings.Contains(l.stderr(), text) })
}

// end waits for relent's end and returns its exit code.
func (l *live) end() int {
	l.t.Helper()
	l.Wait()
	return l.ProcessState.ExitCode()
}

var terminating = []unix.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT}

func TestSignalDuringAnAttempt(t *testing.T) {
	for _, sig := range terminating {
		for _, test := range []struct {
			name, script string
			code         int
		}{
			{"by default", `ulimit -c 0; sleep 60 & echo $! > "$1/child"; wait`, 128 + int(sig)},
			{"with the command's own code", `trap 'exit 9' INT TERM HUP QUIT; sleep 60 & echo $! > "$1/child"; wait`, 9},
			{"ending well", `trap 'exit 0' INT TERM HUP QUIT; sleep 60 & echo $! > "$1/child"; wait`, 0},
			{"leaving a deaf process", `(trap '' INT TERM HUP QUIT; exec sleep 60) & echo $! > "$1/child"; ulimit -c 0; trap 'exit 9' INT TERM HUP QUIT; wait`, 9},
		} {
			t.Run(signalName(sig)+" "+test.name, func(t *testing.T) {
				t.Parallel()
				l := begin(t, `echo run >&2; `+test.script, "--kill-after", "50ms")
				child := pidIn(t, l.file("child"))
				l.Process.Signal(sig)
				code := l.end()
				if runs := strings.Count(l.stderr(), "run\n"); code != test.code || runs != 1 {
					t.Errorf("code %d after %d runs; want %d after 1\n%s", code, runs, test.code, l.stderr())
				}
				if running(child) {
					t.Errorf("process %d is left", child)
				}
			})
		}
	}
}

func TestSignalDuringAWait(t *testing.T) {
	for _, sig := range terminating {
		t.Run(signalName(sig), func(t *testing.T) {
			t.Parallel()
			l := begin(t, `echo run >&2; echo out; exit 7`, "--backoff", "constant(1h, none)", "-o", "json", "--fail-cmd", "echo no >&2")
			l.says("next in 1h0m0s")
			l.Process.Signal(sig)
			code := l.end()
			if runs := strings.Count(l.stderr(), "run\n"); code != 128+int(sig) || runs != 1 {
				t.Errorf("code %d after %d runs; want %d after 1\n%s", code, runs, 128+int(sig), l.stderr())
			}
			if !strings.Contains(l.stderr(), `"reason":"signal"`) || !strings.Contains(l.stderr(), "ended by "+signalName(sig)+": no more attempts") ||
				strings.Contains(l.stderr(), "no\n") || l.out.String() != "out\n" {
				t.Errorf("stdout %q, stderr %s", l.out.String(), l.stderr())
			}
		})
	}
}

func TestSecondInterruptKills(t *testing.T) {
	l := begin(t, `trap 'echo heard >> "$1/heard"' INT; (trap '' INT; exec sleep 60) & echo $! > "$1/child"; while :; do wait; done`, "--kill-after", "1h")
	child := pidIn(t, l.file("child"))
	l.Process.Signal(unix.SIGINT)
	eventually(t, "the first INT heard", func() bool { return read(t, l.file("heard")) != "" })
	l.Process.Signal(unix.SIGINT)
	if code := l.end(); code != 137 {
		t.Errorf("code %d; want 137\n%s", code, l.stderr())
	}
	if running(child) {
		t.Errorf("process %d is left", child)
	}
}

func TestOtherSignalsDoNotKill(t *testing.T) {
	l := begin(t, `n=0; trap 'n=$((n+1)); echo $n > "$1/heard"; [ $n -lt 3 ] || exit 5' TERM; echo > "$1/ready"; while :; do sleep 0.01; done`)
	eventually(t, "ready", func() bool { return read(t, l.file("ready")) != "" })
	for n := 1; n <= 3; n++ {
		l.Process.Signal(unix.SIGTERM)
		if n < 3 {
			eventually(t, "TERM heard", func() bool { return read(t, l.file("heard")) == fmt.Sprintln(n) })
		}
	}
	if code := l.end(); code != 5 {
		t.Errorf("code %d; want 5", code)
	}
}

// After a signal the attempt's timeout still counts: a deaf command does not run for ever.
func TestTimeoutAfterASignal(t *testing.T) {
	l := begin(t, `trap '' INT TERM; echo > "$1/ready"; sleep 60`, "--attempt-timeout", "400ms", "--kill-after", "10ms")
	eventually(t, "ready", func() bool { return read(t, l.file("ready")) != "" })
	l.Process.Signal(unix.SIGINT)
	if code := l.end(); code != 137 {
		t.Errorf("code %d; want 137\n%s", code, l.stderr())
	}
}

func TestSignalDuringFailCommand(t *testing.T) {
	l := begin(t, `exit 7`, "--attempts", "1", "--fail-cmd", `echo failing >&2; exec sleep 60`)
	l.says("failing")
	l.Process.Signal(unix.SIGTERM)
	if code := l.end(); code != 7 || !strings.Contains(l.stderr(), "--fail-cmd ended with exit code 143") {
		t.Errorf("code %d; want 7\n%s", code, l.stderr())
	}
}

// What was ignored when relent began stays ignored: nohup.
func TestIgnoredSignalsStayIgnored(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c",
		`trap '' HUP; exec "$0" as-relent run -- sh -c 'echo $PPID > "$1/pid.new"; mv "$1/pid.new" "$1/pid"; until [ -e "$1/go" ]; do sleep 0.01; done; exit 0' sh "$1"`, self(t), dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := pidIn(t, filepath.Join(dir, "pid"))
	unix.Kill(pid, unix.SIGHUP)
	create(t, dir, "go")
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v; want the HUP ignored by relent and its command", err)
	}
}

func TestStopAndContinue(t *testing.T) {
	l := begin(t, `exec '`+self(t)+`' as-command continued 3 "$1"`, "--attempts", "1")
	child := pidIn(t, l.file("pid"))
	l.Process.Signal(unix.SIGTSTP)
	eventually(t, "relent stopped", func() bool { return state(l.Process.Pid) == "T" })
	eventually(t, "the command stopped", func() bool { return state(child) == "T" })
	l.Process.Signal(unix.SIGCONT)
	eventually(t, "relent continued", func() bool { return state(l.Process.Pid) != "T" })
	eventually(t, "the command continued", func() bool { return state(child) != "T" })
	create(t, l.dir, "go")
	if code := l.end(); code != 3 {
		t.Errorf("code %d; want 3", code)
	}
}

func TestStopDuringAWait(t *testing.T) {
	l := begin(t, `exit 7`, "--backoff", "constant(1h, none)")
	l.says("next in 1h0m0s")
	l.Process.Signal(unix.SIGTSTP)
	eventually(t, "relent stopped", func() bool { return state(l.Process.Pid) == "T" })
	l.Process.Signal(unix.SIGCONT)
	l.Process.Signal(unix.SIGTERM)
	if code := l.end(); code != 143 {
		t.Errorf("code %d; want 143", code)
	}
}

// A command stopped by somebody else's hand stays stopped until CONT passes through relent.
func TestContinueIsPassedOn(t *testing.T) {
	l := begin(t, `echo $$ > "$1/pid"; kill -STOP $$; exit 3`, "--attempts", "1")
	child := pidIn(t, l.file("pid"))
	eventually(t, "the command stopped", func() bool { return state(child) == "T" })
	l.Process.Signal(unix.SIGCONT)
	if code := l.end(); code != 3 {
		t.Errorf("code %d; want 3", code)
	}
}

// state returns the letter of a process's state, as ps does.
func state(pid int) string {
	out, _ := exec.Command("ps", "-o", "stat=", "-p", fmt.Sprint(pid)).Output()
	return strings.TrimLeft(string(out), " ")[:min(1, len(out))]
}

func TestParentDeath(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a parent-death signal")
	}
	l := begin(t, `trap 'echo > "$1/term"; exit' TERM; echo $$ > "$1/pid"; while :; do sleep 0.01; done`)
	child := pidIn(t, l.file("pid"))
	l.Process.Kill()
	l.Wait()
	eventually(t, "TERM heard", func() bool { return read(t, l.file("term")) != "" })
	eventuallyGone(t, child)
}

// Nobody reads what relent writes: a signal must end it all the same.
func TestSignalWhileNobodyReads(t *testing.T) {
	for _, test := range []struct {
		name, script string
		flags        []string
		code         int
	}{
		{"the result", `head -c 1000000 /dev/zero; echo > "$1/done"`, []string{"--stdout", "once"}, 143},
		{"output that passes through", `head -c 70000 /dev/zero; echo > "$1/done"`, []string{"--stdout", "stream", "--fail-match", "x"}, 143},
		{"a failed attempt's output", `head -c 1000000 /dev/zero; echo > "$1/done"; exit 7`, []string{"--backoff", "constant(1ms, none)", "-q"}, 143},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r, w, err := os.Pipe() // never read
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			cmd := relent(t, append(append(append([]string{"run"}, test.flags...), "--"), sh(test.script, dir)...)...)
			cmd.Stdout, cmd.Stderr = w, w
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			w.Close()
			eventually(t, "the command's end", func() bool { return read(t, filepath.Join(dir, "done")) != "" })
			done := make(chan struct{})
			go func() {
				defer close(done)
				cmd.Wait()
			}()
			// The first may come a moment before the write begins. Ask until it has been heard.
			eventually(t, "relent's end", func() bool {
				cmd.Process.Signal(unix.SIGTERM)
				select {
				case <-done:
					return true
				case <-time.After(20 * time.Millisecond):
					return false
				}
			})
			if code := cmd.ProcessState.ExitCode(); code != test.code {
				t.Errorf("code %d; want %d", code, test.code)
			}
			io.Copy(io.Discard, r)
		})
	}
}

// In this process, where the signal comes from the command itself.
func TestSignalFromTheCommand(t *testing.T) {
	got := runHere(t, &Command{Args: sh(`kill -TERM $PPID; sleep 60`), KillAfter: 50 * time.Millisecond})
	if got.code != 143 || !strings.Contains(got.err, "ended by SIGTERM: no more attempts") {
		t.Errorf("code %d, %s; want 143", got.code, got.err)
	}
	got = runHere(t, &Command{Args: sh(`trap '' INT; while :; do kill -INT $PPID; sleep 0.01; done`)})
	if got.code != 137 {
		t.Errorf("code %d, %s; want 137", got.code, got.err)
	}
	got = runHere(t, &Command{Args: sh(`trap 'exit 0' TERM; kill -TERM $PPID; sleep 60 & wait`), KillAfter: 50 * time.Millisecond})
	if got.code != 0 {
		t.Errorf("code %d, %s; want 0", got.code, got.err)
	}
}

func TestSignalName(t *testing.T) {
	if got := signalName(unix.SIGINT) + " " + signalName(unix.Signal(99)); got != "SIGINT signal 99" {
		t.Error(got)
	}
}
