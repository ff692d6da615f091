package job

import (
	"context"
	"errors"
	"time"

	"github.com/relent-go/relent/retry"
)

// ErrAbandoned, in the error of a step, says that nobody wants the job done any more, and that this attempt of the step did nothing. The
// job ends as Abandoned.
var ErrAbandoned = refused("abandoned")

// ErrUnsafe is why a job ended as Unknown in a step that must not run twice. It is a [retry.ErrAmbiguous].
var ErrUnsafe error = unsafeError{}

type unsafeError struct{}

func (unsafeError) Error() string {
	return "outcome unknown, and not repeated because the step is unsafe"
}
func (unsafeError) Unwrap() error { return retry.ErrAmbiguous }

// An attempt is one time that a worker holds a job.
type attempt struct {
	crew    *crew
	record  Record // as taken
	handler Handler
	policy  *retry.Policy
	hold    *hold
	task    *Task
	sent    time.Time
	before  int  // attempts of the present step that got no further
	unknown bool // the present step may have had its effect
}

func newAttempt(ctx context.Context, c *crew, r Record, sent time.Time) *attempt {
	a := &attempt{crew: c, record: r, handler: c.Handlers[r.Kind], sent: sent}
	a.policy = a.handler.policy()
	h := newHold(ctx, c.Store, r.Lease(), c.lease, sent)
	h.failing = func(e retry.Event) {
		a.tell(ctx, Event{Kind: StoreFailed, Status: Running, Err: e.Err, Class: e.Class, Wait: e.Wait})
	}
	a.hold = h
	a.task = &Task{hold: h, id: r.ID, kind: r.Kind, payload: r.Payload, number: r.Attempts, saved: r.Checkpoint}
	a.lookBack()
	return a
}

// lookBack learns from the history about attempts of the present step.
func (a *attempt) lookBack() {
	safe := a.record.Step < len(a.handler.Steps) && a.handler.Steps[a.record.Step].Effect == Safe
	for i := len(a.record.History) - 2; i >= 0; i-- {
		e := a.record.History[i]
		died := e.How == Unreported // then its Seq is that of its beginning, and it may have come further
		if e.How == Redriven || e.Seq != a.record.Seq && !died {
			return
		}
		if died || e.How == Nacked {
			a.before++
		}
		if !safe && (died || e.Class == retry.Ambiguous) {
			a.unknown = true
		}
		if e.Seq != a.record.Seq {
			return
		}
	}
}

// A verdict is how an attempt ended.
type verdict struct {
	kind   EventKind
	status Status // Waiting if there will be another attempt
	report Report
	err    error
	wait   time.Duration
	reason error
}

// run makes the attempt.
func (a *attempt) run(ctx context.Context) verdict {
	a.tell(ctx, Event{Kind: Began, Status: Running})
	if v := a.admit(ctx); v != nil {
		return *v
	}
	for a.task.saved.Step < len(a.handler.Steps) {
		if ctx.Err() != nil {
			return a.stopped(context.Cause(ctx), retry.Transient)
		}
		if v := a.step(ctx, &a.handler.Steps[a.task.saved.Step]); v != nil {
			return *v
		}
		a.before, a.unknown = 0, false
	}
	return verdict{kind: Ended, status: Done}
}

// admit says what keeps the attempt from being made.
func (a *attempt) admit(ctx context.Context) *verdict {
	p, r := a.policy, &a.record
	switch {
	case r.Attempts > p.Attempts():
		return a.give(retry.ErrExhausted, nil, retry.Ambiguous)
	case p.MaxElapsed > 0 && r.Attempts > 1 && r.Elapsed >= p.MaxElapsed:
		return a.give(retry.ErrElapsed, nil, retry.Ambiguous)
	}
	if r.Open {
		if v := a.resolve(ctx); v != nil {
			return v
		}
	}
	if p.Validate == nil || r.Attempts == 1 {
		return nil
	}
	last := a.last()
	at := retry.Attempt{Policy: p, Call: a.call(), Number: r.Attempts, At: time.Now(), Err: reported(last.Err), Class: last.Class, Unknown: a.unknown}
	if err := p.Validate(ctx, at); err != nil {
		return a.abandon(retry.ErrInvalid, err)
	}
	return nil
}

