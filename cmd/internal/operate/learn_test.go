package operate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

// learner runs policy mode and explain --live.
func learner(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	explain := &cobra.Command{Use: "explain", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error { return ExplainLive(program(), cmd, args[0]) }}
	var out, complaints bytes.Buffer
	code = runWith(t.Context(), []*cobra.Command{NewMode(program()), explain}, &out, &complaints, args...)
	return code, out.String(), complaints.String()
}

// school is a board with an operation that learns, one that could be active, and one that could not.
func school(t *testing.T, auth dashboard.Auth) (*board, *control.Operation) {
	t.Helper()
	b := mount(t, auth)
	add := func(name string, gates ...retry.Gate) *control.Operation {
		o, err := b.registry.AddOperation("venue", &retry.Policy{Name: name, Idempotent: true, Gates: gates})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	o := add("venue.get", &budget.Budget{}, &control.Learning{})
	add("venue.list", &budget.Budget{})
	add("venue.bare")
	for range 3 {
		n := 0
		retry.Run(t.Context(), o, func(context.Context) error {
			if n++; n == 1 {
				return retry.After(errors.New("busy"), time.Millisecond)
			}
			return nil
		})
	}
	return b, o
}

func TestMode(t *testing.T) {
	b, o := school(t, nil)
	shown(t, b, "venue.get", "shadow")
	code, out, complaints := learner(t, "mode", "venue.get", "active", "--reason", "proven", "--server", b.URL)
	if code != 0 || out != "venue.get  shadow -> active  version 2\n" || o.View().Learning.Mode != "active" {
		t.Errorf("%d %q %q, and it is %+v", code, out, complaints, o.View().Learning)
	}
	shown(t, b, "venue.get", "active")
	code, out, _ = learner(t, "mode", "venue.get", "active", "--reason", "again", "--server", b.URL)
	if code != 0 || out != "venue.get  active  as before\n" || o.View().Version != 2 {
		t.Errorf("again: %d %q", code, out)
	}
	code, out, complaints = learner(t, "mode", "venue.get", "shadow", "--reason", "storm", "--server", b.URL, "-o", "json")
	shown(t, b, "venue.get", "shadow")
	if f := fields(t, out); code != 0 || f["from"] != "active" || f["to"] != "shadow" || f["version"] != 3.0 || len(o.View().Override) != 0 {
		t.Errorf("back: %d %s %s, overridden by %v", code, out, complaints, o.View().Override)
	}

	// What is not the mode stays.
	tune := control.Tune{Operation: "venue.get", Version: 3, Fields: map[string]string{"adaptive": "shadow(max 10s)"}, Actor: "ann", Reason: "less"}
	if _, err := b.registry.Tune(t.Context(), tune); err != nil {
		t.Fatal(err)
	}
	shown(t, b, "venue.get", "shadow(max 10s)")
	if _, out, _ = learner(t, "mode", "venue.get", "off", "--reason", "storm", "--server", b.URL); !strings.Contains(out, "shadow(max 10s) -> off(max 10s)") {
		t.Errorf("with terms: %q", out)
	}
	for _, test := range []struct {
		name, want string
		code       int
		args       []string
	}{
		{"no reason", "--reason: say why", 2, []string{"venue.get", "active"}},
		{"no mode", "MODE is missing", 2, []string{"venue.get"}},
		{"odd mode", `MODE: "on" is none of shadow, active, off`, 2, []string{"venue.get", "on", "--reason", "r"}},
		{"odd name", `unknown policy "venue.git": there are venue.bare, venue.get, venue.list` + "\ntry: relent status", 1, []string{"venue.git", "off", "--reason", "r"}},
		{"no budget", "tune venue.bare: adaptive: active needs a budget among the gates", 1, []string{"venue.bare", "active", "--reason", "r"}},
	} {
		code, _, complaints := learner(t, append(append([]string{"mode"}, test.args...), "--server", b.URL)...)
		if code != test.code || !strings.Contains(complaints, test.want) {
			t.Errorf("%s: %d %s; want %d %s", test.name, code, complaints, test.code, test.want)
		}
	}
	b.Close()
	if code, _, complaints := learner(t, "mode", "venue.get", "off", "--reason", "r", "--server", b.URL); code != 1 || !strings.Contains(complaints, "try: relent serve") {
		t.Errorf("no server: %d %s", code, complaints)
	}
	if code, _, _ := learner(t, "mode", "venue.get", "off", "--reason", "r", "--server", "ftp://x"); code != 2 {
		t.Errorf("no URL: %d", code)
	}
}

// shown waits until the API shows what is in force: it looks now and then.
func shown(t *testing.T, b *board, name, want string) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		res, err := http.Get(b.URL + "/api/v1/topics/policies")
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if strings.Contains(string(text), `"adaptive":"`+want+`"`) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s is not shown as %s: %s", name, want, text)
		}
	}
}

