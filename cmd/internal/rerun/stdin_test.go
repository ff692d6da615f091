//go:build unix

package rerun

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// piped returns a stdin that yields data and then, unless it is to stay open, ends.
func piped(t testing.TB, data []byte, stayOpen bool) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		w.Write(data)
		if !stayOpen {
			w.Close()
		}
	}()
	t.Cleanup(func() {
		r.Close()
		w.Close()
		<-written
	})
	return r
}

func TestStdinIsReplayed(t *testing.T) {
	for _, size := range []int{0, 1, 1 << 20, 20 << 20} {
		data := noise(size)
		dir := t.TempDir()
		t.Setenv("TMPDIR", dir)
		got := runHere(t, &Command{
			Args: sh(`sha256sum; [ $RELENT_ATTEMPT = 3 ]`), In: piped(t, data, false), StdinMax: 32 << 20, Quiet: true, Stdout: StdoutStream,
		})
		want := strings.Repeat(fmt.Sprintf("%x  -\n", sha256.Sum256(data)), 3)
		if got.code != 0 || got.out != want {
			t.Errorf("%d bytes: code %d, %s; want 0 and three times the same", size, got.code, got.out)
		}
		if left, _ := filepath.Glob(dir + "/relent-*"); len(left) > 0 {
			t.Errorf("%d bytes: left %v", size, left)
		}
	}
}

// A real process whose stdin is a pipe: what the modes do by default and on request.
func TestStdinModes(t *testing.T) {
	data := noise(1 << 20)
	all := fmt.Sprintf("%d <nil>\n", len(data))
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"default is buffer in a pipe", nil, all + all},
		{"buffer", []string{"--stdin", "buffer"}, all + all},
		{"pass", []string{"--stdin", "pass"}, all + "0 <nil>\n"},
		{"none", []string{"--stdin", "none"}, "0 <nil>\n0 <nil>\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-q", "run", "--attempts", "2", "--stdout", "stream"}, test.args...)
			cmd := relent(t, append(append(args, "--"), command(t, "count", "1")...)...)
			cmd.Stdin = bytes.NewReader(data)
			if got := finish(t, cmd); got.code != 1 || got.out != test.want {
				t.Errorf("%d, %q, %s; want 1, %q", got.code, got.out, got.err, test.want)
			}
		})
	}
}

func TestStdinPastTheCapIsNotRetried(t *testing.T) {
	const limit = 2 << 20
	for _, test := range []struct {
		name   string
		size   int
		script string
		code   int
		runs   int
	}{
		{"at the cap", limit, `wc -c; exit 7`, 7, 3},
		{"past the cap", limit + 1, `wc -c; exit 7`, 7, 1},
		{"far past the cap", 20 << 20, `wc -c; exit 7`, 7, 1},
		{"far past the cap but successful", 20 << 20, `wc -c`, 0, 1},
		{"not read by the first", limit + 1, `echo; [ $RELENT_ATTEMPT = 1 ] || wc -c; exit 7`, 7, 2},
	} {
		got := runHere(t, &Command{
			Args: sh(test.script), In: piped(t, noise(test.size), false), StdinMax: limit, Stdout: StdoutStream,
		})
		lines := strings.Fields(got.out)
		switch runs := strings.Count(got.out, "\n"); {
		case strings.HasPrefix(test.name, "not read"):
			if len(lines) != 1 || runs != 3 {
				t.Errorf("%s: stdout %q", test.name, got.out)
			}
		case runs != test.runs:
			t.Errorf("%s: %d runs; want %d", test.name, runs, test.runs)
		}
		if len(lines) == 0 || lines[len(lines)-1] != fmt.Sprint(test.size) || got.code != test.code {
			t.Errorf("%s: code %d, stdout %q; want %d and all %d bytes", test.name, got.code, got.out, test.code, test.size)
		}
		said := strings.Contains(got.err, "cannot retry: stdin was larger than --stdin-max: the last ended with exit code 7\ntry: relent run --stdin-max 8MiB -- …\n")
		if want := test.code != 0 && test.size > limit; said != want {
			t.Errorf("%s: said so: %v; want %v\n%s", test.name, said, want, got.err)
		}
	}
}

