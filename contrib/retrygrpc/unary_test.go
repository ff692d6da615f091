package retrygrpc_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/relent-go/relent/contrib/retrygrpc"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// TestCodes is the table of classification.md, section 3, over the wire.
func TestCodes(t *testing.T) {
	for _, test := range []struct {
		code       codes.Code
		class      retry.Class
		attempts   int // of 3
		idempotent int // of a call that may be repeated
	}{
		{codes.Unavailable, retry.Transient, 3, 3},
		{codes.ResourceExhausted, retry.Permanent, 1, 1},
		{codes.Aborted, retry.Transient, 1, 1},
		{codes.DeadlineExceeded, retry.Ambiguous, 1, 3},
		{codes.Internal, retry.Ambiguous, 1, 3},
		{codes.Unknown, retry.Ambiguous, 1, 3},
		{codes.Code(99), retry.Ambiguous, 1, 3},
		{codes.AlreadyExists, retry.Permanent, 1, 1},
		{codes.Unauthenticated, retry.Permanent, 1, 1},
		{codes.Canceled, retry.Permanent, 1, 1},
		{codes.InvalidArgument, retry.Permanent, 1, 1},
		{codes.NotFound, retry.Permanent, 1, 1},
		{codes.PermissionDenied, retry.Permanent, 1, 1},
		{codes.FailedPrecondition, retry.Permanent, 1, 1},
		{codes.OutOfRange, retry.Permanent, 1, 1},
		{codes.Unimplemented, retry.Permanent, 1, 1},
		{codes.DataLoss, retry.Permanent, 1, 1},
	} {
		for _, idempotent := range []bool{false, true} {
			t.Run(fmt.Sprint(test.code, idempotent), func(t *testing.T) {
				s := (&server{unary: func(context.Context, int) error { return status.Error(test.code, "as told") }}).start(t)
				_, err := dial(t, s.addr, client(hasty(idempotent)).DialOptions()...).UnaryCall(t.Context(), &testpb.SimpleRequest{})
				want := test.attempts
				if idempotent {
					want = test.idempotent
				}
				e, ok := errors.AsType[*retry.Error](err)
				if !ok || s.requests() != want || e.Attempts != want {
					t.Fatalf("%d requests, %v; want %d", s.requests(), err, want)
				}
				if st, _ := status.FromError(err); st.Code() != test.code || st.Message() != "as told" {
					t.Errorf("status of the error = %v, %q; want that of the last attempt", st.Code(), st.Message())
				}
				if got := retry.DefaultClassify(err); got != test.class {
					t.Errorf("class = %v; want %v", got, test.class)
				}
			})
		}
	}
}

// pushed fails with a code and pushbacks.
func pushed(code codes.Code, values ...string) func(context.Context, int) error {
	return func(ctx context.Context, _ int) error {
		for _, v := range values {
			_ = grpc.SetTrailer(ctx, metadata.Pairs(retrygrpc.Pushback, v))
		}
		return status.Error(code, "busy")
	}
}

