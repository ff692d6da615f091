package job

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// step does one step, and returns nil if the job goes on.
func (a *attempt) step(ctx context.Context, s *Step) *verdict {
	a.task.step = a.handler.name(a.task.saved.Step)
	err, refusal := a.attend(ctx, s)
	switch {
	case refusal != nil:
		return a.refused(ctx, refusal)
	case err == nil:
		if err := a.task.end(context.WithoutCancel(ctx), Applied); err != nil {
			return a.unsaved(err)
		}
		return nil
	}
	return a.failed(ctx, s, err)
}

// refused deals with a gate, or the store, that let no step begin.
func (a *attempt) refused(ctx context.Context, err error) *verdict {
	if errors.Is(err, ErrLeaseLost) {
		return &verdict{kind: LeaseLost, err: err}
	}
	if ctx.Err() != nil {
		v := a.stopped(context.Cause(ctx), retry.Transient)
		return &v
	}
	refusals := 1
	for i := len(a.record.History) - 2; i >= 0 && a.record.History[i].How == Interrupted; i-- {
		refusals++
	}
	return &verdict{kind: Refused, err: err, report: Report{Err: err.Error(), Class: retry.Transient, Free: true}, wait: max(minPause, a.delay(refusals), retry.Hint(err))}
}

// minPause keeps a job that a gate refuses from coming back at once for ever.
const minPause = 10 * time.Millisecond

// failed decides what becomes of the job when a step failed.
func (a *attempt) failed(ctx context.Context, s *Step, err error) *verdict {
	class, open := a.judge(err)
	stopping := ctx.Err() != nil
	if stopping && class == retry.Permanent && errors.Is(err, context.Canceled) {
		class, open = retry.Ambiguous, true // it speaks of the runner, not of the step
	}
	if open && !stopping && s.Effect.unsafe() {
		switch a.reconcile(ctx) {
		case Applied:
			if err := a.task.end(context.WithoutCancel(ctx), Applied); err != nil {
				return a.unsaved(err)
			}
			return nil
		case Absent:
			open = false
			if class == retry.Ambiguous {
				class = retry.Transient
			}
		default:
			return a.give(ErrUnsafe, err, class)
		}
	}
	if a.task.saved.Open && !open {
		if err := a.task.end(context.WithoutCancel(ctx), Absent); err != nil {
			return a.unsaved(err)
		}
	}
	a.unknown = a.unknown || open && s.Effect != Safe
	if stopping {
		v := a.stopped(err, class)
		return &v
	}
	return a.fate(err, class)
}

// judge says what an error means, and whether it leaves open what happened.
func (a *attempt) judge(err error) (class retry.Class, open bool) {
	classify := a.policy.Classify
	if classify == nil {
		classify = retry.DefaultClassify
	}
	class = min(classify(err), retry.Permanent)
	inner, ok := errors.AsType[*retry.Error](err)
	return class, class == retry.Ambiguous || ok && inner.Unknown
}

// fate decides between another attempt and none.
func (a *attempt) fate(err error, class retry.Class) *verdict {
	p := a.policy
	hint := retry.Hint(err)
	wait := a.delay(a.record.Attempts)
	if hint > math.MaxInt64-wait {
		wait = math.MaxInt64 - hint
	}
	wait += hint
	switch {
	case errors.Is(err, ErrAbandoned):
		return a.abandon(ErrAbandoned, err)
	case class == retry.Permanent:
		return a.give(retry.ErrPermanent, err, class)
	case p.RetryIf != nil && !p.RetryIf(err):
		return a.give(retry.ErrDeclined, err, class)
	case a.record.Attempts >= p.Attempts():
		return a.give(retry.ErrExhausted, err, class)
	case hint > maxHint(p):
		return a.give(retry.ErrHint, err, class)
	case p.MaxElapsed > 0 && wait >= p.MaxElapsed-a.elapsed(time.Now()):
		return a.give(retry.ErrElapsed, err, class)
	}
	return &verdict{kind: Retrying, err: err, report: Report{Err: err.Error(), Class: class}, wait: wait}
}

// panicked decides what becomes of the job when a step panicked. That it was open stays so, for the next attempt to
// resolve.
func (a *attempt) panicked(p *Panic) verdict {
	i := a.task.saved.Step
	a.unknown = a.unknown || i < len(a.handler.Steps) && a.handler.Steps[i].Effect != Safe
	return *a.fate(errors.New(p.short()), retry.Ambiguous)
}

func maxHint(p *retry.Policy) time.Duration {
	if p.MaxHint == 0 {
		return retry.DefaultMaxHint
	}
	return max(0, p.MaxHint)
}

// delay returns the backoff after the n-th failure.
func (a *attempt) delay(n int) time.Duration {
	strategy, random := a.policy.Backoff, a.policy.Rand
	if strategy == nil {
		strategy = backoff.Default()
	}
	if random == nil {
		random = rand.Float64
	}
	var last time.Duration // as long as it took to be taken again
	if before := a.last(); !before.Ended.IsZero() {
		last = max(0, a.record.History[len(a.record.History)-1].Began.Sub(before.Ended))
	}
	return max(0, strategy.Delay(n, last, random()))
}
