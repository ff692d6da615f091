package job

import (
	"context"
	"slices"
	"time"

	"github.com/relent-go/relent/retry"
)

// attend does a step as an attempt of a call is made: the gates admit it, the store learns of it if it must not run twice, the gates
// let it start, and in the end they are told. It returns the step's error, or why it did not begin.
//
// The engine cannot be asked to, for it begins with first attempts, and this one may be a retry from before a crash.
func (a *attempt) attend(ctx context.Context, s *Step) (err, refusal error) {
	last := a.last()
	g := gating{gates: a.policy.Gates, attempt: retry.Attempt{
		Policy: a.policy, Call: a.call(), Number: a.before + 1, At: time.Now(), Unknown: a.unknown,
	}}
	if a.before > 0 {
		g.attempt.Err, g.attempt.Class = reported(last.Err), last.Class
	}
	defer g.settle()
	if err := g.admit(ctx); err != nil {
		return nil, err
	}
	opened := s.Effect.unsafe() && !a.task.saved.Open
	if opened {
		if err := a.task.begin(ctx); err != nil {
			return nil, err
		}
	}
	if err := g.start(ctx); err != nil {
		if opened {
			if err := a.task.end(context.WithoutCancel(ctx), Absent); err != nil {
				return nil, err
			}
		}
		return nil, err
	}
	inner := retry.WithPreviousAttempts(ctx, a.before)
	if d := a.policy.AttemptTimeout; d > 0 {
		var cancel context.CancelFunc
		inner, cancel = context.WithTimeoutCause(inner, d, retry.ErrAttemptTimeout)
		defer cancel()
	}
	g.outcome = retry.Outcome{State: retry.Panicked, Start: g.attempt.Begins}
	if s.Do == nil {
		err = retry.Mark(retry.ErrNilFunc, retry.Permanent)
	} else {
		err = s.Do(inner, a.task)
	}
	o := &g.outcome
	o.State, o.Err, o.End = retry.Succeeded, err, time.Now()
	if err != nil {
		o.State = retry.Failed
		o.Class, _ = a.judge(err)
		if ctx.Err() != nil {
			o.State = retry.Canceled
		}
	}
	return err, nil
}

// gating is one attempt as the gates of a policy see it.
type gating struct {
	gates    []retry.Gate
	notes    []uint64
	attempt  retry.Attempt
	outcome  retry.Outcome
	admitted int
}

// of returns the attempt with the note of the gate at i.
func (g *gating) of(i int) *retry.Attempt {
	g.attempt.Note = &g.notes[i]
	return &g.attempt
}

func (g *gating) admit(ctx context.Context) error {
	g.notes = make([]uint64, len(g.gates))
	for i, gate := range g.gates {
		if gate != nil {
			if err := gate.Admit(ctx, g.of(i)); err != nil {
				return err
			}
		}
		g.admitted++
	}
	return nil
}

// start asks the gates that have a word when an attempt begins, in reverse order, the stop last.
func (g *gating) start(ctx context.Context) error {
	g.attempt.Begins = time.Now()
	haltAt := slices.IndexFunc(g.gates, func(gate retry.Gate) bool {
		_, ok := gate.(retry.Halter)
		return ok
	})
	for i := len(g.gates) - 1; i >= 0; i-- {
		if s, ok := g.gates[i].(retry.Starter); ok && i != haltAt {
			if err := s.Start(ctx, g.of(i)); err != nil {
				return err
			}
			g.attempt.Begins = time.Now() // it may have waited
		}
	}
	if haltAt < 0 {
		return nil
	}
	return g.gates[haltAt].(retry.Halter).Start(ctx, g.of(haltAt))
}

func (g *gating) settle() {
	for g.admitted > 0 {
		g.admitted--
		if gate := g.gates[g.admitted]; gate != nil {
			gate.Settle(g.of(g.admitted), &g.outcome)
		}
	}
}
