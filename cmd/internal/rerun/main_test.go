//go:build unix

package rerun

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/relent-go/relent/backoff"
)

// The test binary is the program and the commands that it runs, too: its first argument says which.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "as-relent":
			os.Exit(asRelent(os.Args[2:]))
		case "as-command":
			os.Exit(asCommand(os.Args[2], os.Args[3:]))
		case "as-shell":
			os.Exit(asShell(os.Args[2:]))
		}
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")) // or each relent would end a second late
	// A signal that a test sends to this process when Run no longer listens must not end the tests.
	signal.Notify(make(chan os.Signal, 1), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	os.Exit(m.Run())
}

// asRelent does what the program's main does.
func asRelent(args []string) int {
	root := &cobra.Command{Use: "relent", SilenceErrors: true, SilenceUsage: true}
	root.PersistentFlags().BoolP("quiet", "q", false, "")
	root.PersistentFlags().StringP("output", "o", "table", "")
	root.AddCommand(NewCobra(nil))
	root.SetArgs(args)
	err := root.Execute()
	if exit, ok := errors.AsType[*Exit](err); ok {
		if exit.Err != nil {
			fmt.Fprintln(os.Stderr, "relent:", exit.Err)
		}
		return exit.Code
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "relent:", err)
		return 1
	}
	return 0
}

// asCommand is a command to be retried.
func asCommand(what string, args []string) int {
	switch what {
	case "exit": // with the attempt's code: "exit 7 0" fails once
		attempt, _ := strconv.Atoi(os.Getenv("RELENT_ATTEMPT"))
		code, _ := strconv.Atoi(args[min(max(attempt, 1), len(args))-1])
		return code
	case "count": // stdin
		n, err := io.Copy(io.Discard, os.Stdin)
		fmt.Println(n, err)
		code, _ := strconv.Atoi(args[0])
		return code
	case "continued": // waits until it was stopped and continued, or a file exists
		// A shell will not do: between vfork and execve it cannot be stopped while its child already is.
		cont := make(chan os.Signal, 1)
		signal.Notify(cont, unix.SIGCONT)
		if len(args) > 1 {
			os.WriteFile(args[1]+"/pid", fmt.Append(nil, os.Getpid()), 0o600)
		}
		fmt.Println("ready")
		for {
			select {
			case <-cont:
				code, _ := strconv.Atoi(args[0])
				if len(args) == 1 {
					return code
				}
			case <-time.After(10 * time.Millisecond):
				if len(args) > 1 && isFile(args[1]+"/go") {
					code, _ := strconv.Atoi(args[0])
					return code
				}
			}
		}
	case "foreground":
		group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
		fmt.Println("foreground", err == nil && group == unix.Getpgrp(), "leader", unix.Getpgrp() == os.Getpid())
	}
	return 0
}

// asShell runs relent as an interactive shell would: as a job in the foreground, which it
// continues as often as it stops.
func asShell(args []string) int {
	self, _ := os.Executable()
	p, err := os.StartProcess(self, append([]string{self, "as-relent"}, args...), &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Foreground: true, Ctty: 0},
	})
	if err != nil {
		fmt.Println(err)
		return 99
	}
	signal.Ignore(unix.SIGTTOU)
	for {
		var status unix.WaitStatus
		if _, err := unix.Wait4(p.Pid, &status, unix.WUNTRACED, nil); err == unix.EINTR {
			continue
		} else if err != nil {
			fmt.Println(err)
			return 99
		}
		unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, unix.Getpgrp())
		if !status.Stopped() {
			return status.ExitStatus()
		}
		fmt.Println("shell: stopped")
		unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, p.Pid)
		unix.Kill(-p.Pid, unix.SIGCONT)
	}
}

// self returns the test binary.
func self(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// command returns the arguments that run this binary as a command.
func command(t testing.TB, args ...string) []string {
	return append([]string{self(t), "as-command"}, args...)
}

// sh returns the arguments for a shell script.
func sh(script string, args ...string) []string {
	return append([]string{"/bin/sh", "-c", script, "sh"}, args...)
}

// quick is a wait that tests need not sit through.
var quick = backoff.Constant{Wait: time.Millisecond, Jitter: backoff.None}

// long is a wait that no test survives.
var long = backoff.Constant{Wait: time.Hour, Jitter: backoff.None}

type result struct {
	code     int
	out, err string
}

// runHere runs c in this process, with files for its output.
func runHere(t testing.TB, c *Command) result {
	t.Helper()
	dir := t.TempDir()
	out, errs := create(t, dir, "out"), create(t, dir, "err")
	if c.In == nil {
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		c.In = null
	}
	c.Out, c.Err = cmp.Or(c.Out, out), cmp.Or(c.Err, errs)
	if c.Backoff == nil {
		c.Backoff = quick
	}
	code, err := c.Run(t.Context())
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return result{code, read(t, out.Name()), read(t, errs.Name())}
}

// relent returns this binary as relent, to be run for its real exit status.
func relent(t testing.TB, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), self(t), append([]string{"as-relent"}, args...)...)
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// finish runs cmd and returns what it did.
func finish(t testing.TB, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

func create(t testing.TB, dir, name string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

// eventually waits until ok says yes, which on a busy machine may take a while.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: still not so after 15s", what)
		}
	}
}

// pidIn waits for a process to write its number to path.
func pidIn(t testing.TB, path string) int {
	t.Helper()
	pid := 0
	eventually(t, "a pid in "+path, func() bool {
		pid, _ = strconv.Atoi(strings.TrimSpace(read(t, path)))
		return pid > 0
	})
	return pid
}

// running says whether a process exists and is not a zombie that nobody has waited for.
func running(pid int) bool {
	if unix.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !errors.Is(err, os.ErrNotExist) || !isDir("/proc/self")
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return !bytes.HasPrefix(rest, []byte("Z"))
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// eventuallyGone waits until a process has ended: its last moments may take a while to be seen.
func eventuallyGone(t testing.TB, pid int) {
	t.Helper()
	eventually(t, fmt.Sprintf("process %d gone", pid), func() bool { return !running(pid) })
}