func TestStdinThatCannotBeKept(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	got := runHere(t, &Command{Args: sh(`wc -c; exit 7`), In: piped(t, noise(3<<20), false), Stdout: StdoutStream})
	if got.code != 7 || strings.TrimSpace(got.out) != fmt.Sprint(3<<20) || !strings.Contains(got.err, "cannot retry: open ") {
		t.Errorf("%d, %q, %s; want 7, all of it once, and why there was no retry", got.code, got.out, got.err)
	}
}

func TestCommandThatDoesNotReadItsStdin(t *testing.T) {
	got := runHere(t, &Command{Args: sh(`exit $((6 + RELENT_ATTEMPT))`), In: piped(t, noise(20<<20), false)})
	if got.code != 9 {
		t.Errorf("code %d, %s; want 9", got.code, got.err)
	}
	// The same with a process that keeps the descriptor: what is left of a daemon must not hold us.
	pid := filepath.Join(t.TempDir(), "pid")
	got = runHere(t, &Command{Args: sh(`exec 3<&0; sleep 60 >/dev/null 2>&1 & echo $! > "$1"`, pid), In: piped(t, noise(20<<20), false)})
	if got.code != 0 {
		t.Errorf("code %d, %s; want 0", got.code, got.err)
	}
	if p, err := os.FindProcess(pidIn(t, pid)); err == nil {
		p.Kill()
	}
}

func TestStdinThatNeverCloses(t *testing.T) {
	for _, mode := range []StdinMode{StdinBuffer, StdinPass, StdinNone} {
		got := runHere(t, &Command{Args: sh(`exit $((6 + RELENT_ATTEMPT))`), In: piped(t, nil, true), Stdin: mode})
		if got.code != 9 {
			t.Errorf("%s: code %d, %s; want 9", mode, got.code, got.err)
		}
	}
	// What comes while nobody waits for it is for the next attempt.
	got := runHere(t, &Command{Args: sh(`head -c 3; exit 7`), In: piped(t, []byte("abc"), true), Stdout: StdoutStream, Attempts: 2})
	if got.out != "abcabc" {
		t.Errorf("stdout %q; want abc twice", got.out)
	}
	// As a whole program, too: its end must not wait for the reader.
	cmd := relent(t, "run", "--", "true")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	began := time.Now()
	if got := finish(t, cmd); got.code != 0 || time.Since(began) > 4*time.Second {
		t.Errorf("%d after %v; want 0 at once", got.code, time.Since(began))
	}
}

func TestStdinThatCannotBeRead(t *testing.T) {
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	got := runHere(t, &Command{Args: sh("wc -c; exit 7"), In: dir, Attempts: 1})
	if got.code != 7 || strings.TrimSpace(got.out) != "0" || !strings.Contains(got.err, "cannot read stdin: ") {
		t.Errorf("%d, %q, %q; want 7, 0 bytes and why", got.code, got.out, got.err)
	}
}

func TestInputKeepsNothingAfterItsEnd(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	in := newInput(r, 1<<20)
	stop := make(chan struct{})
	close(stop)
	if _, err := in.next(make([]byte, 1), 0, stop); !errors.Is(err, os.ErrClosed) {
		t.Errorf("next = %v; want it stopped", err)
	}
	in.close()
	w.WriteString("late")
	w.Close()
	if _, err := in.next(make([]byte, 9), 4, nil); err != io.EOF {
		t.Errorf("next = %v; want EOF", err)
	}
	if in.kept.size != 0 || in.replayable() == nil {
		t.Errorf("kept %d bytes", in.kept.size)
	}
}
