package oteltrace_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/contrib/oteltrace"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// hasty retries without a wait.
func hasty() *retry.Policy {
	return &retry.Policy{Name: "venue.quote", Backoff: backoff.Constant{}}
}

func TestAttemptsNest(t *testing.T) {
	for _, always := range []bool{false, true} {
		r := record()
		ctx, span := r.incoming(t.Context())
		var parents []trace.SpanID
		_ = oteltrace.Run(ctx, &oteltrace.Tracer{AlwaysSpan: always, Provider: r.provider}, hasty(), func(ctx context.Context) error {
			_, below := r.provider.Tracer("http").Start(ctx, fmt.Sprint("below ", len(parents)+1))
			below.End()
			parents = append(parents, trace.SpanFromContext(ctx).SpanContext().SpanID())
			return busy()
		})
		span.End()
		var attempts []trace.SpanID
		for _, s := range r.GetSpans() {
			if s.Name == "venue.quote attempt" {
				attempts = append(attempts, s.SpanContext.SpanID())
			}
		}
		if len(attempts) != 3 || len(parents) != 3 {
			t.Fatalf("always %v: %d spans of %d attempts; want 3 of 3", always, len(attempts), len(parents))
		}
		first := attempts[0]
		if !always { // the first attempt's span is made when it has failed
			first = span.SpanContext().SpanID()
		}
		if want := []trace.SpanID{first, attempts[1], attempts[2]}; fmt.Sprint(parents) != fmt.Sprint(want) {
			t.Errorf("always %v: attempts ran below %v; want %v", always, parents, want)
		}
	}
}

func TestUntimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := policy()
		p.Observer = &oteltrace.Tracer{}
		got := run(t, nil, func(ctx context.Context) { _ = retry.Run(ctx, p, script(busy(), nil)) })
		want := `venue.quote internal 10ms-120ms Unset relent.policy=venue.quote relent.outcome=success_after_retry relent.attempts=2
  * relent.backoff 10ms delay_ms=100 source=policy
  venue.quote attempt client 10ms-10ms Error "busy" relent.attempt=1 relent.untimed=true error.type=*errors.errorString relent.class=transient
  venue.quote attempt client 110ms-120ms Unset relent.attempt=2
`
		if got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	})
}

// A call nested in an attempt is its own, though both are told to one Tracer.
func TestNested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracer := &oteltrace.Tracer{}
		outer, inner := policy(), policy()
		outer.Name, outer.Observer = "outer", tracer
		inner.Name, inner.Observer, inner.MaxAttempts = "inner", tracer, 2
		got := run(t, nil, func(ctx context.Context) {
			outer.Nested = true
			_ = oteltrace.Run(ctx, tracer, outer, func(ctx context.Context) error {
				_ = retry.Run(ctx, inner, script(busy()))
				return nil
			})
		})
		want := `inner internal 10ms-120ms Error "attempts exhausted" relent.policy=inner relent.outcome=exhausted relent.attempts=2
  * relent.backoff 10ms delay_ms=100 source=policy
  inner attempt client 10ms-10ms Error "busy" relent.attempt=1 relent.untimed=true error.type=*errors.errorString relent.class=transient
  inner attempt client 110ms-120ms Error "busy" relent.attempt=2 error.type=*errors.errorString relent.class=transient
`
		if got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	})
}

// plain is an observer that is no meter.
type plain struct{ events []retry.Event }

func (p *plain) Observe(_ context.Context, e retry.Event) { p.events = append(p.events, e) }

func TestObserverOfPolicyIsTold(t *testing.T) {
	r := record()
	ctx, _ := r.incoming(t.Context())
	p := hasty()
	o, tracer := &plain{}, &oteltrace.Tracer{}
	p.Observer = o
	_ = oteltrace.Run(ctx, tracer, p, func(context.Context) error { return nil })
	_ = oteltrace.Run(ctx, tracer, p, func(context.Context) error { return busy() })
	if len(o.events) != 4 {
		t.Fatalf("the policy's observer was told %d events; want 1 of the first call and 3 of the second", len(o.events))
	}
	for _, e := range o.events {
		if e.Policy != p {
			t.Errorf("an event is of the policy %p; want the caller's, %p", e.Policy, p)
		}
	}
}

// What control counts is the same with spans and without.
func TestMeterOfPolicyCounts(t *testing.T) {
	for _, always := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			registry := &control.Registry{Instance: "test"}
			p := policy()
			tracer := &oteltrace.Tracer{AlwaysSpan: always}
			p.Observer = tracer
			o, err := registry.AddOperation("", p)
			if err != nil {
				t.Fatal(err)
			}
			r := record()
			ctx, _ := r.incoming(t.Context())
			for range 10 {
				_ = oteltrace.Run(ctx, tracer, o, script(nil))
			}
			_ = oteltrace.Run(ctx, tracer, o, script(busy(), nil))
			_ = retry.Run(ctx, o, script(busy(), nil))
			v := o.View()
			if v.Outcomes["success_first_try"] != 10 || v.Outcomes["success_after_retry"] != 2 || v.Attempts != 14 || v.InFlight != 0 || v.Waiting != 0 {
				t.Errorf("always %v: counted %v, %d attempts, %d in flight, %d waiting; want 10 and 2 calls, 14 attempts, none in flight or waiting",
					always, v.Outcomes, v.Attempts, v.InFlight, v.Waiting)
			}
			calls := 2
			if always {
				calls = 12
			}
			if n := len(r.GetSpans()); n != calls+4+(calls-2) {
				t.Errorf("always %v: %d spans; want one of each of %d calls and one of each attempt", always, n, calls)
			}
		})
	}
}

