package oteltrace_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/contrib/oteltrace"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

var errBusy = errors.New("busy")

func busy() error { return retry.Mark(errBusy, retry.Transient) }

// A recorder keeps the spans that ended.
type recorder struct {
	*tracetest.InMemoryExporter
	provider *sdktrace.TracerProvider
}

func record() *recorder {
	r := &recorder{InMemoryExporter: tracetest.NewInMemoryExporter()}
	r.provider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(r.InMemoryExporter))
	return r
}

// incoming begins a recording span.
func (r *recorder) incoming(ctx context.Context) (context.Context, trace.Span) {
	return r.provider.Tracer("test").Start(ctx, "incoming")
}

// drawing shows the spans below the incoming one as lines, sorted by when they began.
func (r *recorder) drawing(began time.Time) string {
	spans := r.GetSpans()
	slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	children := map[trace.SpanID][]tracetest.SpanStub{}
	for _, s := range spans {
		children[s.Parent.SpanID()] = append(children[s.Parent.SpanID()], s)
	}
	var b strings.Builder
	var draw func(trace.SpanID, string)
	draw = func(id trace.SpanID, indent string) {
		for _, s := range children[id] {
			fmt.Fprintf(&b, "%s%s %v %v-%v %v", indent, s.Name, s.SpanKind, s.StartTime.Sub(began), s.EndTime.Sub(began), s.Status.Code)
			if s.Status.Description != "" {
				fmt.Fprintf(&b, " %q", s.Status.Description)
			}
			b.WriteString(attributes(s.Attributes) + "\n")
			for _, e := range s.Events {
				fmt.Fprintf(&b, "%s  * %s %v%s\n", indent, e.Name, e.Time.Sub(began), attributes(e.Attributes))
			}
			draw(s.SpanContext.SpanID(), indent+"  ")
		}
	}
	for _, s := range spans {
		if s.Name == "incoming" {
			draw(s.SpanContext.SpanID(), "")
		}
	}
	return b.String()
}

func attributes(all []attribute.KeyValue) string {
	var b strings.Builder
	for _, a := range all {
		fmt.Fprintf(&b, " %s=%s", a.Key, a.Value.Emit())
	}
	return b.String()
}

// refuser is a gate that refuses from attempt n on.
type refuser int

func (n refuser) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Number >= int(n) {
		return retry.Mark(errors.New("no more"), retry.Transient)
	}
	return nil
}
func (refuser) Settle(*retry.Attempt, *retry.Outcome) {}