// last returns the attempt before this one; the zero Attempt if there is none.
func (a *attempt) last() (last Attempt) {
	if n := len(a.record.History); n > 1 {
		last = a.record.History[n-2]
	}
	return last
}

// reported makes an error of a text that the store kept.
func reported(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}

// resolve finds out what became of a step that was begun by an attempt before, and must not run twice.
func (a *attempt) resolve(ctx context.Context) *verdict {
	if r := a.reconcile(ctx); r == Undecided {
		return a.give(ErrUnsafe, reported(a.last().Err), retry.Ambiguous)
	} else if err := a.task.end(context.WithoutCancel(ctx), r); err != nil {
		return a.unsaved(err)
	}
	return nil
}

// reconcile asks the present step what became of it.
func (a *attempt) reconcile(ctx context.Context) Resolution {
	i := a.task.saved.Step
	if i >= len(a.handler.Steps) || a.handler.Steps[i].Reconcile == nil {
		return Undecided
	}
	a.task.step = a.handler.name(i)
	r, err := a.handler.Steps[i].Reconcile(ctx, a.task)
	if err != nil || r > Absent {
		return Undecided
	}
	return r
}

// give gives the job up.
func (a *attempt) give(reason, err error, class retry.Class) *verdict {
	status := Failed
	if a.unknown || a.task.saved.Open {
		status = Unknown
	}
	text := reason.Error()
	if err != nil {
		text += ": " + err.Error()
	}
	return &verdict{kind: Ended, status: status, err: err, report: Report{Err: text, Class: class}, reason: reason}
}

// abandon gives up a job that nobody wants any more, unless it must be told that it may have had an effect.
func (a *attempt) abandon(reason, err error) *verdict {
	v := a.give(reason, err, retry.Permanent)
	if v.status == Failed {
		v.status = Abandoned
	}
	return v
}

// stopped gives the job back because the runner stops, or drops it if the lease is lost.
func (a *attempt) stopped(err error, class retry.Class) verdict {
	if a.hold.lost.Err() != nil {
		return verdict{kind: LeaseLost, err: context.Cause(a.hold.lost)}
	}
	return verdict{kind: Stopped, err: err, report: Report{Err: err.Error(), Class: class, Free: true}}
}

// unsaved deals with a change that the store refused, or that could not be made in time: then the lease is left to end.
func (a *attempt) unsaved(err error) *verdict {
	if errors.Is(err, ErrLeaseLost) || errors.Is(err, ErrStopping) {
		return &verdict{kind: LeaseLost, err: err}
	}
	a.unknown = true // the step came to its end, or has begun
	return a.give(retry.ErrPermanent, err, retry.Permanent)
}

// report tells the store, and then whoever listens, how the attempt ended.
func (a *attempt) report(ctx context.Context, v verdict) {
	ctx = context.WithoutCancel(ctx)
	a.hold.rest() // a renewal after a report whose answer got lost would be refused, and look like a lost lease
	l := a.hold.lease
	var err error
	switch {
	case v.kind == LeaseLost:
	case v.status == Done:
		err = a.hold.change(ctx, func(ctx context.Context) error { return a.hold.store.Ack(ctx, l) })
	case v.status == Waiting:
		err = a.hold.change(ctx, func(ctx context.Context) error { return a.hold.store.Nack(ctx, l, v.wait, v.report) })
	default:
		err = a.hold.change(ctx, func(ctx context.Context) error { return a.hold.store.Park(ctx, l, v.status, v.report) })
	}
	if err != nil {
		v = verdict{kind: LeaseLost, err: err}
	}
	if v.kind == LeaseLost {
		v.status, v.reason = Running, ErrLeaseLost
	}
	a.tell(ctx, Event{Kind: v.kind, Status: v.status, Err: v.err, Class: v.report.Class, Wait: v.wait, Reason: v.reason})
}

// elapsed returns how long the job has been worked on and waited for, at now.
func (a *attempt) elapsed(now time.Time) time.Duration { return a.record.Elapsed + now.Sub(a.sent) }
