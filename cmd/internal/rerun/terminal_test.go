//go:build unix

package rerun

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"
)

// A session is a program on a terminal of its own, with a person at it.
type session struct {
	*exec.Cmd
	t        *testing.T
	keyboard *os.File
	done     chan struct{} // closed when nothing more will be shown

	mu    sync.Mutex
	shown strings.Builder // guarded by mu
}

// sit starts a program of this binary on a terminal.
func sit(t *testing.T, cmd *exec.Cmd) *session {
	t.Helper()
	s := &session{Cmd: cmd, t: t, done: make(chan struct{})}
	var err error
	if s.keyboard, err = pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 200}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.keyboard.Close()
		s.Process.Kill()
	})
	go func() {
		defer close(s.done)
		b := make([]byte, 4096)
		for {
			n, err := s.keyboard.Read(b)
			s.mu.Lock()
			s.shown.Write(b[:n])
			s.mu.Unlock()
			if err != nil { // EIO: nobody has the terminal open any more
				return
			}
		}
	}()
	return s
}

func (s *session) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.ReplaceAll(s.shown.String(), "\r\n", "\n")
}

func (s *session) shows(text string) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("%q on the screen", text), func() bool { return strings.Contains(s.screen(), text) })
}

func (s *session) types(text string) {
	s.t.Helper()
	if _, err := s.keyboard.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// end waits for the program's end and returns its exit code and all that was shown.
func (s *session) end() (int, string) {
	s.t.Helper()
	s.Wait()
	<-s.done
	return s.ProcessState.ExitCode(), s.screen()
}

func TestTerminal(t *testing.T) {
	s := sit(t, relent(t, append([]string{"run", "--attempts", "3", "--backoff", "constant(1ms, none)", "--stdin", "pass", "--"}, command(t, "foreground")...)...))
	if code, screen := s.end(); code != 0 || screen != "foreground true leader true\n" {
		t.Errorf("%d, %q; want the command's group in the foreground", code, screen)
	}

	s = sit(t, relent(t, "run", "--backoff", "constant(1ms, none)", "--", "sh", "-c", `echo attempt $RELENT_ATTEMPT; test -t 1 && wc -c; exit 7`))
	code, screen := s.end()
	want := "attempt 1\n0\nretrying: this assumes the command may run twice\nrelent: attempt 1 of 3 ended with exit code 7; next in 1ms\n" +
		"attempt 2\n0\nrelent: attempt 2 of 3 ended with exit code 7; next in 1ms\nattempt 3\n0\nrelent: gave up after 3 attempts"
	if code != 7 || !strings.HasPrefix(screen, want) {
		t.Errorf("%d, %q; want 7 and %q…: a stream, no stdin, and the promise once", code, screen, want)
	}

	s = sit(t, relent(t, "-q", "run", "--backoff", "constant(1ms, none)", "--", "sh", "-c", `exit 7`))
	if code, screen := s.end(); code != 7 || screen != "" {
		t.Errorf("quiet: %d, %q; want 7 and silence", code, screen)
	}
}

func TestInterruptFromTheKeyboard(t *testing.T) {
	for _, test := range []struct {
		name, script, ready string
		flags               []string
	}{
		{"during an attempt", `echo ready; sleep 60`, "ready", nil},
		{"during an attempt of a shell that waits", `sleep 60 & echo ready; wait`, "ready", nil},
		{"during a wait", `exit 7`, "next in 1h0m0s", nil},
		{"during an attempt with a buffered keyboard", `echo ready; cat`, "ready", []string{"--stdin", "buffer"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"run", "--backoff", "constant(1h, none)"}, test.flags...)
			s := sit(t, relent(t, append(append(args, "--"), sh(test.script)...)...))
			s.shows(test.ready)
			s.types("\x03")
			if code, screen := s.end(); code != 130 || strings.Count(screen, "ready") > 1 {
				t.Errorf("%d, %q; want 130 after one attempt", code, screen)
			}
		})
	}
}