func TestPushback(t *testing.T) {
	for _, test := range []struct {
		name     string
		code     codes.Code
		values   []string
		attempts int
		class    retry.Class
	}{
		{"H22", codes.Unavailable, []string{"-1"}, 1, retry.Permanent},
		{"now", codes.Unavailable, []string{"0"}, 3, retry.Transient},
		{"soon", codes.Unavailable, []string{"1"}, 3, retry.Transient},
		{"exhausted", codes.ResourceExhausted, []string{"1"}, 3, retry.Throttled},
		{"exhausted, now", codes.ResourceExhausted, []string{"0"}, 3, retry.Throttled},
		{"exhausted, never", codes.ResourceExhausted, []string{"-1"}, 1, retry.Permanent},
		{"signed", codes.Unavailable, []string{"+1"}, 3, retry.Transient},
		{"text", codes.Unavailable, []string{"soon"}, 1, retry.Permanent},
		{"empty", codes.Unavailable, []string{""}, 1, retry.Permanent},
		{"fraction", codes.Unavailable, []string{"1.5"}, 1, retry.Permanent},
		{"beyond 32 bits", codes.Unavailable, []string{"2147483648"}, 1, retry.Permanent},
		{"beyond 64 bits", codes.Unavailable, []string{"99999999999999999999"}, 1, retry.Permanent},
		{"24 days", codes.Unavailable, []string{"2147483647"}, 1, retry.Transient}, // beyond MaxHint
		{"doubled", codes.Unavailable, []string{"1", "1"}, 1, retry.Permanent},
		{"of what is final", codes.NotFound, []string{"1"}, 1, retry.Permanent},
		{"never, of what may have acted", codes.Internal, []string{"-1"}, 1, retry.Ambiguous},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := (&server{unary: pushed(test.code, test.values...)}).start(t)
			_, err := dial(t, s.addr, client(hasty(true)).DialOptions()...).UnaryCall(t.Context(), &testpb.SimpleRequest{})
			if s.requests() != test.attempts || retry.DefaultClassify(err) != test.class || status.Code(err) != test.code {
				t.Errorf("%d requests, %v, %v; want %d, %v", s.requests(), retry.DefaultClassify(err), err, test.attempts, test.class)
			}
		})
	}
}

func TestRetryInfo(t *testing.T) {
	for _, test := range []struct {
		name     string
		delay    *durationpb.Duration
		attempts int
		class    retry.Class
	}{
		{"a floor", durationpb.New(time.Millisecond), 3, retry.Throttled},
		{"at once", &durationpb.Duration{}, 3, retry.Throttled},
		{"missing", nil, 1, retry.Permanent},
		{"negative", durationpb.New(-time.Second), 1, retry.Permanent},
		{"out of range", &durationpb.Duration{Seconds: 1 << 60}, 1, retry.Permanent},
		{"mixed signs", &durationpb.Duration{Seconds: 1, Nanos: -1}, 1, retry.Permanent},
		{"a thousand years", &durationpb.Duration{Seconds: 1000 * 365 * 86400}, 1, retry.Throttled}, // beyond MaxHint
	} {
		t.Run(test.name, func(t *testing.T) {
			s := (&server{unary: func(context.Context, int) error {
				st, err := status.New(codes.ResourceExhausted, "busy").WithDetails(&errdetails.DebugInfo{}, &errdetails.RetryInfo{RetryDelay: test.delay})
				if err != nil {
					return err
				}
				return st.Err()
			}}).start(t)
			_, err := dial(t, s.addr, client(hasty(false)).DialOptions()...).UnaryCall(t.Context(), &testpb.SimpleRequest{})
			if s.requests() != test.attempts || retry.DefaultClassify(err) != test.class {
				t.Errorf("%d requests, %v, %v; want %d, %v", s.requests(), retry.DefaultClassify(err), err, test.attempts, test.class)
			}
			if st, _ := status.FromError(err); len(st.Details()) != 2 {
				t.Errorf("details = %v; want both", st.Details())
			}
		})
	}
}

// TestSeries is vectors G14 and G18.
func TestSeries(t *testing.T) {
	fatal, fails := []int{6, 8, 11}, []int{1, 3, 4, 7, 9, 10, 12, 13, 14, 15}
	s := (&server{unary: func(_ context.Context, n int) error {
		switch {
		case slices.Contains(fatal, n):
			return status.Error(codes.InvalidArgument, "fatal")
		case slices.Contains(fails, n):
			return status.Error(codes.Unavailable, "err")
		}
		return nil
	}}).start(t)
	p := hasty(false)
	p.MaxAttempts = 4
	c := dial(t, s.addr, client(p).DialOptions()...)
	for _, want := range []struct {
		last int
		code codes.Code
	}{{0, codes.OK}, {2, codes.OK}, {5, codes.OK}, {6, codes.InvalidArgument}, {8, codes.InvalidArgument}, {11, codes.InvalidArgument}, {15, codes.Unavailable}} {
		_, err := c.UnaryCall(t.Context(), &testpb.SimpleRequest{})
		if status.Code(err) != want.code || s.requests() != want.last+1 {
			t.Fatalf("the call ended after request %d with %v; want %d with %v", s.requests()-1, err, want.last, want.code)
		}
	}
	if got, want := fmt.Sprint(s.previous[12:]), "[[] [1] [2] [3]]"; got != want {
		t.Errorf("the last call said %s of attempts before; want %s", got, want)
	}
}

