package oteltrace

import (
	"context"
	"iter"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/relent-go/relent/retry"
)

// Do is [retry.Do] with spans: see the package comment. Where the span in ctx is not recording, it adds one look at it;
// with a nil Tracer, which makes no spans, not even that.
func Do[T any](ctx context.Context, t *Tracer, s retry.Source, fn func(context.Context) (T, error)) (T, error) {
	if t != nil && trace.SpanFromContext(ctx).IsRecording() {
		return spanned(ctx, t, s, fn)
	}
	return retry.Do(ctx, s, fn)
}

// spanned is apart from Do, so that a call without spans does not pay for its frame.
//
//go:noinline
func spanned[T any](ctx context.Context, t *Tracer, s retry.Source, fn func(context.Context) (T, error)) (T, error) {
	if fn == nil {
		return retry.Do(ctx, s, fn)
	}
	c := t.draw(ctx, s)
	return retry.Do(c.below, &c.policy, func(ctx context.Context) (T, error) { return fn(c.attempt(ctx)) })
}

// Run is [Do] for a function without a value.
func Run(ctx context.Context, t *Tracer, s retry.Source, fn func(context.Context) error) error {
	if fn == nil || t == nil || !trace.SpanFromContext(ctx).IsRecording() {
		return retry.Run(ctx, s, fn)
	}
	c := t.draw(ctx, s)
	return retry.Run(c.below, &c.policy, func(ctx context.Context) error { return fn(c.attempt(ctx)) })
}

// Attempts is [retry.Attempts] with spans.
func Attempts(ctx context.Context, t *Tracer, s retry.Source, err *error) iter.Seq[context.Context] {
	if t == nil || !trace.SpanFromContext(ctx).IsRecording() {
		return retry.Attempts(ctx, s, err)
	}
	return func(yield func(context.Context) bool) {
		c := t.draw(ctx, s)
		for ctx := range retry.Attempts(c.below, &c.policy, err) {
			if !yield(c.attempt(ctx)) {
				return
			}
		}
	}
}

// A drawn call is one that Do makes. It stands between the call and the policy's own observer.
type drawn struct {
	call
	policy   retry.Policy
	original *retry.Policy
	next     retry.Observer // of original
	meter    retry.Meter    // next, if it is one
	attempts int
}

var _ retry.Meter = (*drawn)(nil)

// draw begins a call below a span that is recording.
func (t *Tracer) draw(ctx context.Context, s retry.Source) *drawn {
	p := (*retry.Policy)(nil)
	if s != nil {
		p = s.Current()
	}
	p = p.Current()
	c := &drawn{call: call{t: t, outer: ctx, below: ctx, began: time.Now()}, policy: *p, original: p, next: p.Observer}
	c.meter, _ = p.Observer.(retry.Meter)
	c.policy.Observer = c
	if t.AlwaysSpan {
		c.open(p, c.began)
	}
	return c
}

// attempt returns the context of the next attempt.
func (c *drawn) attempt(ctx context.Context) context.Context {
	if c.attempts++; c.attempts == 1 && !c.t.AlwaysSpan {
		return ctx // which has no span before it has failed
	}
	return c.begin(ctx, c.attempts)
}

// Begin implements [retry.Meter].
func (c *drawn) Begin() retry.Interest {
	interest := retry.Count
	switch {
	case c.meter != nil:
		interest = c.meter.Begin()
	case c.next != nil:
		interest = retry.Tell
	}
	if c.t.AlwaysSpan {
		return retry.Tell
	}
	return interest
}

// Succeed implements [retry.Meter].
func (c *drawn) Succeed(took time.Duration) {
	if c.meter != nil {
		c.meter.Succeed(took)
	}
}

// Wake implements [retry.Meter].
func (c *drawn) Wake() {
	if c.meter != nil {
		c.meter.Wake()
	}
}

// drawnKey leads to the Tracer that has drawn what an observer is told. The context that holds it goes to observers only.
type drawnKey struct{}

// Observe implements [retry.Observer].
func (c *drawn) Observe(ctx context.Context, e retry.Event) {
	if c.t.AlwaysSpan || !e.Succeeded() || e.Attempts > 1 {
		c.event(ctx, e)
	}
	if c.next == nil {
		return
	}
	e.Policy = c.original
	c.next.Observe(context.WithValue(ctx, drawnKey{}, c.t), e)
}
