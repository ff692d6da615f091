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
)

// A call is the spans of one call. It belongs to the goroutine that makes the call.
type call struct {
	t      *Tracer
	outer  context.Context // the caller's
	began  time.Time       // the zero time if only events tell
	tracer trace.Tracer
	parent trace.Span // nil before the first failure
	span   trace.Span // of the attempt under way, if it was begun before it ended
	name   string     // of the spans of attempts
}

// open begins the span of the call, unless it has begun.
func (c *call) open(p *retry.Policy, at time.Time) {
	if c.parent != nil {
		return
	}
	c.tracer = c.t.of(c.outer)
	c.name = name(p) + " attempt"
	options := make([]trace.SpanStartOption, 0, 4)
	options = append(options, internal, trace.WithTimestamp(at), trace.WithAttributes(policyKey.String(p.Name)))
	if links := linksOf(c.outer); len(links) > 0 {
		options = append(options, trace.WithLinks(links...))
	}
	_, c.parent = c.tracer.Start(c.outer, name(p), options...)
}

// begin begins the span of attempt n below ctx.
func (c *call) begin(ctx context.Context, n int, at trace.SpanStartEventOption) (context.Context, trace.Span) {
	ctx = trace.ContextWithSpan(ctx, c.parent)
	if c.t.HTTP && n == 1 {
		return c.tracer.Start(ctx, c.name, client, at)
	}
	return c.tracer.Start(ctx, c.name, client, at, trace.WithAttributes(c.number(n)))
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
	if !e.Told && e.State != retry.NotStarted {
		c.ended(e, began)
	}
	if e.Kind == retry.Retrying {
		source := "policy"
		if retry.Hint(e.Err) > 0 {
			source = "hint"
		}
		c.parent.AddEvent(backoffEvent, trace.WithTimestamp(e.At), trace.WithAttributes(
			attribute.Float64("delay_ms", float64(e.Wait)/float64(time.Millisecond)), attribute.String("source", source)))
		return
	}
	c.close(ctx, e)
}

// ended ends the span of the attempt that ended, which it begins if nobody did.
func (c *call) ended(e retry.Event, began time.Time) {
	span := c.span
	if c.span = nil; span == nil {
		if e.Attempts > 1 {
			began = e.At.Add(-e.Took)
		}
		_, span = c.begin(c.outer, e.Attempts, trace.WithTimestamp(began))
		if c.began.IsZero() && e.Partial && e.Attempts == 1 {
			span.SetAttributes(untimedKey.Bool(true))
		}
	}
	switch e.State {
	case retry.Succeeded:
	case retry.Panicked: // Err and Class are those of the attempt before
		span.SetAttributes(errorKey.String("panic"))
		span.SetStatus(codes.Error, retry.ErrPanicked.Error())
	default:
		span.SetAttributes(errorKey.String(errorType(e.Err)), classKey.String(e.Class.String()))
		span.SetStatus(codes.Error, c.t.text(e.Err))
	}
	span.End(trace.WithTimestamp(e.At))
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
	c.parent.End(trace.WithTimestamp(e.At))
}

// refused says that a part, or the time, and not the error, was why there was no further attempt.
func refused(r control.Reason) bool {
	return r != control.NoReason && r != control.ByClass && r != control.ByUnknown
}