func TestUnsent(t *testing.T) {
	l := listen(t)
	addr := l.Addr().String()
	_ = l.Close() // nobody listens there any more
	_, err := dial(t, addr, client(hasty(false)).DialOptions()...).UnaryCall(t.Context(), &testpb.SimpleRequest{})
	e, _ := errors.AsType[*retry.Error](err)
	if e == nil || e.Attempts != 3 || e.Unknown || retry.DefaultClassify(err) != retry.Transient {
		t.Errorf("%v; want 3 attempts, since nothing was sent", err)
	}
	p := hasty(false)
	p.AttemptTimeout = 20 * time.Millisecond
	_, err = dial(t, addr, client(p).DialOptions()...).UnaryCall(t.Context(), &testpb.SimpleRequest{}, grpc.WaitForReady(true))
	e, _ = errors.AsType[*retry.Error](err)
	if e == nil || e.Attempts != 3 || e.Unknown || status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("waiting for a connection: %v; want 3 attempts, since nothing was sent", err)
	}
}

func TestBrokenOff(t *testing.T) {
	for _, idempotent := range []bool{false, true} {
		s := &server{}
		s.unary = func(_ context.Context, n int) error {
			if n == 0 {
				s.conns.breakOff() // the request is here, and the answer will never be there
			}
			return nil
		}
		s.start(t)
		_, err := dial(t, s.addr, client(hasty(idempotent)).DialOptions()...).UnaryCall(t.Context(), &testpb.SimpleRequest{}, grpc.WaitForReady(true))
		if idempotent {
			if err != nil || s.requests() != 2 {
				t.Errorf("Idempotent: %d requests, %v; want 2", s.requests(), err)
			}
			continue
		}
		if s.requests() != 1 || status.Code(err) != codes.Unavailable || retry.DefaultClassify(err) != retry.Ambiguous {
			t.Errorf("%d requests, %v, %v; want 1, Ambiguous", s.requests(), retry.DefaultClassify(err), err)
		}
	}
}

// TestHeadersCommit is vector H23.
func TestHeadersCommit(t *testing.T) {
	s := (&server{unary: func(ctx context.Context, _ int) error {
		_ = grpc.SendHeader(ctx, metadata.Pairs("k", "v"))
		return status.Error(codes.Unavailable, "after headers")
	}}).start(t)
	c := dial(t, s.addr, client(hasty(true)).DialOptions()...)
	var header metadata.MD
	_, err := c.UnaryCall(t.Context(), &testpb.SimpleRequest{}, grpc.Header(&header))
	if s.requests() != 1 || header.Get("k") == nil || retry.DefaultClassify(err) != retry.Ambiguous {
		t.Errorf("%d requests, %v; want 1: the caller has the headers", s.requests(), err)
	}
	c = dial(t, s.addr, client(hasty(false)).DialOptions()...)
	if _, err := c.UnaryCall(t.Context(), &testpb.SimpleRequest{}); s.requests() != 2 || retry.DefaultClassify(err) != retry.Ambiguous {
		t.Errorf("%d requests, %v; want one more: the server had begun to answer", s.requests(), err)
	}
}

const retrying = `{"methodConfig": [{"name": [{"service": "grpc.testing.TestService"}],
	"retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.001s", "maxBackoff": "0.001s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`

