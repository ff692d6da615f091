package oteltrace_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/contrib/oteltrace"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// A retryhttp client is served by the Tracer as an observer.
func TestHTTPClient(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests++; requests < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	r := record()
	ctx, span := r.incoming(t.Context())
	client := retryhttp.Client(&retry.Policy{Name: "venue.book", Backoff: backoff.Constant{}, Observer: &oteltrace.Tracer{HTTP: true, Timed: true}})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"?signature=secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	span.End()
	var got []string
	spans := r.GetSpans()
	slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	for _, s := range spans {
		if s.Name == "venue.book attempt" {
			got = append(got, s.Status.Code.String()+attributes(s.Attributes))
		}
	}
	want := []string{
		"Error error.type=503 relent.class=transient",
		"Error http.request.resend_count=1 error.type=503 relent.class=transient",
		"Unset http.request.resend_count=2",
	}
	if !slices.Equal(got, want) {
		t.Errorf("attempts are %q; want %q", got, want)
	}
}
