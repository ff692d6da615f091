package oteltrace

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// mostLinks is how many links a span gets from [WithLinks]. It is half of what the SDK keeps.
const mostLinks = 64

// Reference names the span in ctx: a traceparent of W3C Trace Context, 55 characters of ASCII, to be written down with work that
// goes on elsewhere. It is empty if there is no span.
func Reference(ctx context.Context) string {
	if ctx == nil {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// WithLinks returns a context whose calls are linked to the spans that references name. What is no reference is left out, and so is what
// is there already or comes after 64 others. A nil ctx counts as context.Background.
func WithLinks(ctx context.Context, references ...string) context.Context {
	if ctx == nil {
		ctx = context.Background()
	}
	links := slices.Clip(linksOf(ctx))
	before := len(links)
	for _, r := range references {
		carrier := propagation.MapCarrier{"traceparent": r}
		to := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
		if len(links) >= mostLinks || !to.IsValid() || slices.ContainsFunc(links, func(l trace.Link) bool { return l.SpanContext.Equal(to) }) {
			continue
		}
		links = append(links, trace.Link{SpanContext: to})
	}
	if len(links) == before {
		return ctx
	}
	return context.WithValue(ctx, linksKey{}, links)
}

type linksKey struct{}

func linksOf(ctx context.Context) []trace.Link {
	links, _ := ctx.Value(linksKey{}).([]trace.Link)
	return links
}