func TestServiceConfig(t *testing.T) {
	busy := func(context.Context, int) error { return status.Error(codes.Unavailable, "busy") }
	t.Run("switched off", func(t *testing.T) {
		s := (&server{unary: busy}).start(t)
		c := dial(t, s.addr, append(client(hasty(true)).DialOptions(), grpc.WithDefaultServiceConfig(retrying))...)
		if _, err := c.UnaryCall(t.Context(), &testpb.SimpleRequest{}); s.requests() != 3 || err == nil {
			t.Errorf("%d requests, %v; want the policy's 3", s.requests(), err)
		}
	})
	t.Run("found", func(t *testing.T) {
		s := (&server{unary: busy}).start(t)
		var told []string
		r := client(hasty(true))
		r.OnServiceConfig = func(method string) { told = append(told, method) }
		c := dial(t, s.addr, grpc.WithDefaultServiceConfig(retrying), grpc.WithUnaryInterceptor(r.Unary()), grpc.WithStreamInterceptor(r.Stream()))
		for i := range 2 {
			if _, err := c.UnaryCall(t.Context(), &testpb.SimpleRequest{}); s.requests() != 4*(i+1) || err == nil {
				t.Errorf("%d requests, %v; want the service config's 4 of each call", s.requests(), err)
			}
		}
		if want := []string{unaryCall}; !slices.Equal(told, want) {
			t.Errorf("told of %q; want %q once", told, want)
		}
		if got, want := fmt.Sprint(s.previous[:4]), "[[] [1] [2] [3]]"; got != want {
			t.Errorf("the channel said %s of attempts before; want %s", got, want)
		}
	})
	t.Run("none", func(t *testing.T) {
		s := (&server{unary: busy}).start(t)
		c := dial(t, s.addr, grpc.WithUnaryInterceptor(client(hasty(true)).Unary()))
		if _, err := c.UnaryCall(t.Context(), &testpb.SimpleRequest{}); s.requests() != 3 || err == nil {
			t.Errorf("%d requests, %v; want the policy's 3", s.requests(), err)
		}
	})
}

func TestRefresh(t *testing.T) {
	denied := func(ctx context.Context, n int) error {
		if v := metadata.ValueFromIncomingContext(ctx, "token"); len(v) != 1 || v[0] != "fresh" {
			return status.Error(codes.Unauthenticated, "stale")
		}
		if n < 3 {
			return status.Error(codes.Unavailable, "busy")
		}
		return nil
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "token", "stale")
	for _, test := range []struct {
		name     string
		refresh  func(context.Context, string) (metadata.MD, error)
		requests int
		code     codes.Code
	}{
		{"none", nil, 1, codes.Unauthenticated},
		{"fails", func(context.Context, string) (metadata.MD, error) { return nil, errors.New("no") }, 1, codes.Unauthenticated},
		{"brings nothing new", func(context.Context, string) (metadata.MD, error) { return nil, nil }, 2, codes.Unauthenticated},
		{"fresh", func(context.Context, string) (metadata.MD, error) { return metadata.Pairs("token", "fresh"), nil }, 4, codes.OK},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := (&server{unary: denied}).start(t)
			r := client(hasty(false))
			r.Refresh = test.refresh
			_, err := dial(t, s.addr, r.DialOptions()...).UnaryCall(ctx, &testpb.SimpleRequest{})
			if s.requests() != test.requests || status.Code(err) != test.code {
				t.Errorf("%d requests, %v; want %d, %v", s.requests(), err, test.requests, test.code)
			}
		})
	}
}

func TestApplied(t *testing.T) {
	exists := status.Error(codes.AlreadyExists, "exists")
	for _, test := range []struct {
		name    string
		first   error
		applied bool
	}{
		{"at once", exists, false},
		{"after one that did nothing", status.Error(codes.Unavailable, "busy"), false},
		{"after one that may have acted", status.Error(codes.Internal, "lost"), true},
	} {
		s := (&server{unary: func(_ context.Context, n int) error {
			if n == 0 {
				return test.first
			}
			return exists
		}}).start(t)
		_, err := dial(t, s.addr, client(hasty(true)).DialOptions()...).UnaryCall(t.Context(), &testpb.SimpleRequest{})
		if status.Code(err) != codes.AlreadyExists || errors.Is(err, retrygrpc.ErrApplied) != test.applied {
			t.Errorf("%s: %v, applied %v; want ALREADY_EXISTS, applied %v", test.name, err, !test.applied, test.applied)
		}
	}
}

