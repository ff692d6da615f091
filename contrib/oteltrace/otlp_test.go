package oteltrace_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlpmetrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	otlptrace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/contrib/oteltrace"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// A receiver is an OTLP receiver on loopback that keeps what arrives.
type receiver struct {
	collectortrace.UnimplementedTraceServiceServer
	addr string

	mu      sync.Mutex
	spans   []*otlptrace.Span
	metrics []*otlpmetrics.Metric
}

func (r *receiver) Export(_ context.Context, in *collectortrace.ExportTraceServiceRequest) (*collectortrace.ExportTraceServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range in.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			r.spans = append(r.spans, scope.GetSpans()...)
		}
	}
	return &collectortrace.ExportTraceServiceResponse{}, nil
}

// meters is the receiver of metrics, whose method has the same name.
type meters struct {
	collectormetrics.UnimplementedMetricsServiceServer
	*receiver
}

func (r meters) Export(_ context.Context, in *collectormetrics.ExportMetricsServiceRequest) (*collectormetrics.ExportMetricsServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range in.GetResourceMetrics() {
		for _, scope := range resource.GetScopeMetrics() {
			r.metrics = append(r.metrics, scope.GetMetrics()...)
		}
	}
	return &collectormetrics.ExportMetricsServiceResponse{}, nil
}

func receive(t *testing.T) *receiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{addr: l.Addr().String()}
	s := grpc.NewServer()
	collectortrace.RegisterTraceServiceServer(s, r)
	collectormetrics.RegisterMetricsServiceServer(s, meters{receiver: r})
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		<-done
	})
	return r
}

// provider exports to r. Shutdown returns when what ended before has arrived, or was lost: see the trap in the spec.
func (r *receiver) provider(t *testing.T) *sdktrace.TracerProvider {
	t.Helper()
	exporter, err := otlptracegrpc.New(t.Context(), otlptracegrpc.WithEndpoint(r.addr), otlptracegrpc.WithInsecure())
	if err != nil {
		t.Fatal(err)
	}
	return sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
}

func pairs(all []*common.KeyValue) map[string]any {
	m := map[string]any{}
	for _, a := range all {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			m[a.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			m[a.GetKey()] = v.IntValue
		case *common.AnyValue_DoubleValue:
			m[a.GetKey()] = v.DoubleValue
		case *common.AnyValue_BoolValue:
			m[a.GetKey()] = v.BoolValue
		}
	}
	return m
}

