package oteltrace

import (
	"cmp"
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/relent-go/relent/observe"
	"github.com/relent-go/relent/retry"
)

// scope names the instrumentation.
const scope = "github.com/relent-go/relent/contrib/oteltrace"

// A Tracer makes spans of calls: see the package comment. The zero value is ready. [Do], [Run] and
// [Attempts] take a nil Tracer for one that is switched off. It is safe for concurrent use and must not be copied after first use.
type Tracer struct {
	Provider   trace.TracerProvider // of the spans; nil means that of the incoming span
	AlwaysSpan bool                 // calls that succeed at once have spans, too
	HTTP       bool                 // attempts are HTTP requests, and are counted by http.request.resend_count
	Timed      bool                 // as an observer, has the time of each call taken, so that first attempts have their true length; two readings of the clock
	Redact     func(error) string   // the text of an error for status descriptions; nil means observe.Redact

	once   sync.Once
	tracer trace.Tracer // of Provider, if there is one

	mu    sync.Mutex
	calls map[uint64]*call // those under way that have failed once, of which only events tell; guarded by mu
}

var _ retry.Meter = (*Tracer)(nil)

// Begin implements [retry.Meter].
func (t *Tracer) Begin() retry.Interest {
	switch {
	case t.AlwaysSpan:
		return retry.Tell
	case t.Timed:
		return retry.Time
	}
	return retry.Count
}

// Succeed implements [retry.Meter].
func (t *Tracer) Succeed(time.Duration) {}

// Wake implements [retry.Meter].
func (t *Tracer) Wake() {}

// SkipsFirstTry says to package control that events of calls that succeed at once are of no use.
func (t *Tracer) SkipsFirstTry() bool { return !t.AlwaysSpan }

// Observe implements [retry.Observer].
func (t *Tracer) Observe(ctx context.Context, e retry.Event) {
	if ctx.Value(drawnKey{}) == t {
		return // Do draws this call
	}
	if c := t.find(ctx, e); c != nil {
		c.event(ctx, e)
	}
}

// find returns the call that e is about; nil if it shall have no spans.
func (t *Tracer) find(ctx context.Context, e retry.Event) *call {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.calls[e.Call]
	switch {
	case c != nil && e.Kind == retry.Finished:
		delete(t.calls, e.Call)
		return c
	case c != nil:
		return c
	case e.Succeeded() && !t.AlwaysSpan, !trace.SpanFromContext(ctx).IsRecording():
		return nil
	}
	c = &call{t: t, outer: ctx}
	if e.Kind == retry.Retrying {
		if t.calls == nil {
			t.calls = make(map[uint64]*call)
		}
		t.calls[e.Call] = c
	}
	return c
}

// of returns the tracer for spans below ctx.
func (t *Tracer) of(ctx context.Context) trace.Tracer {
	if t.Provider == nil {
		return trace.SpanFromContext(ctx).TracerProvider().Tracer(scope)
	}
	t.once.Do(func() { t.tracer = t.Provider.Tracer(scope) })
	return t.tracer
}

// text describes an error.
func (t *Tracer) text(err error) string {
	if err == nil {
		return ""
	}
	if t.Redact != nil {
		return t.Redact(err)
	}
	return observe.Redact(err)
}

// name is what the span of a call is called.
func name(p *retry.Policy) string { return cmp.Or(p.Name, "retry") }
