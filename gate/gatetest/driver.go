package gatetest

import (
	"context"
	"errors"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
)

// most is how many attempts a gate is asked to hold at once.
const most = 64

var (
	errBefore = retry.Mark(errors.New("the attempt before failed"), retry.Transient)
	errFailed = retry.Mark(errors.New("the attempt failed"), retry.Transient)
	errWaits  = errors.New("the gate waits")
	errEnded  = errors.New("the context ended")
)

// A driver makes attempts by hand and takes a gate through them.
type driver struct {
	gate     retry.Gate
	policy   *retry.Policy
	complain complaint
	calls    uint64
}

func (s Suite) driver(complain complaint) *driver {
	return &driver{gate: s.Open(), policy: s.policy(), complain: complain}
}

// policy returns the policy of attempts, with such limits as the checks need.
func (s Suite) policy(gates ...retry.Gate) *retry.Policy {
	p := retry.Policy{Name: "gatetest.call", Idempotent: true}
	if s.Policy != nil {
		p = *s.Policy
	}
	p.MaxAttempts, p.MaxElapsed, p.AttemptTimeout = 2, 0, 0
	p.Gates, p.Observer, p.Validate, p.Nudge = gates, nil, nil, nil
	return &p
}

// attempt returns one of a new call, asked for at a moment.
func (d *driver) attempt(at time.Time, number int) retry.Attempt {
	d.calls++
	a := retry.Attempt{Policy: d.policy, Call: d.calls, Number: number, At: at, Lane: uint32(d.calls), Note: new(uint64)}
	if number > 1 {
		a.Err, a.Class = errBefore, retry.Transient
	}
	return a
}

// begin asks the gate whether an attempt may begin. Where the gate would wait it ends the wait.
func (d *driver) begin(a retry.Attempt) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	done := make(chan error, 1)
	var bug any
	go func() {
		given := a
		var err error
		if bug = bear(func() { err = begin(ctx, d.gate, &given) }); bug == nil {
			given = retry.Attempt{Number: -1} // as the engine uses it again
		}
		done <- err
	}()
	synctest.Wait()
	select {
	case err := <-done:
		if bug != nil {
			panic(bug)
		}
		return err
	default:
	}
	cancel(errEnded)
	synctest.Wait()
	select {
	case err := <-done:
		switch {
		case err == nil:
			d.complain("the gate let an attempt begin whose context had ended while it waited")
			d.settle(a, retry.Outcome{})
		case !errors.Is(err, errEnded):
			d.complain("a wait that the context ended returned %v; want the context's cause", err)
		}
	default:
		d.complain("the gate went on waiting when the context had ended")
		if <-done == nil {
			d.settle(a, retry.Outcome{})
		}
	}
	return errWaits
}

// begin does what the engine does with a single gate.
func begin(ctx context.Context, g retry.Gate, a *retry.Attempt) error {
	if err := g.Admit(ctx, a); err != nil {
		return err
	}
	if s, ok := g.(retry.Starter); ok {
		if err := s.Start(ctx, a); err != nil {
			g.Settle(a, &retry.Outcome{})
			return err
		}
	}
	return nil
}

// settle hands an attempt back. As with the engine, what the gate was given is then used for other things.
func (d *driver) settle(a retry.Attempt, o retry.Outcome) {
	d.gate.Settle(&a, &o)
	a, o = retry.Attempt{Number: -1}, retry.Outcome{State: retry.Panicked}
}

// A room is how many attempts a gate lets run at once, up to the most that are tried.
type room struct{ first, retries int }

// room measures it, and gives all of them back as not started.
func (d *driver) room(at time.Time) room {
	return room{d.hold(at, 1, nil), d.hold(at, 2, nil)}
}

// hold begins attempts until the gate refuses, and then some; it settles them after calling full.
func (d *driver) hold(at time.Time, number int, full func(refusal error)) int {
	var held []retry.Attempt
	var refusal error
	for refused := 0; len(held) < most && refused < 20; {
		a := d.attempt(at, number)
		err := d.begin(a)
		if err != nil {
			refusal = err
			refused++
			continue
		}
		held = append(held, a)
	}
	if full != nil {
		full(refusal)
	}
	for i := len(held) - 1; i >= 0; i-- {
		d.settle(held[i], retry.Outcome{State: retry.NotStarted})
	}
	return len(held)
}
