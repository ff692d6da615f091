package audit

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/relent-go/relent/observe"
	"github.com/relent-go/relent/retry"
)

// Admit implements [retry.Gate]. For an order it refuses while the log is closed, and waits before each retry until its intent is durable.
func (l *Log) Admit(ctx context.Context, a *retry.Attempt) error {
	if !l.order(a.Policy) {
		return nil
	}
	if l.shut.Load() {
		return fmt.Errorf("%w: %w", ErrUnrecorded, ErrClosed)
	}
	if a.Number <= 1 {
		return nil
	}
	l.init()
	r := l.attempt(ctx, a)
	r.Decision, r.Class, r.Delay, r.Hint, r.Rule = Retry, a.Class.String(), a.Wait, retry.Hint(a.Err), intentRule
	r = l.complete(r)
	err := l.durable(ctx, a.Halted(), r)
	if err == nil {
		return nil
	}
	// The intent may be written nevertheless, and nothing was sent.
	r.ID, r.Decision, r.Outcome, r.Rule = "", Deny, NotStarted, ErrUnrecorded.Error()
	l.note(l.complete(r), true)
	return fmt.Errorf("%w: %w", ErrUnrecorded, err)
}

// Settle implements [retry.Gate]. It records how the retry of an order ended.
func (l *Log) Settle(a *retry.Attempt, o *retry.Outcome) {
	if a.Number <= 1 || !l.order(a.Policy) {
		return
	}
	l.init()
	r := l.attempt(context.Background(), a)
	unknown := false // whether it may have had its effect
	switch o.State {
	case retry.Failed:
		unknown = o.Class == retry.Ambiguous
	case retry.Canceled: // that it is Permanent speaks of the caller
		unknown = o.Class == retry.Ambiguous || o.Class == retry.Permanent
	case retry.Panicked:
		unknown = true
	}
	r.Decision, r.Outcome = End, outcome(o.State, unknown)
	if o.Err != nil {
		r.Class = o.Class.String()
	}
	r.Time = latest(a.At, o.Start, o.End)
	l.note(l.complete(r), true)
}

// attempt begins the record of one.
func (l *Log) attempt(ctx context.Context, a *retry.Attempt) Record {
	p := a.Policy.Current() // of nil, in an attempt made by hand, the zero policy
	r := Record{Operation: p.Name, Call: callID(a.Call), Attempt: a.Number, Time: a.At, Cost: p.Cost}
	l.describe(ctx, &r, a.At)
	return r
}

// describe adds what the context and the user know.
func (l *Log) describe(ctx context.Context, r *Record, at time.Time) {
	fill(ctx, r)
	if deadline, ok := ctx.Deadline(); ok {
		r.Left = deadline.Sub(at)
	}
	if l.Describe != nil {
		l.Describe(ctx, r)
	}
}

// callID is the text of a call's number.
func callID(call uint64) string {
	text := strconv.FormatUint(call, 16)
	return "0000000000000000"[len(text):] + text
}

// latest returns the latest of times.
func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// outcome is that of a state.
func outcome(s retry.State, unknown bool) Outcome {
	switch {
	case s == retry.Succeeded:
		return Succeeded
	case unknown:
		return Unknown
	case s == retry.NotStarted:
		return NotStarted
	case s == retry.Failed:
		return Failed
	case s == retry.Canceled:
		return Canceled
	}
	return Panicked
}

// SkipsFirstTryOf says to package control that calls of a policy which succeed at once are not recorded, and need not be told.
func (l *Log) SkipsFirstTryOf(p *retry.Policy) bool { return !l.All && !l.order(p) }

// Observe implements [retry.Observer].
func (l *Log) Observe(ctx context.Context, e retry.Event) {
	order := l.order(e.Policy)
	if !order && !l.All && e.Succeeded() && e.Attempts == 1 {
		return
	}
	if order && e.Kind == retry.Retrying && slices.Contains(e.Policy.Gates, retry.Gate(l)) {
		return // Admit has written it
	}
	l.init()
	r := Record{
		Operation: e.Policy.Name, Call: callID(e.Call), Attempt: e.Attempts, Time: e.At, Cost: e.Policy.Cost,
		Outcome: outcome(e.State, e.Unknown), Hint: retry.Hint(e.Err), Delay: e.Wait,
	}
	switch {
	case e.Kind == retry.Retrying:
		r.Decision, r.Attempt, r.Outcome, r.Rule = Retry, e.Attempts+1, "", "policy"
	case e.Succeeded() && e.Attempts == 1:
		r.Decision = Admit
	case e.Succeeded():
		r.Decision = End
	default:
		r.Decision = Deny
	}
	if e.Reason != nil {
		r.Rule = observe.Redact(e.Reason)
	}
	if e.Err != nil {
		r.Class = e.Class.String()
	}
	l.describe(ctx, &r, e.At)
	l.note(l.complete(r), order)
}
