package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

func TestSimulateCommandLine(t *testing.T) {
	t.Parallel()
	nowhere := filepath.Join(t.TempDir(), "missing", "x.svg")
	for _, test := range []struct {
		args   string
		code   int
		stdout string // contained in it
		stderr string // contained in it
	}{
		{"simulate", 0, "storm", ""},
		{"simulate storm --help", 0, "aws-2026        a quota of 500", ""},
		{"simulate nonsense", 2, "", "unknown command \"nonsense\" for \"relent simulate\""},
		{"simulate storm --nonsense", 2, "", "relent: simulate storm: unknown flag: --nonsense\ntry: relent simulate storm --help"},
		{"simulate storm extra", 2, "", "unknown command \"extra\""},
		{"simulate storm --policy none,nope --clients 0 --utilisation 1 --seeds 0", 2, "", "--policy: unknown policy \"nope\": want one of none, retry3, relent, relent+breaker, finagle, envoy, grpc, aws-2025, aws-2026, sre\n--clients: 0"},
		{"simulate storm --seeds 1 --policy none --policy retry3", 0, "retry3  never", ""},
		{"simulate storm --seeds 1 --policy none --svg " + nowhere, 1, "", "relent: simulate storm: --svg: open " + nowhere},
		{"simulate jitter --nonsense", 2, "", "relent: simulate jitter: unknown flag: --nonsense\ntry: relent simulate jitter --help"},
		{"simulate jitter --clients 0 --runs -1", 2, "", "relent: simulate jitter: --clients: 0 is not from 1 to 10000\n--runs: -1"},
		{"simulate adaptive --help", 0, "overload     a server whose capacity halves at times", ""},
		{"simulate adaptive --nonsense", 2, "", "relent: simulate adaptive: unknown flag: --nonsense\ntry: relent simulate adaptive --help"},
		{"simulate adaptive --rival nope --seeds 0", 2, "", "--rival: unknown rival \"nope\": want one of exp+B20, none"},
		{"simulate adaptive --scenario nope,iid --seeds 1", 2, "", "relent: simulate adaptive: --scenario: unknown scenario \"nope\": want one of iid, bursts"},
		{"simulate adaptive --scenario nope.json --seeds 1", 1, "", "relent: simulate adaptive: --scenario: open nope.json"},
		{"simulate adaptive --scenario iid,trace --rival none --seeds 1 --horizon 1m", 0, "Left out: trace: no --trace FILE was given", ""},
		{"simulate jitter --clients 5 --runs 2", 0, "5 clients write one row that they read before. Means of 2 runs:", ""},
	} {
		code, stdout, stderr := relent(strings.Fields(test.args)...)
		if code != test.code || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
			t.Errorf("relent %s: code %d, stdout\n%s\nstderr\n%s\nwant %d, %q, %q", test.args, code, stdout, stderr, test.code, test.stdout, test.stderr)
		}
		if test.stderr == "" && stderr != "" {
			t.Errorf("relent %s: stderr %q; want silence, since it is no terminal", test.args, stderr)
		}
	}
}

func TestSimulateJSONAndPictures(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"simulate storm --json --policy none,relent --seeds 2 --utilisation 0.5",
		"simulate jitter --json --clients 10 --runs 2",
	} {
		picture := filepath.Join(t.TempDir(), "x.svg")
		code, stdout, stderr := relent(append(strings.Fields(args), "--svg", picture)...)
		var got map[string][]map[string]any
		if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 || stderr != "" || len(got["rows"]) < 4 {
			t.Errorf("relent %s: code %d, %v, stdout\n%s\nstderr\n%s", args, code, err, stdout, stderr)
		}
		if svg, err := os.ReadFile(picture); err != nil || !bytes.HasPrefix(svg, []byte("<svg ")) || !bytes.Contains(svg, []byte("</svg>")) {
			t.Errorf("relent %s: no picture: %v", args, err)
		}
	}
}

func TestSimulateOnAFullDisk(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	code, stdout, stderr := relent("simulate", "jitter", "--clients", "2", "--runs", "1", "--svg", "/dev/full")
	if code != 1 || stdout != "" || !strings.Contains(stderr, "--svg: write /dev/full") {
		t.Errorf("code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

// ^C ends a long simulation at once, as other programs do, and leaves no picture.
func TestSimulateInterrupted(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the program")
	}
	picture := filepath.Join(t.TempDir(), "x.svg")
	cmd := exec.Command(build(t), "simulate", "storm", "--seeds", "10000", "--clients", "1000", "--svg", picture)
	terminal, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	time.AfterFunc(2*time.Second, func() { terminal.Write([]byte{3}) })
	kill := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	defer kill.Stop()
	var screen bytes.Buffer
	screen.ReadFrom(terminal) // ends with an error when the program does
	cmd.Wait()
	text := screen.String()
	for _, want := range []string{"\rrelent simulate storm: 1 of 30000 runs\x1b[K", "\r\x1b[K", "relent: simulate storm: stopped by signal: interrupt"} {
		if !strings.Contains(text, want) {
			t.Errorf("the terminal showed no %q in %q", want, text)
		}
	}
	if code := cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGINT) {
		t.Errorf("exit code %d; want 130", code)
	}
	if _, err := os.Stat(picture); err == nil {
		t.Error("a picture of nothing")
	}
}
