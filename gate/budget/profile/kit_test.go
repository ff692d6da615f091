package profile

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

var (
	errServer = retry.Mark(errors.New("http 500"), retry.Transient)
	errSlow   = retry.Mark(errors.New("http 429"), retry.Throttled)
	errWrong  = retry.Mark(errors.New("http 400"), retry.Permanent)
	errLate   = retry.Mark(context.DeadlineExceeded, retry.Ambiguous)

	repeatable = &retry.Policy{Idempotent: true}
	begin      = time.Now()
)

// at is a virtual time, in seconds.
func at(seconds float64) time.Time { return begin.Add(time.Duration(seconds * float64(time.Second))) }

// A call makes attempts by hand, at virtual times.
type call struct {
	t    *testing.T
	gate retry.Gate
	ctx  context.Context
	a    retry.Attempt
}

func newCall(t *testing.T, g retry.Gate) *call {
	return &call{t: t, gate: g, ctx: t.Context(), a: retry.Attempt{Policy: repeatable}}
}

// try asks for the next attempt at a time.
func (c *call) try(seconds float64) error {
	c.a.Number, c.a.At, c.a.Note = c.a.Number+1, at(seconds), new(uint64)
	err := c.gate.Admit(c.ctx, &c.a)
	if err != nil && !errors.Is(err, budget.ErrSpent) {
		c.t.Errorf("Admit = %v; want one that is budget.ErrSpent", err)
	}
	return err
}

// end settles the attempt that was admitted last.
func (c *call) end(seconds float64, err error) {
	o := &retry.Outcome{State: retry.Succeeded, Start: at(seconds)}
	if err != nil {
		o.State, o.Err, o.Class, o.End = retry.Failed, err, retry.DefaultClassify(err), at(seconds)
	}
	c.gate.Settle(&c.a, o)
	c.a.Err, c.a.Class = o.Err, o.Class
}

// drop settles the attempt that was admitted last as something that is neither success nor failure.
func (c *call) drop(s retry.State) { c.gate.Settle(&c.a, &retry.Outcome{State: s}) }

// run makes attempts at a time, with these results, until the gate refuses one. It returns how many it made.
func (c *call) run(seconds float64, results ...error) (made int, refused error) {
	for _, r := range results {
		if err := c.try(seconds); err != nil {
			return made, err
		}
		c.end(seconds, r)
		made++
	}
	return made, nil
}

// fails makes a call whose first attempt fails at a time, and asks for a retry that is left in flight.
func fails(t *testing.T, g retry.Gate, seconds float64, err error) (*call, error) {
	c := newCall(t, g)
	if made, err := c.run(seconds, err); made != 1 {
		t.Fatalf("first attempt: %v", err)
	}
	return c, c.try(seconds)
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v; want %v", what, got, want)
	}
}
