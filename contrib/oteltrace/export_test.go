package oteltrace

import "context"

// For tests.
const (
	ResendKey = resendKey
	ErrorKey  = errorKey
)

var ErrorTypeOf = errorType

func LinksOf(ctx context.Context) int { return len(linksOf(ctx)) }

// LastLink is the trace that the last link of ctx leads to.
func LastLink(ctx context.Context) string {
	links := linksOf(ctx)
	return links[len(links)-1].SpanContext.TraceID().String()
}

func (t *Tracer) UnderWay() int { return len(t.calls) }
