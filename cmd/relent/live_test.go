package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

// What a learner knows is explained, and its mode is set, by the commands of the program.
func TestPolicyLive(t *testing.T) {
	t.Setenv("RELENT_CONFIG", "")
	t.Setenv("RELENT_SERVER", "")
	registry := &control.Registry{Instance: "desk-1", Logger: slog.New(slog.DiscardHandler)}
	o, err := registry.AddOperation("venue", &retry.Policy{Name: "venue.get", Idempotent: true, Gates: []retry.Gate{&budget.Budget{}, &control.Learning{}}})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	retry.Run(t.Context(), o, func(context.Context) error {
		if n++; n == 1 {
			return errors.New("busy")
		}
		return nil
	})
	h, err := dashboard.New(dashboard.Config{Source: registry, Commander: registry, Interval: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	defer func() { s.Close(); h.Close() }()
	for _, test := range []struct {
		args           string
		code           int
		stdout, stderr string // contained in it
	}{
		{"policy explain --live venue.get --server URL", 0, "shadow: it changes nothing", ""},
		{"policy explain --live venue.get --server URL -o json", 0, `"learning":{"mode":"shadow","by":"cold"`, ""},
		{"policy explain --live", 2, "", "--live: say which operation"},
		{"policy explain --live venue.get --attempts 4", 2, "", "--attempts: is for what would be"},
		{"policy mode venue.get active --reason proven --server URL", 0, "venue.get  shadow -> active  version 2\n", ""},
		{"policy mode venue.git off --reason r --server URL", 1, "", `unknown policy "venue.git": there are venue.get`},
	} {
		var stdout, stderr bytes.Buffer
		args := strings.Fields(strings.ReplaceAll(test.args, "URL", s.URL))
		code := run(args, &stdout, &stderr)
		for end := time.Now().Add(15 * time.Second); strings.Contains(stderr.String(), "there are none") && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			stdout.Reset()
			stderr.Reset()
			code = run(args, &stdout, &stderr) // the server has looked by then
		}
		if code != test.code || !strings.Contains(stdout.String(), test.stdout) || !strings.Contains(stderr.String(), test.stderr) {
			t.Errorf("%s: %d\n%s%s\nwant %d, %q and %q", test.args, code, stdout.String(), stderr.String(), test.code, test.stdout, test.stderr)
		}
	}
	if got := o.View().Learning.Mode; got != "active" {
		t.Errorf("the mode is %s", got)
	}
}