// An interactive shell sees its job stop on ^Z, and continues it.
func TestStopFromTheKeyboard(t *testing.T) {
	dir := t.TempDir()
	s := sit(t, exec.CommandContext(t.Context(), self(t), append([]string{"as-shell", "run", "--stdin", "pass", "--"},
		sh(`echo $$ > "$1/pid"; echo ready; read x; echo "got $x"; exit 4`, dir)...)...))
	s.shows("ready")
	s.types("\x1a")
	s.shows("shell: stopped")
	s.types("words\n")
	s.shows("got words")
	if code, screen := s.end(); code != 4 {
		t.Errorf("%d, %q; want 4", code, screen)
	}
}

// Without a shell above that could continue us, ^Z means nothing.
func TestStopWithoutAShell(t *testing.T) {
	s := sit(t, relent(t, append([]string{"run", "--attempts", "1", "--"}, command(t, "continued", "4")...)...))
	s.shows("ready")
	s.types("\x1a")
	if code, screen := s.end(); code != 4 {
		t.Errorf("%d, %q; want 4", code, screen)
	}
}

// Beside a pipe the terminal stays with our group, until the command asks for it.
func TestTerminalBesideAPipe(t *testing.T) {
	script := `"$0" as-relent run -- sh -c 'read x < /dev/tty; echo "got $x"; "$0" as-command foreground < /dev/tty' "$0" | cat`
	s := sit(t, exec.CommandContext(t.Context(), "/bin/sh", "-c", script, self(t)))
	s.types("words\n")
	s.shows("got words")
	if code, screen := s.end(); code != 0 || !strings.Contains(screen, "foreground true leader false") {
		t.Errorf("%d, %q; want the terminal given when asked for", code, screen)
	}

	s = sit(t, exec.CommandContext(t.Context(), "/bin/sh", "-c", `"$0" as-relent run --stdin pass -- "$0" as-command foreground < /dev/tty | cat`, self(t)))
	if code, screen := s.end(); code != 0 || !strings.Contains(screen, "foreground false leader true") {
		t.Errorf("%d, %q; want the terminal kept", code, screen)
	}
}

// A command that is killed cannot put the terminal back as it was.
func TestTerminalModesAreRestored(t *testing.T) {
	dir := t.TempDir()
	s := sit(t, exec.CommandContext(t.Context(), "/bin/sh", "-c",
		`"$0" as-relent run --stdin pass --attempt-timeout 500ms --attempts 1 -- sh -c 'stty -echo; stty -a | grep -o -- "-*echo " > "$1/during"; exec sleep 60' sh "$1"; stty -a | grep -o -- "-*echo " > "$1/after"`,
		self(t), dir))
	s.end()
	during, after := read(t, filepath.Join(dir, "during")), read(t, filepath.Join(dir, "after"))
	if during != "-echo \n" || after != "echo \n" {
		t.Errorf("echo during the attempt %q, after it %q; want it off and on again", during, after)
	}
}

// The terminal comes back even if the command took it and then could not be executed.
func TestTerminalAfterACommandThatIsNoProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "noformat")
	if err := os.WriteFile(file, []byte("\x7fnothing"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := sit(t, exec.CommandContext(t.Context(), "/bin/sh", "-c", `"$0" as-relent run "$1"; "$0" as-command foreground`, self(t), file))
	if _, screen := s.end(); !strings.Contains(screen, "exec format error\nforeground true") {
		t.Errorf("%q; want the terminal back in the group that had it", screen)
	}
}

func TestOpenTerminal(t *testing.T) {
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer slave.Close()
	if !isTerminal(slave) || isTerminal(create(t, t.TempDir(), "file")) {
		t.Error("isTerminal is wrong")
	}
	// A terminal, but not ours: there is nothing to hand over.
	if tty := openTerminal(slave); tty != nil {
		t.Errorf("openTerminal = %v; want nil", tty)
	}
	slave.Close()
	if n := descriptor(slave); n != -1 {
		t.Errorf("descriptor = %d; want -1", n)
	}
}