// A mode takes the role operator.
func TestModeRoles(t *testing.T) {
	vera, viewer := token(t, "vera", dashboard.Viewer)
	ann, operator := token(t, "ann", dashboard.Operator)
	b, o := school(t, dashboard.Tokens(dashboard.TokenList{viewer, operator}))
	mode := func(more ...string) (int, string) {
		code, _, complaints := learner(t, append([]string{"mode", "venue.get", "active", "--reason", "r", "--server", b.URL}, more...)...)
		return code, complaints
	}
	if code, complaints := mode(); code != 1 || !strings.Contains(complaints, "--token-file FILE") {
		t.Errorf("nobody: %d %s", code, complaints)
	}
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, complaints := mode("--token-file", vera); !strings.Contains(complaints, "there are none") {
			break // the server has looked
		}
	}
	if code, complaints := mode("--token-file", vera); code != 1 || !strings.Contains(complaints, "this takes the role operator, and vera is viewer\ntry: the same with the --token-file of somebody who may") {
		t.Errorf("a viewer: %d %s", code, complaints)
	}
	if code, complaints := mode("--token-file", ann); code != 0 || o.View().Learning.Mode != "active" {
		t.Errorf("an operator: %d %s", code, complaints)
	}
}

func TestExplainLive(t *testing.T) {
	b, _ := school(t, nil)
	shown(t, b, "venue.get", "shadow")
	code, out, complaints := learner(t, "explain", "venue.get", "--server", b.URL)
	if code != 0 {
		t.Fatalf("%d %s", code, complaints)
	}
	has(t, out, "venue.get  3 attempts, exponential", "shadow: it changes nothing", "cold: too little is known yet", "6 results, 3 of them of retries", "not proven yet", "0 calls ended because", "throttled  cold", "last: venue.get throttled: down ", "waits ")
	code, out, _ = learner(t, "explain", "venue.get", "--server", b.URL, "-o", "json")
	f := fields(t, out)
	learning, _ := f["learning"].(map[string]any)
	if choices, _ := learning["choices"].([]any); code != 0 || f["adaptive"] != "shadow" || f["budgeted"] != true || learning["mode"] != "shadow" || len(choices) == 0 {
		t.Errorf("%d %s", code, out)
	}
	code, _, complaints = learner(t, "explain", "venue.list", "--server", b.URL)
	if code != 1 || !strings.Contains(complaints, "nothing is learned about venue.list: it is off\ntry: relent policy mode venue.list shadow --reason WHY") {
		t.Errorf("nothing is learned: %d %s", code, complaints)
	}
	code, _, complaints = learner(t, "explain", "venue.git", "--server", b.URL)
	if code != 1 || !strings.Contains(complaints, `unknown policy "venue.git"`) {
		t.Errorf("no such operation: %d %s", code, complaints)
	}
	if code, _, _ := learner(t, "explain", "venue.get", "--server", "ftp://x"); code != 2 {
		t.Errorf("no URL: %d", code)
	}
}

// All that a learner can be in is said in words.
func TestExplainLiveInFull(t *testing.T) {
	at := time.Unix(1e9, 0)
	l := live{At: at, Operation: "venue.get", Policy: "3 attempts", Adaptive: "active(max 10s)", Learning: &control.LearningView{
		Mode: "active", By: "model", Guard: true, Down: .974, DownFor: 4200 * time.Millisecond, Outages: 11, Results: 12000, Retries: 300, Scored: 280, Brier: .08, Base: .2, Calibration: .03, Proven: true,
		Stopped: 12, Against: 31, Earned: -.8, GuardTrips: 1, Waiting: 7, Open: .5, Odd: 2, Decisions: map[string]uint64{"model": 200, "control": 20, "cold": 0},
		Choices: []control.ChoiceView{
			{At: at.Add(-2 * time.Second), Kind: "unavailable", By: "model", Configured: 1600 * time.Millisecond, Stop: true, Stopped: true, Down: .97, Text: "the whole story"},
			{At: at.Add(-90 * time.Second), Kind: "reset", By: "control", Configured: 50 * time.Millisecond, Advised: 10 * time.Millisecond, Waited: 40 * time.Millisecond, Stop: true},
		},
	}}
	var out bytes.Buffer
	s := settings{program().complete(), &cobra.Command{}}
	if err := s.explainLive(&out, 0, &l); err != nil {
		t.Fatal(err)
	}
	golden(t, "learned.txt", out.String())
	l.Learning.Promotion = "promoted: proven by 600 forecasts"
	var more bytes.Buffer
	if err := s.explainLive(&more, 0, &l); err != nil || !strings.Contains(more.String(), l.Learning.Promotion) || strings.Contains(out.String(), "promotion") {
		t.Errorf("explained as %s, %v", more.String(), err)
	}
	l.Learning.Promotion = ""
	for n := range 20 {
		if err := s.explainLive(&failing{n}, 0, &l); err == nil && n < 17 {
			t.Errorf("a writer that fails after %d lines: nil", n)
		}
	}
}

// failing is a writer that takes some lines.
type failing struct{ lines int }

func (f *failing) Write(p []byte) (int, error) {
	if f.lines--; f.lines < 0 {
		return 0, errors.New("full")
	}
	return len(p), nil
}
