package chaos

import (
	"context"

	"github.com/relent-go/relent/retry"
)

// Gate returns g with faults, as the operation op: whoever asks it for leave may be refused, wait, or be refused although g had
// allowed it, which then gets the attempt back. A nil g allows everything by itself. Waits end with the context of the call, and with
// a stop.
//
// An emergency stop (a [retry.Halter]) is returned as it is: a drill must not stand between it and an attempt.
func Gate(g retry.Gate, i *Injector, op string) retry.Gate {
	if _, ok := g.(retry.Halter); ok {
		return g
	}
	return &gate{g, i, op}
}

type gate struct {
	inner retry.Gate
	i     *Injector
	op    string
}

var (
	_ retry.Rechecker = (*gate)(nil)
	_ retry.Starter   = (*gate)(nil)
)

// Admit asks for leave.
func (g *gate) Admit(ctx context.Context, a *retry.Attempt) error {
	h := g.i.next(g.op)
	if h.fault != Pass {
		waiting, end := context.WithCancelCause(ctx)
		defer end(nil)
		halted := a.Halted()
		leave := context.AfterFunc(halted, func() { end(context.Cause(halted)) })
		defer leave()
		ctx = waiting
	}
	if err := h.before(ctx); err != nil {
		return err
	}
	if g.inner == nil {
		return h.after(ctx)
	}
	if h.fault == Duplicate && g.inner.Admit(ctx, a) == nil {
		g.back(a)
	}
	if err := g.inner.Admit(ctx, a); err != nil {
		return err
	}
	if err := h.after(ctx); err != nil {
		g.back(a)
		return err
	}
	return nil
}

// back gives an attempt back that will not be made.
func (g *gate) back(a *retry.Attempt) { g.inner.Settle(a, &retry.Outcome{State: retry.NotStarted}) }

// Recheck asks again after the wait.
func (g *gate) Recheck(ctx context.Context, a *retry.Attempt) error {
	if r, ok := g.inner.(retry.Rechecker); ok {
		return r.Recheck(ctx, a)
	}
	return nil
}

// Start has a word when the attempt begins.
func (g *gate) Start(ctx context.Context, a *retry.Attempt) error {
	if s, ok := g.inner.(retry.Starter); ok {
		return s.Start(ctx, a)
	}
	return nil
}

// Settle tells how the attempt went.
func (g *gate) Settle(a *retry.Attempt, o *retry.Outcome) {
	if g.inner != nil {
		g.inner.Settle(a, o)
	}
}
