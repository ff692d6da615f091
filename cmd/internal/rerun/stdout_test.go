//go:build unix

package rerun

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestStdoutModes(t *testing.T) {
	script := sh(`echo out $RELENT_ATTEMPT; echo err $RELENT_ATTEMPT >&2; [ $RELENT_ATTEMPT = 2 ]`)
	failing := sh(`echo out $RELENT_ATTEMPT; exit 7`)
	for _, test := range []struct {
		name     string
		command  Command
		out, err string
	}{
		{"once", Command{Args: script, Stdout: StdoutOnce}, "out 2\n", "err 1\nout 1\nerr 2\n"},
		{"once is the default for a file", Command{Args: script}, "out 2\n", "err 1\nout 1\nerr 2\n"},
		{"once with a match", Command{Args: script, UntilMatch: regexp.MustCompile("out 2")}, "out 2\n", "err 1\nout 1\nerr 2\n"},
		{"stream", Command{Args: script, Stdout: StdoutStream}, "out 1\nout 2\n", "err 1\nerr 2\n"},
		{"stream with a match", Command{Args: script, Stdout: StdoutStream, UntilMatch: regexp.MustCompile("err 2")}, "out 1\nout 2\n", "err 1\nerr 2\n"},
		{"once, never successful", Command{Args: failing}, "out 3\n", "out 1\nout 2\n"},
		{"stream, never successful", Command{Args: failing, Stdout: StdoutStream}, "out 1\nout 2\nout 3\n", ""},
	} {
		test.command.Quiet = true
		if got := runHere(t, &test.command); got.out != test.out || got.err != test.err {
			t.Errorf("%s: stdout %q, stderr %q; want %q, %q", test.name, got.out, got.err, test.out, test.err)
		}
	}
}

func TestMuchOutput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data")
	data := noise(20 << 20)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []StdoutMode{StdoutOnce, StdoutStream} {
		dir := t.TempDir()
		t.Setenv("TMPDIR", dir)
		got := runHere(t, &Command{Args: []string{"cat", file}, Stdout: mode, FailMatch: regexp.MustCompile("no such text in noise")})
		if got.code != 0 || got.out != string(data) {
			t.Errorf("%s: code %d, %d bytes; want 0 and the %d bytes", mode, got.code, len(got.out), len(data))
		}
		if left, _ := filepath.Glob(dir + "/*"); len(left) > 0 {
			t.Errorf("%s: left %v", mode, left)
		}
	}
}

func TestStdoutThatCannotBeHeldBack(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	got := runHere(t, &Command{Args: sh("head -c 3000000 /dev/zero; exit 7")})
	if got.code != 7 || len(got.out) != 3000000 || !strings.Contains(got.err, "after 1 attempt") || !strings.Contains(got.err, "cannot retry: open ") {
		t.Errorf("%d, %d bytes, %s; want 7, all of it once, and why there was no retry", got.code, len(got.out), got.err)
	}
}

func TestStdoutThatCannotBeWritten(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full on this system")
	}
	defer full.Close()
	for _, test := range []Command{
		{Args: sh("echo out")},
		{Args: sh("echo out"), Stdout: StdoutStream, FailMatch: regexp.MustCompile("x")},
	} {
		test.Out = full
		if got := runHere(t, &test); got.code != 1 || !strings.Contains(got.err, "no space left on device") {
			t.Errorf("success of which nothing was written: %d, %s; want 1 and why", got.code, got.err)
		}
	}
	got := runHere(t, &Command{Args: sh("yes; exit 7"), Out: full, Stdout: StdoutStream, FailMatch: regexp.MustCompile("x")})
	if got.code != 7 || !strings.Contains(got.err, "after 1 attempt") {
		t.Errorf("%d, %s; want 7 after 1 attempt", got.code, got.err)
	}
}

func TestDaemonHoldsNobodyUp(t *testing.T) {
	for _, script := range []string{
		`sleep 60 & echo $! > "$1"; echo said`,                            // holds stdout, and is silent
		`sh -c 'while :; do echo more; done' & echo $! > "$1"; echo said`, // never stops writing
	} {
		pid := filepath.Join(t.TempDir(), "pid")
		began := time.Now()
		got := runHere(t, &Command{Args: sh(script, pid)})
		if got.code != 0 || !strings.Contains(got.out, "said\n") || time.Since(began) > 10*time.Second {
			t.Errorf("%s: %d, %.100q after %v; want 0 soon", script, got.code, got.out, time.Since(began))
		}
		if p, err := os.FindProcess(pidIn(t, pid)); err == nil {
			p.Kill()
		}
	}
}

func TestLateOutputOfHelpersIsNotLost(t *testing.T) {
	got := runHere(t, &Command{Args: sh(`(sleep 0.05; echo late) & echo early`)})
	if got.out != "early\nlate\n" {
		t.Errorf("stdout %q; want early and late", got.out)
	}
}

// A pipe whose reader went away ends relent as it ends any program.
func TestBrokenPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	cmd := relent(t, "run", "--", "echo", "out")
	cmd.Stdout = w
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Run(); err == nil || !strings.Contains(err.Error(), "broken pipe") {
		t.Errorf("%v, %s; want an end by SIGPIPE", err, errs.String())
	}
	w.Close()
}

// On a busy machine the grace may be over before the first byte was read.
func TestOutputOfTheCommandIsReadHoweverLate(t *testing.T) {
	var out bytes.Buffer
	o, err := newOutlet(&out)
	if err != nil {
		t.Fatal(err)
	}
	defer o.w.Close() // as a daemon would, so that there is no end of file
	data := noise(60_000)
	if _, err := o.w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := o.r.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	o.run()
	if !bytes.Equal(out.Bytes(), data) || o.err != nil {
		t.Errorf("%d bytes, %v; want all %d", out.Len(), o.err, len(data))
	}
}