// script is a function whose attempts take 10 ms each and end with the errors in turn, the last of which repeats. Without
// errors it panics.
func script(errs ...error) func(context.Context) error {
	n := 0
	return func(ctx context.Context) error {
		if len(errs) == 0 {
			panic("boom")
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		err := errs[min(n, len(errs)-1)]
		n++
		return err
	}
}

func policy() *retry.Policy {
	return &retry.Policy{Name: "venue.quote", Backoff: backoff.Constant{Wait: 100 * time.Millisecond, Jitter: backoff.None}}
}

var shapes = []struct {
	name   string
	tracer *oteltrace.Tracer
	policy func(*retry.Policy)
	fn     []error // of the attempts in turn; nil panics
	before func(context.Context) (context.Context, context.CancelFunc)
	want   string
}{
	{name: "success at once", fn: []error{nil}},
	{name: "success after retries", fn: []error{busy(), busy(), nil}, want: `
venue.quote internal 0s-230ms Unset relent.policy=venue.quote relent.outcome=success_after_retry relent.attempts=3
  * relent.backoff 10ms delay_ms=100 source=policy
  * relent.backoff 120ms delay_ms=100 source=policy
  venue.quote attempt client 0s-10ms Error "busy" relent.attempt=1 error.type=*errors.errorString relent.class=transient
  venue.quote attempt client 110ms-120ms Error "busy" relent.attempt=2 error.type=*errors.errorString relent.class=transient
  venue.quote attempt client 220ms-230ms Unset relent.attempt=3
`},
	{name: "HTTP", tracer: &oteltrace.Tracer{HTTP: true}, fn: []error{retry.Mark(&retryhttp.StatusError{Code: 503}, retry.Transient), nil}, want: `
venue.quote internal 0s-120ms Unset relent.policy=venue.quote relent.outcome=success_after_retry relent.attempts=2
  * relent.backoff 10ms delay_ms=100 source=policy
  venue.quote attempt client 0s-10ms Error "http 503" error.type=503 relent.class=transient
  venue.quote attempt client 110ms-120ms Unset http.request.resend_count=1
`},
	{name: "not retryable", fn: []error{errBusy}, want: `
venue.quote internal 0s-10ms Error "outcome unknown, and not repeated because the policy does not say Idempotent: true" relent.policy=venue.quote relent.outcome=unknown_outcome relent.attempts=1
  venue.quote attempt client 0s-10ms Error "busy" relent.attempt=1 error.type=*errors.errorString relent.class=ambiguous
`},
	{name: "the other side's hint", policy: func(p *retry.Policy) { p.MaxAttempts = 2 }, fn: []error{retry.After(errBusy, time.Second)}, want: `
venue.quote internal 0s-1.12s Error "attempts exhausted" relent.policy=venue.quote relent.outcome=exhausted relent.attempts=2
  * relent.backoff 10ms delay_ms=1100 source=hint
  venue.quote attempt client 0s-10ms Error "busy" relent.attempt=1 error.type=*errors.errorString relent.class=throttled
  venue.quote attempt client 1.11s-1.12s Error "busy" relent.attempt=2 error.type=*errors.errorString relent.class=throttled
`},
	{name: "refused before the first attempt", policy: func(p *retry.Policy) { p.Gates = []retry.Gate{refuser(1)} }, fn: []error{nil}, want: `
venue.quote internal 0s-0s Error "no more" relent.policy=venue.quote relent.outcome=budget_denied relent.attempts=0
  * relent.refused 0s reason=limit
`},
	{name: "refused retry", policy: func(p *retry.Policy) { p.Gates = []retry.Gate{refuser(3)} }, fn: []error{busy()}, want: `
venue.quote internal 0s-120ms Error "no more" relent.policy=venue.quote relent.outcome=budget_denied relent.attempts=2
  * relent.backoff 10ms delay_ms=100 source=policy
  * relent.refused 120ms reason=limit
  venue.quote attempt client 0s-10ms Error "busy" relent.attempt=1 error.type=*errors.errorString relent.class=transient
  venue.quote attempt client 110ms-120ms Error "busy" relent.attempt=2 error.type=*errors.errorString relent.class=transient
`},
	{name: "cancelled while it waits", fn: []error{busy()}, before: func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(50*time.Millisecond, cancel)
		return ctx, cancel
	}, want: `
venue.quote internal 0s-50ms Error "context canceled" relent.policy=venue.quote relent.outcome=cancelled relent.attempts=1
  * relent.backoff 10ms delay_ms=100 source=policy
  venue.quote attempt client 0s-10ms Error "busy" relent.attempt=1 error.type=*errors.errorString relent.class=transient
`},
	{name: "attempt timeout", policy: func(p *retry.Policy) { p.AttemptTimeout, p.MaxAttempts = 5*time.Millisecond, 1 }, fn: []error{nil}, want: `
venue.quote internal 0s-5ms Error "outcome unknown, and not repeated because the policy does not say Idempotent: true" relent.policy=venue.quote relent.outcome=unknown_outcome relent.attempts=1
  venue.quote attempt client 0s-5ms Error "attempt timed out" relent.attempt=1 error.type=timeout relent.class=ambiguous
`},
	{name: "panic", fn: nil, want: `
venue.quote internal 0s-0s Error "the function panicked or ended its goroutine" relent.policy=venue.quote relent.outcome=unknown_outcome relent.attempts=1
  venue.quote attempt client 0s-0s Error "the function panicked or ended its goroutine" relent.attempt=1 error.type=panic
`},
	{name: "no name, redacted", tracer: &oteltrace.Tracer{Redact: func(error) string { return "?" }}, policy: func(p *retry.Policy) { p.Name, p.MaxAttempts = "", -1 }, fn: []error{busy()}, want: `
retry internal 0s-10ms Error "?" relent.policy= relent.outcome=exhausted relent.attempts=1
  retry attempt client 0s-10ms Error "?" relent.attempt=1 error.type=*errors.errorString relent.class=transient
`},
	{name: "always", tracer: &oteltrace.Tracer{AlwaysSpan: true}, fn: []error{nil}, want: `
venue.quote internal 0s-10ms Unset relent.policy=venue.quote relent.outcome=success_first_try relent.attempts=1
  venue.quote attempt client 0s-10ms Unset relent.attempt=1
`},
	{name: "always, with a retry", tracer: &oteltrace.Tracer{AlwaysSpan: true}, fn: []error{busy(), nil}, want: `
venue.quote internal 0s-120ms Unset relent.policy=venue.quote relent.outcome=success_after_retry relent.attempts=2
  * relent.backoff 10ms delay_ms=100 source=policy
  venue.quote attempt client 0s-10ms Error "busy" relent.attempt=1 error.type=*errors.errorString relent.class=transient
  venue.quote attempt client 110ms-120ms Unset relent.attempt=2
`},
}

// run makes one call, whose panic stays here, and returns what it drew.
func run(t *testing.T, before func(context.Context) (context.Context, context.CancelFunc), call func(context.Context)) string {
	t.Helper()
	r := record()
	began := time.Now()
	ctx, span := r.incoming(t.Context())
	if before != nil {
		var cancel context.CancelFunc
		ctx, cancel = before(ctx)
		defer cancel()
	}
	func() {
		defer func() { _ = recover() }()
		call(ctx)
	}()
	span.End()
	return r.drawing(began)
}

func TestSpans(t *testing.T) {
	for _, test := range shapes {
		for _, way := range []string{"do", "run", "attempts", "observer", "both"} {
			t.Run(way+"/"+test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := policy()
					if test.policy != nil {
						test.policy(p)
					}
					tracer := &oteltrace.Tracer{}
					if x := test.tracer; x != nil {
						tracer = &oteltrace.Tracer{HTTP: x.HTTP, AlwaysSpan: x.AlwaysSpan, Redact: x.Redact}
					}
					fn := script(test.fn...)
					if way == "observer" || way == "both" {
						tracer.Timed = true
						p.Observer = tracer
						if way == "both" {
							p.Observer = retry.Observers{tracer}
						}
					}
					got := run(t, test.before, func(ctx context.Context) {
						switch way {
						case "do", "both":
							_, _ = oteltrace.Do(ctx, tracer, p, func(ctx context.Context) (int, error) { return 0, fn(ctx) })
						case "run":
							_ = oteltrace.Run(ctx, tracer, p, fn)
						case "attempts":
							var err error
							for ctx := range oteltrace.Attempts(ctx, tracer, p, &err) {
								err = fn(ctx)
							}
						case "observer":
							_ = retry.Run(ctx, p, fn)
						}
					})
					if want := strings.TrimPrefix(test.want, "\n"); got != want {
						t.Errorf("got:\n%s\nwant:\n%s", got, want)
					}
				})
			})
		}
	}
}