func TestMethodsAndIdempotence(t *testing.T) {
	s := (&server{unary: func(context.Context, int) error { return status.Error(codes.Internal, "lost") }}).start(t)
	asked := 0
	r := client(hasty(false))
	r.Idempotent = func(method string) bool { asked++; return method == unaryCall }
	c := dial(t, s.addr, r.DialOptions()...)
	for range 2 {
		_, _ = c.UnaryCall(t.Context(), &testpb.SimpleRequest{})
	}
	if s.requests() != 6 || asked != 1 {
		t.Errorf("%d requests, asked %d times; want 6, and asked once of a method", s.requests(), asked)
	}
	r = client(hasty(true))
	r.Methods = map[string]retry.Source{unaryCall: &retry.Policy{MaxAttempts: 1}}
	_, _ = dial(t, s.addr, r.DialOptions()...).UnaryCall(t.Context(), &testpb.SimpleRequest{})
	if s.requests() != 7 {
		t.Errorf("%d requests; want one more, by the policy of the method", s.requests()-6)
	}
}

// A RetryIf of the user's may only refuse.
func TestRetryIf(t *testing.T) {
	s := (&server{unary: func(context.Context, int) error { return status.Error(codes.Unavailable, "busy") }}).start(t)
	p := hasty(false)
	p.RetryIf = func(err error) bool { return status.Code(err) != codes.Unavailable }
	if _, err := dial(t, s.addr, client(p).DialOptions()...).UnaryCall(t.Context(), &testpb.SimpleRequest{}); s.requests() != 1 || !errors.Is(err, retry.ErrDeclined) {
		t.Errorf("%d requests, %v; want 1, %v", s.requests(), err, retry.ErrDeclined)
	}
}

func TestStatusOfRefusals(t *testing.T) {
	s := (&server{unary: func(context.Context, int) error { return status.Error(codes.Unavailable, "busy") }}).start(t)
	c := func(p *retry.Policy) testpb.TestServiceClient { return dial(t, s.addr, client(p).DialOptions()...) }
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, stop := context.WithTimeout(t.Context(), -1)
	defer stop()
	refusing := func(err error) *retry.Policy {
		p := hasty(false)
		p.Gates = []retry.Gate{gate{err}}
		return p
	}
	elapsed := hasty(false)
	elapsed.MaxElapsed = 1
	elapsed.Gates = []retry.Gate{gate{nil}}
	for _, test := range []struct {
		name string
		ctx  context.Context
		p    *retry.Policy
		code codes.Code
	}{
		{"cancelled", canceled, hasty(false), codes.Canceled},
		{"late", late, hasty(false), codes.DeadlineExceeded},
		{"stopped", t.Context(), refusing(halt.ErrHalted), codes.Unavailable},
		{"saturated", t.Context(), refusing(retry.ErrSaturated), codes.ResourceExhausted},
		{"elapsed", t.Context(), elapsed, codes.DeadlineExceeded},
		{"whatever", t.Context(), refusing(errors.New("no")), codes.Unavailable},
	} {
		before := s.requests()
		_, err := c(test.p).UnaryCall(test.ctx, &testpb.SimpleRequest{})
		if got := status.Code(err); got != test.code || s.requests() != before {
			t.Errorf("%s: %v, %v with %d requests; want %v without any", test.name, got, err, s.requests()-before, test.code)
		}
	}
}

// gate refuses with an error, or waits for the end of the call.
type gate struct{ err error }

func (g gate) Admit(ctx context.Context, _ *retry.Attempt) error {
	if g.err == nil {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return g.err
}
func (gate) Settle(*retry.Attempt, *retry.Outcome) {}