func TestNotRecording(t *testing.T) {
	r := record()
	ctx := trace.ContextWithSpan(t.Context(), noop.Span{})
	tracer := &oteltrace.Tracer{AlwaysSpan: true, Provider: r.provider}
	p := hasty()
	p.Observer = tracer
	fail := func(context.Context) error { return busy() }
	_ = oteltrace.Run(ctx, tracer, p, fail)
	_, _ = oteltrace.Do(ctx, tracer, p, func(context.Context) (int, error) { return 0, busy() })
	var err error
	for range oteltrace.Attempts(ctx, tracer, p, &err) {
		err = busy()
	}
	_ = retry.Run(ctx, p, fail)

	ctx, _ = r.incoming(t.Context())
	p.Observer = nil
	_ = oteltrace.Run(ctx, nil, p, fail)
	_, _ = oteltrace.Do(ctx, nil, p, func(context.Context) (int, error) { return 0, busy() })
	for range oteltrace.Attempts(ctx, nil, p, &err) {
		err = busy()
	}
	if n := len(r.GetSpans()); n != 0 || !errors.Is(err, errBusy) {
		t.Errorf("%d spans, %v; want none where the incoming span is not recording, or the Tracer is nil", n, err)
	}
}

func TestOddInput(t *testing.T) {
	r := record()
	ctx, _ := r.incoming(t.Context())
	fn := func(context.Context) (int, error) { return 7, nil }
	tracer := &oteltrace.Tracer{}
	if _, err := oteltrace.Do(nil, tracer, nil, fn); !errors.Is(err, retry.ErrNilContext) {
		t.Errorf("Do with a nil context: %v; want %v", err, retry.ErrNilContext)
	}
	if _, err := oteltrace.Do[int](ctx, tracer, nil, nil); !errors.Is(err, retry.ErrNilFunc) {
		t.Errorf("Do with a nil function: %v; want %v", err, retry.ErrNilFunc)
	}
	if err := oteltrace.Run(ctx, tracer, nil, nil); !errors.Is(err, retry.ErrNilFunc) {
		t.Errorf("Run with a nil function: %v; want %v", err, retry.ErrNilFunc)
	}
	if v, err := oteltrace.Do(ctx, tracer, nil, fn); v != 7 || err != nil {
		t.Errorf("Do with a nil Source = %d, %v; want 7", v, err)
	}
	if v, err := oteltrace.Do(ctx, tracer, (*retry.Policy)(nil), fn); v != 7 || err != nil {
		t.Errorf("Do with a nil Policy = %d, %v; want 7", v, err)
	}
	for range oteltrace.Attempts(ctx, tracer, nil, nil) {
		break // which the engine takes as the end of the call
	}
	if n := len(r.GetSpans()); n != 2 {
		t.Errorf("a loop that was left made %d spans; want that of the call and of its attempt", n)
	}
}

// What the engine holds of a call must go with it, though the incoming span ended first.
func TestForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := record()
		tracer := &oteltrace.Tracer{}
		p := policy()
		p.Observer = tracer
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				ctx, span := r.incoming(t.Context())
				time.AfterFunc(50*time.Millisecond, func() { span.End() })
				_ = retry.Run(ctx, p, script(busy(), busy(), nil))
			})
		}
		wg.Wait()
		if n := tracer.UnderWay(); n != 0 {
			t.Errorf("%d calls are remembered after their end; want none", n)
		}
		if n := len(r.GetSpans()); n != 50*5 {
			t.Errorf("%d spans; want 5 of each of 50 calls", n)
		}
	})
}

func TestConcurrentCalls(t *testing.T) {
	r := record()
	tracer := &oteltrace.Tracer{Provider: r.provider}
	p := hasty()
	p.Observer = tracer
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			ctx, span := r.incoming(t.Context())
			defer span.End()
			n := 0
			fn := func(context.Context) error {
				if n++; n < 3 {
					return busy()
				}
				return nil
			}
			if i%2 == 0 {
				_ = oteltrace.Run(ctx, tracer, p, fn)
			} else {
				_ = retry.Run(ctx, p, fn)
			}
		})
	}
	wg.Wait()
	children := map[trace.SpanID]int{}
	for _, s := range r.GetSpans() {
		children[s.Parent.SpanID()]++
	}
	for _, s := range r.GetSpans() {
		want := map[string]int{"incoming": 1, "venue.quote": 3}[s.Name]
		if got := children[s.SpanContext.SpanID()]; got != want {
			t.Errorf("%s has %d children; want %d", s.Name, got, want)
		}
	}
}

