package retrygrpc_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/relent-go/relent/contrib/retrygrpc"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

func TestServerSaysWhen(t *testing.T) {
	for _, test := range []struct {
		name     string
		err      error
		code     codes.Code
		pushback string
	}{
		{"no error", nil, codes.OK, ""},
		{"an error of no concern", errors.New("no"), codes.Unknown, ""},
		{"a status of no concern", status.Error(codes.NotFound, "no"), codes.NotFound, ""},
		{"overloaded", retrygrpc.ErrOverloaded, codes.ResourceExhausted, "-1"},
		{"overloaded, wrapped", fmt.Errorf("queue: %w", retrygrpc.ErrOverloaded), codes.ResourceExhausted, "-1"},
		{"overloaded, with a status", errors.Join(status.Error(codes.Unavailable, "going"), retrygrpc.ErrOverloaded), codes.Unavailable, "-1"},
		{"overloaded, with another status", errors.Join(status.Error(codes.Internal, "x"), retrygrpc.ErrOverloaded), codes.ResourceExhausted, "-1"},
		{"overloaded, because stopped", errors.Join(retrygrpc.ErrOverloaded, halt.ErrHalted), codes.Unavailable, "-1"},
		{"stopped", fmt.Errorf("quote: %w", halt.ErrHalted), codes.Unavailable, "-1"},
		{"spent", &retry.Error{Reason: budget.ErrSpent, Last: errors.New("busy")}, codes.ResourceExhausted, "-1"},
		{"spent, after a status", &retry.Error{Reason: budget.ErrSpent, Last: status.Error(codes.Unavailable, "busy")}, codes.Unavailable, "-1"},
		{"later", retry.After(errors.New("slow"), 1500*time.Microsecond), codes.ResourceExhausted, "2"},
		{"later, with a status", retry.After(status.Error(codes.Unavailable, "slow"), time.Second), codes.Unavailable, "1000"},
		{"in a year", retry.After(errors.New("slow"), 365*24*time.Hour), codes.ResourceExhausted, "2147483647"},
		{"later, but final", retry.MarkAfter(errors.New("no"), retry.Permanent, time.Second), codes.Unknown, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &server{
				unary: func(context.Context, int) error { return test.err },
				output: func(int, *testpb.StreamingOutputCallRequest, testpb.TestService_StreamingOutputCallServer) error {
					return test.err
				},
			}
			s.start(t, (&retrygrpc.Server{}).Options()...)
			c := dial(t, s.addr)
			check := func(way string, err error, trailer metadata.MD) {
				t.Helper()
				var want []string
				if test.pushback != "" {
					want = []string{test.pushback}
				}
				if got := trailer.Get(retrygrpc.Pushback); status.Code(err) != test.code || !slices.Equal(got, want) {
					t.Errorf("%s: %v with pushback %q; want %v with %q", way, err, got, test.code, want)
				}
			}
			var trailer metadata.MD
			_, err := c.UnaryCall(t.Context(), &testpb.SimpleRequest{}, grpc.Trailer(&trailer))
			check("unary", err, trailer)
			stream, err := c.StreamingOutputCall(t.Context(), &testpb.StreamingOutputCallRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err = stream.Recv(); test.err == nil {
				err = nil // the end
			}
			check("stream", err, stream.Trailer())
		})
	}
}

