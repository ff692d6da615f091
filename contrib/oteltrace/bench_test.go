package oteltrace_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/relent-go/relent/contrib/oteltrace"
	"github.com/relent-go/relent/retry"
)

var succeed = func(context.Context) (int, error) { return 1, nil }

// BenchmarkOff is what tracing adds to a call where no span is recording: Do, with a nil Tracer and another, to retry.Do, and the Tracer as an observer to an observer
// that does nothing.
func BenchmarkOff(b *testing.B) {
	p := hasty()
	t := &oteltrace.Tracer{}
	observed, metered := *p, *p
	observed.Observer, metered.Observer = t, bare{}
	ctx := b.Context()
	b.Run("Do, nil Tracer", func(b *testing.B) {
		sideBySide(b, func() { _, _ = retry.Do(ctx, p, succeed) }, func() { _, _ = oteltrace.Do(ctx, nil, p, succeed) })
	})
	b.Run("Do", func(b *testing.B) {
		sideBySide(b, func() { _, _ = retry.Do(ctx, p, succeed) }, func() { _, _ = oteltrace.Do(ctx, t, p, succeed) })
	})
	b.Run("observer", func(b *testing.B) {
		sideBySide(b, func() { _, _ = retry.Do(ctx, &metered, succeed) }, func() { _, _ = retry.Do(ctx, &observed, succeed) })
	})
}

// sideBySide runs two ways in short turns, so that whatever else the machine does is shared by both, and reports the quickest turn
// of each.
func sideBySide(b *testing.B, plain, ours func()) {
	const turn = 100
	least := [2]time.Duration{math.MaxInt64, math.MaxInt64}
	for b.Loop() {
		for i, way := range [2]func(){plain, ours} {
			began := time.Now()
			for range turn {
				way()
			}
			least[i] = min(least[i], time.Since(began))
		}
	}
	was, is := float64(least[0])/turn, float64(least[1])/turn
	b.ReportMetric(0, "ns/op") // of both
	b.ReportMetric(was, "ns-plain")
	b.ReportMetric(is, "ns-ours")
	b.ReportMetric(is/was, "ratio")
}

// bare is a meter that does nothing.
type bare struct{}

func (bare) Begin() retry.Interest                { return retry.Count }
func (bare) Succeed(time.Duration)                {}
func (bare) Wake()                                {}
func (bare) Observe(context.Context, retry.Event) {}

// BenchmarkOn is what a sampled call costs, by how many attempts it needs: beside the same spans, attributes and events written by
// hand around the same call.
func BenchmarkOn(b *testing.B) {
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(discard{}))
	defer func() { _ = provider.Shutdown(context.Background()) }()
	tracer := provider.Tracer("bench")
	ctx, _ := tracer.Start(b.Context(), "incoming")
	p := hasty()
	for attempts := 1; attempts <= 3; attempts++ {
		failing := func(n *int) error {
			if *n++; *n < attempts {
				return errBusyMarked
			}
			return nil
		}
		for _, always := range []bool{false, true} {
			t := &oteltrace.Tracer{Provider: provider, AlwaysSpan: always}
			b.Run(fmt.Sprintf("attempts=%d/always=%v", attempts, always), func(b *testing.B) {
				sideBySide(b, func() {
					n := 0
					byHand(ctx, tracer, p, &n, failing)
				}, func() {
					n := 0
					_, _ = oteltrace.Do(ctx, t, p, func(context.Context) (int, error) { return 0, failing(&n) })
				})
			})
		}
	}
}

var errBusyMarked = busy()

// discard exports nowhere.
type discard struct{}

func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                             { return nil }

// byHand is how a program makes these spans without the package.
func byHand(ctx context.Context, tracer trace.Tracer, p *retry.Policy, n *int, failing func(*int) error) {
	ctx, call := tracer.Start(ctx, p.Name, trace.WithSpanKind(trace.SpanKindInternal), trace.WithAttributes(attribute.String("relent.policy", p.Name)))
	defer call.End()
	_, err := retry.Do(ctx, p, func(ctx context.Context) (int, error) {
		_, attempt := tracer.Start(ctx, p.Name+" attempt", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.Int("relent.attempt", *n+1)))
		defer attempt.End()
		err := failing(n)
		if err != nil {
			attempt.SetAttributes(attribute.String("error.type", fmt.Sprintf("%T", err)), attribute.String("relent.class", retry.DefaultClassify(err).String()))
			attempt.SetStatus(codes.Error, err.Error())
			call.AddEvent("relent.backoff", trace.WithAttributes(attribute.Float64("delay_ms", 0), attribute.String("source", "policy")))
		}
		return 0, err
	})
	outcome := "success_first_try"
	switch {
	case err != nil:
		outcome = "exhausted"
		call.SetStatus(codes.Error, err.Error())
	case *n > 1:
		outcome = "success_after_retry"
	}
	call.SetAttributes(attribute.String("relent.outcome", outcome), attribute.Int("relent.attempts", *n))
}

func TestOffAllocatesNothing(t *testing.T) {
	p, ctx := hasty(), t.Context()
	tracer := &oteltrace.Tracer{}
	observed := *p
	observed.Observer = tracer
	n := testing.AllocsPerRun(100, func() {
		_, _ = oteltrace.Do(ctx, tracer, p, succeed)
		_, _ = retry.Do(ctx, &observed, succeed)
	})
	if n != 0 {
		t.Errorf("%v allocations where nothing is recorded; want none", n)
	}
}