func TestConventions(t *testing.T) {
	if oteltrace.ResendKey != semconv.HTTPRequestResendCountKey || oteltrace.ErrorKey != semconv.ErrorTypeKey {
		t.Errorf("keys are %q, %q; want those of the semantic conventions", oteltrace.ResendKey, oteltrace.ErrorKey)
	}
	want := attribute.String("relent.key_hash", "2c26b46b68ffc68f") // printf foo | sha256sum
	if got := oteltrace.KeyHash("foo"); got != want {
		t.Errorf("KeyHash(foo) = %v; want %v", got, want)
	}
}

type coded struct{ error }

func (coded) ErrorType() string { return "UNAVAILABLE" }

type own struct{}

func (*own) Error() string { return "own" }

func TestErrorType(t *testing.T) {
	_, dialErr := (&net.Dialer{}).DialContext(t.Context(), "nosuch", "")
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"none", nil, "_OTHER"},
		{"text", errBusy, "*errors.errorString"},
		{"text, wrapped and marked", retry.Mark(fmt.Errorf("quote: %w", errBusy), retry.Permanent), "*errors.errorString"},
		{"own type", retry.Mark(fmt.Errorf("quote: %w", &own{}), retry.Permanent), "*oteltrace_test.own"},
		{"typed nil", (*own)(nil), "_OTHER"},
		{"typed nil status", (*retryhttp.StatusError)(nil), "_OTHER"},
		{"status", fmt.Errorf("get: %w", &retryhttp.StatusError{Code: 502}), "502"},
		{"code", fmt.Errorf("quote: %w", coded{errBusy}), "UNAVAILABLE"},
		{"attempt timeout", retry.ErrAttemptTimeout, "timeout"},
		{"deadline", fmt.Errorf("quote: %w", context.DeadlineExceeded), "timeout"},
		{"deadline of a connection", &url.Error{Op: "Get", Err: os.ErrDeadlineExceeded}, "timeout"},
		{"cancelled", &url.Error{Op: "Get", Err: context.Canceled}, "canceled"},
		{"dial", dialErr, "*net.OpError"},
		{"joined", errors.Join(nil, coded{errBusy}, errBusy), "UNAVAILABLE"},
		{"joined nothing", joined{}, "oteltrace_test.joined"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := oteltrace.ErrorTypeOf(test.err); got != test.want {
				t.Errorf("error.type of %v = %q; want %q", test.err, got, test.want)
			}
		})
	}
}

type joined struct{}

func (joined) Error() string   { return "joined" }
func (joined) Unwrap() []error { return nil }

func TestLinks(t *testing.T) {
	r := record()
	ctx, before := r.incoming(context.Background())
	ref := oteltrace.Reference(ctx)
	if len(ref) != 55 || oteltrace.Reference(t.Context()) != "" || oteltrace.Reference(nil) != "" {
		t.Fatalf("Reference = %q; want a traceparent, and nothing without a span", ref)
	}
	before.End()
	other, _ := r.incoming(context.Background())
	ctx, span := r.incoming(context.Background())
	linked := oteltrace.WithLinks(ctx, ref, "", "nonsense", "00-00000000000000000000000000000000-0000000000000000-01", ref)
	linked = oteltrace.WithLinks(linked, oteltrace.Reference(other), ref)
	if same := oteltrace.WithLinks(linked, ref, "x"); same != linked {
		t.Error("WithLinks without a new link made a new context")
	}
	_ = oteltrace.Run(linked, &oteltrace.Tracer{}, hasty(), func(context.Context) error { return errBusy })
	span.End()
	for _, s := range r.GetSpans() {
		if s.Name != "venue.quote" {
			continue
		}
		if len(s.Links) != 2 || s.Links[0].SpanContext.SpanID() != before.SpanContext().SpanID() || !s.Links[0].SpanContext.IsRemote() {
			t.Errorf("links = %v; want the one before, as a remote one, and the other", s.Links)
		}
		if s.Parent.SpanID() != span.SpanContext().SpanID() {
			t.Error("the call is no child of the span it was made below")
		}
		return
	}
	t.Error("no span of the call")
}

func TestLinksAreBounded(t *testing.T) {
	var refs []string
	for i := range 1000 {
		refs = append(refs, fmt.Sprintf("00-%032x-%016x-01", i+1, i+1))
	}
	ctx := oteltrace.WithLinks(nil, refs...)
	if n := oteltrace.LinksOf(ctx); n != 64 {
		t.Errorf("%d links; want the first 64", n)
	}
	three := oteltrace.WithLinks(t.Context(), refs[:3]...)
	left := oteltrace.WithLinks(three, refs[3])
	_ = oteltrace.WithLinks(three, refs[4])
	if got := oteltrace.LastLink(left); got != refs[3][3:35] {
		t.Errorf("the last link is to trace %s; want %s: contexts must not share", got, refs[3][3:35])
	}
}

func FuzzWithLinks(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Add("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what")
	f.Add("")
	f.Fuzz(func(t *testing.T, ref string) {
		if n := oteltrace.LinksOf(oteltrace.WithLinks(context.Background(), ref)); n > 1 {
			t.Errorf("WithLinks(%q) made %d links", ref, n)
		}
	})
}
