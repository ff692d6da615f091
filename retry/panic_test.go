package retry_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/relent-go/relent/retry"
)

// A panic in an asynchronous attempt rises in a worker, where nobody can recover it, so it ends the
// process as it would after a go statement. What the call held is given back on the way.
func TestPanicInAWorkerEndsTheProcess(t *testing.T) {
	if os.Getenv("RELENT_TEST_PANIC") != "" {
		p := &retry.Policy{Gates: []retry.Gate{printing{}}}
		retry.Go(t.Context(), p, func(context.Context) (int, error) { panic("a bug of the caller") }).Wait(t.Context())
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "RELENT_TEST_PANIC=1")
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 2 {
		t.Errorf("ended with %v; want exit code 2", err)
	}
	for _, want := range []string{"panic: a bug of the caller", "settled panicked"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("printed %s; want %q in it", out, want)
		}
	}
}

type printing struct{}

func (printing) Admit(context.Context, *retry.Attempt) error { return nil }
func (printing) Settle(_ *retry.Attempt, o *retry.Outcome) {
	os.Stderr.WriteString("settled " + o.State.String() + "\n")
}