// What arrives at a collector, of a call that a server answers on the third attempt. The server is another process as far as
// tracing goes: it has a provider of its own, and what it knows came with the request.
func TestSpansArrive(t *testing.T) {
	r := receive(t)
	callers, servers := r.provider(t), r.provider(t)
	var propagator propagation.TraceContext
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		requests++
		ctx := propagator.Extract(req.Context(), propagation.HeaderCarrier(req.Header))
		_, span := servers.Tracer("server").Start(ctx, fmt.Sprint("serve ", requests))
		defer span.End()
		if requests < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()

	tracer := &oteltrace.Tracer{HTTP: true, Provider: callers}
	p := &retry.Policy{Name: "venue.quote", Idempotent: true, Backoff: backoff.Constant{Wait: time.Millisecond, Jitter: backoff.None}}
	restarted, earlier := callers.Tracer("caller").Start(t.Context(), "before the restart")
	reference := oteltrace.Reference(restarted)
	earlier.End()
	ctx, incoming := callers.Tracer("caller").Start(t.Context(), "incoming")
	one := &retryhttp.Transport{Policy: &retry.Policy{MaxAttempts: 1}, Classify: func(*http.Request, *http.Response) (retry.Class, bool) { return 0, false }}
	err := oteltrace.Run(oteltrace.WithLinks(ctx, reference), tracer, p, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
		if err != nil {
			return err
		}
		propagator.Inject(ctx, propagation.HeaderCarrier(req.Header))
		resp, err := one.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if e := retryhttp.Reason(resp); e != nil {
			return e
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	incoming.End()
	for _, p := range []*sdktrace.TracerProvider{callers, servers} {
		if err := p.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	by := map[string][]*otlptrace.Span{}
	for _, s := range r.spans {
		by[s.GetName()] = append(by[s.GetName()], s)
	}
	if len(r.spans) != 9 || len(by["venue.quote"]) != 1 || len(by["venue.quote attempt"]) != 3 {
		t.Fatalf("%d spans arrived, %v; want 1 call with 3 attempts, 3 of the server and 2 of the caller", len(r.spans), by)
	}
	call, attempts := by["venue.quote"][0], by["venue.quote attempt"]
	if parent := by["incoming"][0]; string(call.GetParentSpanId()) != string(parent.GetSpanId()) || string(call.GetTraceId()) != string(parent.GetTraceId()) {
		t.Error("the call is no child of the incoming span")
	}
	if call.GetKind() != otlptrace.Span_SPAN_KIND_INTERNAL || call.GetStatus().GetCode() != otlptrace.Status_STATUS_CODE_UNSET {
		t.Errorf("the call is %v, %v; want internal, unset", call.GetKind(), call.GetStatus())
	}
	if got, want := fmt.Sprint(pairs(call.GetAttributes())), "map[relent.attempts:3 relent.outcome:success_after_retry relent.policy:venue.quote]"; got != want {
		t.Errorf("the call has %s; want %s", got, want)
	}
	if links := call.GetLinks(); len(links) != 1 || hex.EncodeToString(links[0].GetSpanId()) != hex.EncodeToString(by["before the restart"][0].GetSpanId()) {
		t.Errorf("the call has the links %v; want one, to the span before the restart", links)
	}
	if events := call.GetEvents(); len(events) != 2 || events[0].GetName() != "relent.backoff" || fmt.Sprint(pairs(events[1].GetAttributes())) != "map[delay_ms:1 source:policy]" {
		t.Errorf("the call has the events %v; want two waits of 1 ms", events)
	}
	for i, a := range attempts {
		want := fmt.Sprint(map[int]string{
			0: "map[error.type:503 relent.class:transient]",
			1: "map[error.type:503 http.request.resend_count:1 relent.class:transient]",
			2: "map[http.request.resend_count:2]",
		}[i])
		status := map[bool]otlptrace.Status_StatusCode{true: otlptrace.Status_STATUS_CODE_ERROR, false: otlptrace.Status_STATUS_CODE_UNSET}[i < 2]
		if got := fmt.Sprint(pairs(a.GetAttributes())); got != want || a.GetStatus().GetCode() != status || a.GetKind() != otlptrace.Span_SPAN_KIND_CLIENT {
			t.Errorf("attempt %d is %v, %s, %v; want a client's, %s, %v", i+1, a.GetKind(), got, a.GetStatus().GetCode(), want, status)
		}
		if string(a.GetParentSpanId()) != string(call.GetSpanId()) || a.GetStartTimeUnixNano() < call.GetStartTimeUnixNano() || a.GetEndTimeUnixNano() > call.GetEndTimeUnixNano() {
			t.Errorf("attempt %d does not lie within the call", i+1)
		}
		served := by[fmt.Sprint("serve ", i+1)][0]
		parent := a
		if i == 0 { // whose span was made when it had failed
			parent = by["incoming"][0]
		}
		if string(served.GetParentSpanId()) != string(parent.GetSpanId()) || string(served.GetTraceId()) != string(call.GetTraceId()) {
			t.Errorf("the server's span of attempt %d is no child of %s", i+1, parent.GetName())
		}
	}
}

func TestMetricsArrive(t *testing.T) {
	r := receive(t)
	exporter, err := otlpmetricgrpc.New(t.Context(), otlpmetricgrpc.WithEndpoint(r.addr), otlpmetricgrpc.WithInsecure())
	if err != nil {
		t.Fatal(err)
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)))
	registry := &control.Registry{Instance: "test"}
	o, err := registry.AddOperation("", hasty())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oteltrace.Metrics(registry, provider.Meter("relent")); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		_ = retry.Run(t.Context(), o, func(context.Context) error { return nil })
	}
	_ = retry.Run(t.Context(), o, func(context.Context) error { return busy() })
	if err := provider.Shutdown(context.Background()); err != nil { // which collects and exports
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	got := map[string]int64{}
	for _, m := range r.metrics {
		for _, p := range m.GetSum().GetDataPoints() {
			got[fmt.Sprint(m.GetName(), pairs(p.GetAttributes()))] = p.GetAsInt()
		}
		for _, p := range m.GetGauge().GetDataPoints() {
			got[fmt.Sprint(m.GetName(), pairs(p.GetAttributes()))] = p.GetAsInt()
		}
	}
	for series, want := range map[string]int64{
		"relent.callsmap[outcome:success_first_try policy:venue.quote]":  5,
		"relent.callsmap[outcome:exhausted policy:venue.quote]":          1,
		"relent.callsmap[outcome:unknown_outcome policy:venue.quote]":    0,
		"relent.attemptsmap[policy:venue.quote]":                         8,
		"relent.attempt.failuresmap[class:transient policy:venue.quote]": 3,
		"relent.retries.suppressedmap[policy:venue.quote reason:budget]": 0,
		"relent.inflight.callsmap[policy:venue.quote]":                   0,
		"relent.emergency.stop.engagedmap[scope:global]":                 0,
	} {
		if n, ok := got[series]; !ok || n != want {
			t.Errorf("%s = %d, %v; want %d", series, n, ok, want)
		}
	}
}
