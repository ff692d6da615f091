package oteltrace

import "context"

// For tests.
const (
	ResendKey = resendKey
	ErrorKey  = errorKey
)

var ErrorTypeOf = errorType

func LinksOf(ctx context.Context) int { return len(linksOf(ctx)) }

func (t *Tracer) UnderWay() int { return len(t.calls) }
