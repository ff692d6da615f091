package budget_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

var (
	errBusy   = errors.New("busy")
	busy      = retry.Mark(errBusy, retry.Transient)
	immediate = backoff.Constant{Jitter: backoff.None}
	ctx       = context.Background()
	epoch     = time.Now()
)

// wait is a backoff of exactly d.
func wait(d time.Duration) backoff.Strategy { return backoff.Constant{Wait: d, Jitter: backoff.None} }

// first and again make attempts by hand.
func first(lane uint32) *retry.Attempt {
	return &retry.Attempt{Policy: &retry.Policy{}, Number: 1, At: epoch, Lane: lane, Note: new(uint64)}
}

func again(class retry.Class) *retry.Attempt {
	return &retry.Attempt{Policy: &retry.Policy{}, Number: 2, At: epoch, Class: class, Note: new(uint64)}
}

func prio(p retry.Priority) *retry.Attempt {
	a := again(retry.Transient)
	a.Policy = &retry.Policy{Priority: p}
	return a
}

func at(a *retry.Attempt, d time.Duration) *retry.Attempt {
	a.At = epoch.Add(d)
	return a
}

// ended is an outcome.
func ended(s retry.State) *retry.Outcome { return &retry.Outcome{State: s} }

// admit fails the test if the gate refuses.
func admit(t testing.TB, g retry.Gate, a *retry.Attempt) *retry.Attempt {
	t.Helper()
	if err := g.Admit(ctx, a); err != nil {
		t.Fatalf("Admit(%d) = %v; want nil", a.Number, err)
	}
	return a
}

// run takes an attempt through the gate to its end.
func run(g retry.Gate, a *retry.Attempt, s retry.State) error {
	err := g.Admit(ctx, a)
	if err == nil {
		g.Settle(a, ended(s))
	}
	return err
}

// refused fails the test unless err is a refusal by rule, which it returns.
func refused(t testing.TB, err error, rule budget.Rule) *budget.Error {
	t.Helper()
	e, ok := errors.AsType[*budget.Error](err)
	if !ok || e.Rule != rule || !errors.Is(err, budget.ErrSpent) {
		t.Fatalf("%v; want a refusal by the rule %v", err, rule)
	}
	return e
}

// count returns how many of up to 1000 retries with a are allowed before one is refused. They end at once.
func count(g retry.Gate, a func() *retry.Attempt) int {
	for n := range 1000 {
		if run(g, a(), retry.Failed) != nil {
			return n
		}
	}
	return 1000
}

// earn lets n first attempts succeed.
func earn(g retry.Gate, n int) {
	for i := range n {
		run(g, first(uint32(i)), retry.Succeeded)
	}
}
