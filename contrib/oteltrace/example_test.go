package oteltrace_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/contrib/oteltrace"
	"github.com/relent-go/relent/retry"
)

func Example() {
	// In a program, an OTLP exporter stands here.
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	ctx, span := provider.Tracer("example").Start(context.Background(), "GET /book")

	fetchBook := &retry.Policy{Name: "venue.book", Backoff: backoff.Constant{}}
	t := &oteltrace.Tracer{}
	tries := 0
	book, err := oteltrace.Do(ctx, t, fetchBook, func(context.Context) (string, error) {
		if tries++; tries == 1 {
			return "", retry.Mark(errors.New("connection refused"), retry.Transient)
		}
		return "bids and asks", nil
	})
	span.End()

	fmt.Println(book, err)
	spans := exporter.GetSpans()
	slices.Reverse(spans) // parents end last
	for _, s := range spans {
		fmt.Printf("%s: %v\n", s.Name, s.Status.Code)
	}
	// Output:
	// bids and asks <nil>
	// GET /book: Unset
	// venue.book: Unset
	// venue.book attempt: Unset
	// venue.book attempt: Error
}

// An order whose process restarts goes on in another trace, which links back.
func ExampleWithLinks() {
	provider := sdktrace.NewTracerProvider()
	ctx, span := provider.Tracer("example").Start(context.Background(), "place order")
	journal := oteltrace.Reference(ctx) // written down with the order
	span.End()

	ctx, span = provider.Tracer("example").Start(context.Background(), "recover orders")
	defer span.End()
	ctx = oteltrace.WithLinks(ctx, journal)
	err := oteltrace.Run(ctx, &oteltrace.Tracer{}, &retry.Policy{Name: "venue.query_order"}, func(context.Context) error { return nil })
	fmt.Println(len(journal), err)
	// Output: 55 <nil>
}
