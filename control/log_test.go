package control_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe"
	"github.com/relent-go/relent/retry"
)

// lines returns a logger without times, and what it wrote.
func lines() (*slog.Logger, *bytes.Buffer) {
	var out bytes.Buffer
	return slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "call_id" || a.Key == "elapsed" {
			return slog.Attr{}
		}
		return a
	}})), &out
}

func TestLog(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(t *testing.T, r *control.Registry)
		want string
	}{
		{"circuit", func(t *testing.T, r *control.Registry) {
			b := &breaker.Breaker{Name: "eu"}
			r.AddCircuit(control.Circuit{Policy: "a", Breaker: b})
			b.Isolate(breaker.Order{Who: "ann", Why: "test", For: time.Hour})
			b.Release(breaker.Order{Who: "ann", Why: "test"})
		}, `level=WARN msg="circuit changed" policy=a target=eu from=closed to=isolated cause="set by a person: ann (test)"
level=INFO msg="circuit changed" policy=a target=eu from=isolated to=half_open cause="override released: ann (test)"
`},
		{"stop", func(t *testing.T, r *control.Registry) {
			r.AddStops(&halt.Tree{})
			r.Stop(t.Context(), control.Stop{State: "drain", Reason: "prices", Actor: "ann", Source: "cli", Drill: true})
			r.Stop(t.Context(), control.Stop{State: "drain", Reason: "prices", Actor: "ann", Source: "cli"})
			r.Resume(t.Context(), control.Resume{Epoch: 7, Actor: "bob", Approver: "cid"})
			r.Resume(t.Context(), control.Resume{Epoch: 1, Actor: "bob", Approver: "cid", Reason: "all clear"})
		}, `level=WARN msg="emergency stop" action=stop scope=global state=drain drill=true actor=ann source=cli reason=prices epoch=0
level=ERROR msg="emergency stop" action=stop scope=global state=drain drill=false actor=ann source=cli reason=prices epoch=1
level=WARN msg="emergency stop" action=resume scope=global state=drain drill=false actor=bob source=api reason="" epoch=1 error="command refused: the scope has changed since: look again, then decide again: its epoch is 1, not 7"
level=WARN msg="emergency stop" action=resume scope=global state=drain drill=false actor=bob source=api reason="all clear" epoch=2
`},
		{"configuration", func(t *testing.T, r *control.Registry) {
			r.Apply(t.Context(), control.Set{Hash: "h1", Policies: policies(&retry.Policy{Name: "a"})})
			r.ReloadFailed(errors.Join(errDown, errBusy))
		}, `level=INFO msg="config reloaded" hash=h1 changed=+a
level=ERROR msg="config refused" errors="connection refused; busy"
`},
		{"calls", func(t *testing.T, r *control.Registry) {
			o, _ := r.AddOperation("", &retry.Policy{Name: "a", Observer: &observe.Slog{Logger: r.Logger, Explain: control.Describe}, Gates: []retry.Gate{later{halt.ErrHalted}}})
			retry.Run(t.Context(), o, func(context.Context) error { return errBusy })
		}, `level=INFO msg="retry refused" policy=a attempt=2 reason=stopped class=transient
level=WARN msg="call failed" policy=a attempts=1 reason=halted class=transient error=busy outcome=stopped
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			logger, out := lines()
			test.do(t, &control.Registry{Logger: logger})
			if out.String() != test.want {
				t.Errorf("logged\n%s; want\n%s", out, test.want)
			}
		})
	}
}

// later refuses retries.
type later struct{ err error }

func (l later) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Number > 1 {
		return l.err
	}
	return nil
}
func (later) Settle(*retry.Attempt, *retry.Outcome) {}
