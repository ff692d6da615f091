package oteltrace

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/retry"
)

// Options that all spans share, made once.
var (
	internal = trace.WithSpanKind(trace.SpanKindInternal)
	client   = trace.WithSpanKind(trace.SpanKindClient)
	tries    = numbers(attemptKey, 0)
	resends  = numbers(resendKey, -1)
)

// numbers are the attributes that count the usual attempts.
func numbers(key attribute.Key, add int) (all [8]trace.SpanStartOption) {
	for i := range all {
		all[i] = trace.WithAttributes(key.Int(i + add))
	}
	return all
}

// A call is the spans of one call. It belongs to the goroutine that makes the call.
type call struct {
	t      *Tracer
	outer  context.Context // the caller's
	began  time.Time       // the zero time if only events tell
	tracer trace.Tracer
	parent trace.Span      // nil before the first failure
	below  context.Context // outer with parent
	span   trace.Span      // of the attempt under way, if it was begun before it ended
	name   string          // of the spans of attempts
}

// open begins the span of the call, unless it has begun.
func (c *call) open(p *retry.Policy, began time.Time) {
	if c.parent != nil {
		return
	}
	c.tracer = c.t.of(c.outer)
	c.name = name(p) + " attempt"
	options := append(make([]trace.SpanStartOption, 0, 4), internal, trace.WithTimestamp(began), trace.WithAttributes(policyKey.String(p.Name)))
	if links := linksOf(c.outer); len(links) > 0 {
		options = append(options, trace.WithLinks(links...))
	}
	c.below, c.parent = c.tracer.Start(c.outer, name(p), options...)
}

// begin begins the span of attempt n, which starts now and runs in the context returned.
func (c *call) begin(ctx context.Context, n int) context.Context {
	if !c.t.AlwaysSpan { // else the call was made below it
		ctx = trace.ContextWithSpan(ctx, c.parent)
	}
	switch {
	case c.t.HTTP && n == 1:
		ctx, c.span = c.tracer.Start(ctx, c.name, client)
	case n >= len(tries):
		ctx, c.span = c.tracer.Start(ctx, c.name, client, trace.WithAttributes(c.number(n)))
	case c.t.HTTP:
		ctx, c.span = c.tracer.Start(ctx, c.name, client, resends[n])
	default:
		ctx, c.span = c.tracer.Start(ctx, c.name, client, tries[n])
	}
	return ctx
}

// number is the attribute that counts attempts.
func (c *call) number(n int) attribute.KeyValue {
	if c.t.HTTP {
		return resendKey.Int(n - 1)
	}
	return attemptKey.Int(n)
}

// event draws what an event tells.
func (c *call) event(ctx context.Context, e retry.Event) {
	began := c.began
	if began.IsZero() {
		began = e.At.Add(-e.Elapsed)
	}
	c.open(e.Policy, began)
	at := trace.WithTimestamp(e.At) // the gates may have waited since
	if !e.Told && e.State != retry.NotStarted {
		c.ended(&e, began, at)
	}
	if e.Kind == retry.Finished {
		c.close(ctx, e)
		return
	}
	source := "policy"
	if retry.Hint(e.Err) > 0 {
		source = "hint"
	}
	c.parent.AddEvent(backoffEvent, at, trace.WithAttributes(
		attribute.Float64("delay_ms", float64(e.Wait)/float64(time.Millisecond)), attribute.String("source", source)))
}

// ended ends the span of the attempt that ended, which it begins if nobody did.
func (c *call) ended(e *retry.Event, began time.Time, at trace.SpanEventOption) {
	span := c.span
	c.span = nil
	if span == nil {
		if e.Attempts > 1 {
			began = e.At.Add(-e.Took)
		}
		_, span = c.tracer.Start(c.below, c.name, client, trace.WithTimestamp(began), trace.WithAttributes(c.facts(e)...))
	} else if e.State != retry.Succeeded {
		span.SetAttributes(failure(make([]attribute.KeyValue, 0, 2), e)...)
	}
	switch e.State {
	case retry.Succeeded:
	case retry.Panicked:
		span.SetStatus(codes.Error, retry.ErrPanicked.Error())
	default:
		span.SetStatus(codes.Error, c.t.text(e.Err))
	}
	span.End(at)
}

// facts are the attributes of an attempt that has ended.
func (c *call) facts(e *retry.Event) []attribute.KeyValue {
	all := make([]attribute.KeyValue, 0, 4)
	if e.Attempts > 1 || !c.t.HTTP {
		all = append(all, c.number(e.Attempts))
	}
	if c.began.IsZero() && e.Partial && e.Attempts == 1 {
		all = append(all, untimedKey.Bool(true))
	}
	return failure(all, e)
}

// failure appends how an attempt failed, if it did.
func failure(all []attribute.KeyValue, e *retry.Event) []attribute.KeyValue {
	switch e.State {
	case retry.Succeeded:
		return all
	case retry.Panicked: // Err and Class are those of the attempt before
		return append(all, errorKey.String("panic"))
	}
	return append(all, errorKey.String(errorType(e.Err)), classKey.String(e.Class.String()))
}

// close ends the span of the call.
func (c *call) close(ctx context.Context, e retry.Event) {
	attempts := e.Attempts
	e.Attempts = max(1, attempts) // so that a refused first attempt has its reason, too
	outcome, reason := control.Explain(ctx, e)
	c.parent.SetAttributes(outcomeKey.String(outcome.String()), attemptsKey.Int(attempts))
	if refused(reason) {
		c.parent.AddEvent(refusedEvent, trace.WithTimestamp(e.At), trace.WithAttributes(attribute.String("reason", reason.String())))
	}
	if !e.Succeeded() {
		c.parent.SetStatus(codes.Error, c.t.text(e.Reason))
	}
	c.parent.End()
}

// refused says that a part, or the time, and not the error, was why there was no further attempt.
func refused(r control.Reason) bool {
	return r != control.NoReason && r != control.ByClass && r != control.ByUnknown
}
