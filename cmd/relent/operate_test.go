package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// The commands of operators, by the program as it is built: exit codes, and which stream says what.
func TestOperateExitCodes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the program")
	}
	program, dir := build(t), t.TempDir()
	broken, good := filepath.Join(dir, "broken.yaml"), filepath.Join(dir, "good.yaml")
	for name, text := range map[string]string{
		broken: "version: 1\nhalt: {trigger: x}\n",
		good:   "version: 1\nhalt: {trigger_file: " + filepath.Join(dir, "STOP") + ", state_file: " + filepath.Join(dir, "state") + "}\nserver: {listen: \"127.0.0.1:0\"}\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const dead = "http://127.0.0.1:1"
	for _, test := range []struct {
		args   []string
		env    string
		code   int
		stderr string
	}{
		{[]string{"stop", "a", "--state", "drain", "--reason", "x", "-c", good}, "", 0, "to release it"},
		{[]string{"stop", "a", "--state", "drain", "--reason", "x", "-c", good, "-q"}, "", 0, ""},
		{[]string{"stop", "a", "--state", "drain", "--reason", "x", "--server", dead}, "", 1, "relent: stop: a: not stopped"},
		{[]string{"stop", "a"}, "", 2, "relent: stop: --state"},
		{[]string{"stop", "a", "--state", "drain", "--reason", "x", "-c", broken}, "", 3, "unknown field \"trigger\""},
		{[]string{"stop", "a", "--state", "drain", "--reason", "x"}, "RELENT_CONFIG=" + good, 0, "to release it"},
		{[]string{"stop", "a", "--state", "drain", "--reason", "x"}, "RELENT_SERVER=" + dead, 1, "no server answers there"},
		{[]string{"resume", "a", "--epoch", "1", "--reason", "x"}, "", 1, "try: "},
		{[]string{"resume", "a"}, "", 2, "relent: resume: --epoch"},
		{[]string{"status", "--server", dead}, "", 1, "relent: status: " + dead},
		{[]string{"status", "x"}, "", 2, "one word too many"},
		{[]string{"--server", dead, "status", "-c", broken}, "", 1, "no server answers"},
		{[]string{"status", "-c", broken}, "", 3, "is not valid"},
		{[]string{"orders"}, "", 2, "--store: say where"},
		{[]string{"orders", "--venue", "v", "--account", "a", "--store", "sqlite:" + filepath.Join(dir, "none.db")}, "", 1, "no such file"},
		{[]string{"doctor", "-c", broken}, "", 1, "unknown field"},
		{[]string{"doctor", "--nonsense"}, "", 2, "unknown flag"},
	} {
		cmd := exec.Command(program, test.args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "RELENT_SERVER=", "RELENT_CONFIG=", "RELENT_TOKEN_FILE=", "RELENT_STORE=", test.env)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != test.code || !strings.Contains(stderr.String(), test.stderr) {
			t.Errorf("relent %s: code %d, stdout\n%s\nstderr\n%s\nwant %d, %q", strings.Join(test.args, " "), code, &stdout, &stderr, test.code, test.stderr)
		}
		if test.stderr == "" && stderr.Len() > 0 {
			t.Errorf("relent %s: stderr %s", strings.Join(test.args, " "), &stderr)
		}
	}
}

// On a terminal status --watch draws in place on the second screen, ^C ends it with 0, and the last look stays.
func TestStatusWatchOnATerminal(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the program")
	}
	program, dir := build(t), t.TempDir()
	server := exec.Command(program, "serve", "--listen", "127.0.0.1:0", "--store", "sqlite:"+filepath.Join(dir, "relent.db"), "--drain", "0s")
	pipe, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		server.Process.Signal(syscall.SIGTERM)
		server.Wait()
	}()
	line := make([]byte, 200)
	n, err := pipe.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	url := strings.TrimSpace(strings.TrimPrefix(string(line[:n]), "relent serves "))

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "status", "--watch", "--every", "200ms", "--server", url)
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 8, Cols: 60})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	time.AfterFunc(1500*time.Millisecond, func() { terminal.Write([]byte{3}) })
	var screen bytes.Buffer
	screen.ReadFrom(terminal) // ends with an error when the program does
	cmd.Wait()
	text := screen.String()
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d; want 0\n%s", code, text)
	}
	if n := strings.Count(text, "\x1b[?2026h\x1b[H"); n < 3 {
		t.Errorf("drawn %d times; want at least 3", n)
	}
	begin, end := strings.Index(text, "\x1b[?1049h"), strings.LastIndex(text, "\x1b[?1049l")
	if begin < 0 || end < begin || !strings.Contains(text[:end], "more lines: relent status shows all of it") {
		t.Errorf("no second screen of 8 rows:\n%q", text)
	}
	if !strings.Contains(text[max(0, end):], "none, everything runs") {
		t.Errorf("nothing stays:\n%q", text[max(0, end):])
	}
}

// The limit of a server's answer is none of a command: whoever means that is told what to say.
func TestRunHasNoTimeout(t *testing.T) {
	for _, args := range [][]string{{"run", "--timeout", "1s", "--", "true"}, {"--timeout", "1s", "run", "--", "true"}} {
		var out, complaints bytes.Buffer
		if code := run(args, &out, &complaints); code != 2 || !strings.Contains(complaints.String(), "say --attempt-timeout") {
			t.Errorf("%v: %d, %s", args, code, complaints.String())
		}
	}
	var out, complaints bytes.Buffer
	if code := run([]string{"run", "--", "true", "--timeout", "1s"}, &out, &complaints); code != 0 {
		t.Errorf("a flag of the command: %d, %s", code, complaints.String())
	}
}
