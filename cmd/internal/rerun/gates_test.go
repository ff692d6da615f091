//go:build unix

package rerun

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/retry"
)

// What gates refuse ends the run with a code of its own.
func TestGates(t *testing.T) {
	stopped, draining := &halt.Tree{}, &halt.Tree{}
	stopped.Stop(halt.Command{Who: "ops1", Why: "prices look wrong"})
	draining.Stop(halt.Command{State: halt.DrainOnly, Who: "ops1", Why: "deploy"})
	isolated := &breaker.Breaker{Name: "venue"}
	isolated.Isolate(breaker.Order{Who: "ops1", Why: "test", At: time.Now(), For: time.Hour})
	for name, test := range map[string]struct {
		gate     retry.Gate
		code     int
		attempts int
		reason   string
		says     string
	}{
		"stopped":  {stopped.Gate("job"), 4, 0, "halted", "prices look wrong"},
		"draining": {draining.Gate("job"), 4, 0, "halted", "deploy"},
		"budget":   {&budget.Budget{Name: "few", Max: 1}, 5, 2, "refused", "gave up after 2 attempts"},
		"breaker":  {isolated, 5, 0, "refused", "gave up after 0 attempts"},
		"limit":    {&limit.Retries{Max: -1}, 5, 1, "refused", "all slots are taken"},
		"none":     {nil, 1, 3, "exhausted", "attempts exhausted"},
	} {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer null.Close()
			c := &Command{Args: []string{"false"}, Policy: "job", Gates: []retry.Gate{test.gate}, Backoff: backoff.Constant{Jitter: backoff.None}, JSON: true, In: null, Out: null, Err: w}
			code, err := c.Run(t.Context())
			w.Close()
			text, _ := io.ReadAll(r)
			if said := string(text); code != test.code || err != nil || !strings.Contains(said, `"reason":"`+test.reason+`"`) || !strings.Contains(said, test.says) || strings.Count(said, `"pid"`) != test.attempts {
				t.Errorf("code %d, %v, %s; want %d after %d attempts, %q, %q", code, err, said, test.code, test.attempts, test.reason, test.says)
			}
		})
	}
	if got := reason(context.Canceled); got != "context canceled" {
		t.Errorf("reason of another error: %q", got)
	}
}

// Flags change fields of a policy.
func TestFollow(t *testing.T) {
	p := &retry.Policy{Name: "job", MaxAttempts: retry.Unlimited, MaxElapsed: time.Minute, AttemptTimeout: time.Second, Backoff: backoff.Default(), Gates: []retry.Gate{&limit.Retries{}}}
	var c Command
	c.follow(p, func(string) bool { return false })
	if c.Policy != "job" || len(c.Gates) != 1 || c.Attempts != 1<<31-1 || c.MaxElapsed != time.Minute || c.AttemptTimeout != time.Second || c.Backoff != p.Backoff {
		t.Errorf("without flags: %+v", c)
	}
	c = Command{Attempts: 7}
	c.follow(p, func(string) bool { return true })
	if c.Attempts != 7 || c.MaxElapsed != 0 || c.AttemptTimeout != 0 || c.Backoff != nil {
		t.Errorf("with flags: %+v", c)
	}
	cmd := NewCobra(func(_ *cobra.Command, name string) (*retry.Policy, error) {
		return &retry.Policy{Name: name, MaxAttempts: 1}, nil
	})
	cmd.SetArgs([]string{"--policy", "job", "--stdin", "none", "--", "true"})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Errorf("run --policy: %v", err)
	}
}
