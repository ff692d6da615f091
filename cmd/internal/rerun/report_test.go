//go:build unix

package rerun

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// changing are the parts of a report that differ each time.
var changing = regexp.MustCompile(`("(?:call_id|start|time|error)":")[^"]*|("(?:pid|elapsed_ms)":)\d+`)

func TestReport(t *testing.T) {
	for _, test := range []struct {
		name, want string
		args       []string
	}{
		{
			"success at last", `{"v":1,"call_id":"","reason":"success","exit_code":0,"last_exit_code":0,"attempts":2,"max_attempts":3,"elapsed_ms":,"attempts_detail":[` +
				`{"attempt":1,"start":"","pid":,"exit_code":7,"reason":"exit","elapsed_ms":,"wait_ms":1},{"attempt":2,"start":"","pid":,"exit_code":0,"reason":"success","elapsed_ms":}]}`,
			command(t, "exit", "7", "0"),
		},
		{
			"given up, another code", `{"v":1,"call_id":"","reason":"exhausted","exit_code":50,"last_exit_code":8,"error":"","attempts":2,"max_attempts":2,"elapsed_ms":,"fail_cmd_exit_code":3,"attempts_detail":[` +
				`{"attempt":1,"start":"","pid":,"exit_code":7,"reason":"exit","elapsed_ms":,"wait_ms":1},{"attempt":2,"start":"","pid":,"exit_code":8,"reason":"exit","elapsed_ms":}]}`,
			append([]string{"--attempts", "2", "--exit-code-on-give-up", "50", "--fail-cmd", "exit 3", "--"}, command(t, "exit", "7", "8")...),
		},
		{
			"by a signal", `{"v":1,"call_id":"","reason":"permanent","exit_code":143,"last_exit_code":143,"error":"","attempts":1,"max_attempts":3,"elapsed_ms":,"attempts_detail":[` +
				`{"attempt":1,"start":"","pid":,"exit_code":143,"signal":"SIGTERM","reason":"signal","elapsed_ms":}]}`,
			[]string{"sh", "-c", "kill -TERM $$"},
		},
		{
			"too long", `{"v":1,"call_id":"","reason":"elapsed","exit_code":124,"last_exit_code":143,"error":"","attempts":1,"max_attempts":3,"elapsed_ms":,"attempts_detail":[` +
				`{"attempt":1,"start":"","pid":,"exit_code":143,"signal":"SIGTERM","reason":"elapsed","elapsed_ms":}]}`,
			[]string{"--max-elapsed", "50ms", "sleep", "60"},
		},
		{
			"not started", `{"v":1,"call_id":"","reason":"permanent","exit_code":127,"last_exit_code":127,"error":"","attempts":1,"max_attempts":3,"elapsed_ms":,"attempts_detail":[` +
				`{"attempt":1,"start":"","exit_code":127,"reason":"not_started","error":"","elapsed_ms":}]}`,
			[]string{"no-such-program"},
		},
	} {
		for _, format := range []string{"json", "ndjson"} {
			got := finish(t, relent(t, append([]string{"run", "-o", format, "--backoff", "constant(1ms, none)"}, test.args...)...))
			lines := strings.Split(strings.TrimSuffix(got.err, "\n"), "\n")
			last := lines[len(lines)-1]
			if have := changing.ReplaceAllString(last, "$1$2"); have != test.want {
				t.Errorf("%s: report\n%s\nwant\n%s", test.name, have, test.want)
			}
			var report Report
			if err := json.Unmarshal([]byte(last), &report); err != nil || report.ExitCode != got.code || len(report.CallID) != 16 {
				t.Errorf("%s: %v, exit code %d in the report, %d in fact", test.name, err, report.ExitCode, got.code)
			}
			if format == "json" { // a global flag may stand before the command, too
				got = finish(t, relent(t, append([]string{"-o", format, "run"}, test.args...)...))
				if !strings.HasSuffix(got.err, "]}\n") {
					t.Errorf("%s: no report in %s", test.name, got.err)
				}
			}
			if got.out != "" {
				t.Errorf("%s: stdout %q; want nothing", test.name, got.out)
			}
		}
	}
}

func TestReportKeepsTheNewestAttempts(t *testing.T) {
	r := newRun(&Command{Args: []string{""}, In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Attempts: 1})
	r.signals = catch(func(error) {})
	defer r.signals.close()
	for range detailMax + 5 {
		r.attempt(t.Context())
	}
	if first := r.detail[0].Number; len(r.detail) != detailMax || first != 6 {
		t.Errorf("%d attempts from %d on; want %d from 6 on", len(r.detail), first, detailMax)
	}
}

func TestNotify(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	// The command must not keep the descriptor open: a daemon of its would keep the reader waiting.
	cmd := relent(t, append([]string{"run", "-q", "--notify-fd", "3", "--backoff", "constant(1ms, none)", "--"}, sh(`[ ! -e /dev/fd/3 ] && [ $RELENT_ATTEMPT = 2 ]`)...)...)
	cmd.ExtraFiles = []*os.File{w}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	var got []string
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if !json.Valid(lines.Bytes()) {
			t.Errorf("not JSON: %s", lines.Text())
		}
		got = append(got, changing.ReplaceAllString(lines.Text(), "$1$2"))
	}
	cmd.Wait()
	want := []string{
		`{"v":1,"event":"start","call_id":"","time":"","attempt":1,"max_attempts":3,"pid":}`,
		`{"v":1,"event":"end","call_id":"","time":"","attempt":1,"max_attempts":3,"pid":,"exit_code":1,"reason":"exit","elapsed_ms":}`,
		`{"v":1,"event":"wait","call_id":"","time":"","attempt":1,"max_attempts":3,"wait_ms":1}`,
		`{"v":1,"event":"start","call_id":"","time":"","attempt":2,"max_attempts":3,"pid":}`,
		`{"v":1,"event":"end","call_id":"","time":"","attempt":2,"max_attempts":3,"pid":,"exit_code":0,"reason":"success","elapsed_ms":}`,
		`{"v":1,"event":"done","call_id":"","time":"","attempt":2,"max_attempts":3,"exit_code":0,"reason":"success","elapsed_ms":}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("events\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestNotifyReaderThatDoesNotRead(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	n := newNotifier(w)
	began := time.Now()
	for range 3 * notifyBuffer { // more than pipe and buffer hold
		n.send(notice{V: 1, Event: "start"})
	}
	n.close()
	if took := time.Since(began); took < notifyFlush || took > notifyFlush+5*time.Second {
		t.Errorf("took %v; want about %v", took, notifyFlush)
	}
	r.Close()
	<-n.done
}

func TestNotifyReaderThatWentAway(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `"$0" as-relent run -q --notify-fd 2 -- sh -c 'exit 7' 2>/dev/full`, self(t))
	if got := finish(t, cmd); got.code != 7 {
		t.Errorf("code %d, %s; want 7", got.code, got.err)
	}
}