func TestServerRefuses(t *testing.T) {
	full := errors.New("queue is full")
	s := &server{unary: func(context.Context, int) error { return nil }}
	var asked []string
	s.start(t, (&retrygrpc.Server{Overloaded: func(_ context.Context, method string) error {
		asked = append(asked, method)
		return full
	}}).Options()...)
	c := dial(t, s.addr, client(hasty(true)).DialOptions()...)
	_, err := c.UnaryCall(t.Context(), &testpb.SimpleRequest{})
	if status.Code(err) != codes.ResourceExhausted || s.requests() != 0 || len(asked) != 1 || retry.DefaultClassify(err) != retry.Permanent {
		t.Errorf("%v after %q; want RESOURCE_EXHAUSTED once, never to be retried", err, asked)
	}
	stream, err := c.StreamingOutputCall(t.Context(), &testpb.StreamingOutputCallRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.ResourceExhausted || len(asked) != 2 {
		t.Errorf("a stream: %v after %q; want RESOURCE_EXHAUSTED once", err, asked)
	}
}

func TestServerBelievesCounts(t *testing.T) {
	for _, test := range []struct {
		values []string
		want   int
	}{
		{nil, 0},
		{[]string{"2"}, 2},
		{[]string{"1", "3", "2"}, 3},
		{[]string{"-1"}, 0},
		{[]string{"x", "", "1.5"}, 0},
		{[]string{"99999999999999999999"}, 1 << 20},
		{[]string{"4294967296"}, 1 << 20},
	} {
		got, streamed := -1, -1
		s := &server{
			unary: func(ctx context.Context, _ int) error { got = retry.PreviousAttempts(ctx); return nil },
			output: func(_ int, _ *testpb.StreamingOutputCallRequest, s testpb.TestService_StreamingOutputCallServer) error {
				streamed = retry.PreviousAttempts(s.Context())
				return nil
			},
		}
		s.start(t, (&retrygrpc.Server{}).Options()...)
		ctx := t.Context()
		for _, v := range test.values {
			ctx = metadata.AppendToOutgoingContext(ctx, retrygrpc.PreviousAttempts, v)
		}
		c := dial(t, s.addr)
		_, err := c.UnaryCall(ctx, &testpb.SimpleRequest{})
		stream, streamErr := c.StreamingOutputCall(ctx, &testpb.StreamingOutputCallRequest{})
		if err != nil || streamErr != nil {
			t.Fatal(err, streamErr)
		}
		_, _ = stream.Recv()
		if got != test.want || streamed != test.want {
			t.Errorf("of %q handlers see %d and %d attempts before; want %d", test.values, got, streamed, test.want)
		}
	}
}

// TestLayers is vector N1 over three processes: each would make 3 attempts of its own, and the last one always fails.
func TestLayers(t *testing.T) {
	last := &server{unary: func(context.Context, int) error { return status.Error(codes.Unavailable, "busy") }}
	last.start(t, (&retrygrpc.Server{}).Options()...)
	middle := &server{}
	below := dial(t, last.addr, client(hasty(true)).DialOptions()...)
	middle.unary = func(ctx context.Context, _ int) error {
		_, err := below.UnaryCall(ctx, &testpb.SimpleRequest{})
		return err
	}
	middle.start(t, (&retrygrpc.Server{}).Options()...)
	c := dial(t, middle.addr, client(hasty(true)).DialOptions()...)

	_, err := c.UnaryCall(retry.WithPreviousAttempts(t.Context(), 1), &testpb.SimpleRequest{}) // a retry by somebody above
	if middle.requests() != 1 || last.requests() != 1 || status.Code(err) != codes.Unavailable {
		t.Errorf("%d and %d requests, %v; want 1 of each: who retries is above", middle.requests(), last.requests(), err)
	}
	if got := fmt.Sprint(last.previous); got != "[[1]]" {
		t.Errorf("the last process heard %s of attempts before; want [[1]]", got)
	}

	// Of a call that nobody retries above, the first attempt below makes its own attempts, and the retries make one each.
	_, _ = c.UnaryCall(t.Context(), &testpb.SimpleRequest{})
	if middle.requests() != 1+3 || last.requests() != 1+3+1+1 {
		t.Errorf("%d and %d requests; want 3 and 5 more, and not 9", middle.requests()-1, last.requests()-1)
	}
}

func TestDeclaredIdempotence(t *testing.T) {
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String("relent_test.proto"), Package: proto.String("relent.test"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("M")}},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("S"), Method: []*descriptorpb.MethodDescriptorProto{
			method("Read", descriptorpb.MethodOptions_NO_SIDE_EFFECTS), method("Put", descriptorpb.MethodOptions_IDEMPOTENT), method("Order", descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN),
		}}},
	}
	d, err := protodesc.NewFile(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := protoregistry.GlobalFiles.RegisterFile(d); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"/relent.test.S/Read": true, "/relent.test.S/Put": true, "/relent.test.S/Order": false, "/relent.test.S/Other": false,
		"/relent.test.S": false, "/": false, "": false, "relent.test.S.Read": true,
	} {
		if got := retrygrpc.Declared(name); got != want {
			t.Errorf("%q declared idempotent: %v; want %v", name, got, want)
		}
	}
}

func method(name string, level descriptorpb.MethodOptions_IdempotencyLevel) *descriptorpb.MethodDescriptorProto {
	return &descriptorpb.MethodDescriptorProto{
		Name: proto.String(name), InputType: proto.String(".relent.test.M"), OutputType: proto.String(".relent.test.M"),
		Options: &descriptorpb.MethodOptions{IdempotencyLevel: level.Enum()},
	}
}
