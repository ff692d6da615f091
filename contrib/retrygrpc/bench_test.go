package retrygrpc_test

import (
	"context"
	"math"
	"syscall"
	"testing"
	"time"

	testpb "google.golang.org/grpc/interop/grpc_testing"

	"google.golang.org/grpc"
)

// BenchmarkUnary is a call over loopback without the interceptor and with it.
func BenchmarkUnary(b *testing.B) {
	in := &testpb.SimpleRequest{Payload: payload("quote")}
	sideBySide(b, (&server{}).start(b), func(c testpb.TestServiceClient) error {
		_, err := c.UnaryCall(context.Background(), in)
		return err
	})
}

// BenchmarkStream is a stream of ten messages.
func BenchmarkStream(b *testing.B) {
	s := &server{output: func(_ int, _ *testpb.StreamingOutputCallRequest, out testpb.TestService_StreamingOutputCallServer) error {
		for range 10 {
			if err := out.Send(&testpb.StreamingOutputCallResponse{Payload: payload("quote")}); err != nil {
				return err
			}
		}
		return nil
	}}
	in := &testpb.StreamingOutputCallRequest{Payload: payload("book")}
	sideBySide(b, s.start(b), func(c testpb.TestServiceClient) error {
		_, err := receive(c.StreamingOutputCall(context.Background(), in))
		return err
	})
}

// sideBySide makes calls without an interceptor and with one in short turns, so that whatever else the machine does is shared. It
// reports the processor time of the whole process, client and server, and the quickest turns.
func sideBySide(b *testing.B, s *server, call func(testpb.TestServiceClient) error) {
	clients := [2]testpb.TestServiceClient{dial(b, s.addr, grpc.WithDisableRetry()), dial(b, s.addr, client(hasty(false)).DialOptions()...)}
	const turn = 50
	var cpu [2]time.Duration
	least := [2]time.Duration{math.MaxInt64, math.MaxInt64}
	run := func(way int) {
		for range turn {
			if err := call(clients[way]); err != nil {
				b.Fatal(err)
			}
		}
	}
	run(0)
	run(1)
	turns := 0
	for b.Loop() {
		for i := range 2 {
			way := (i + turns) % 2
			before, began := used(b), time.Now()
			run(way)
			least[way] = min(least[way], time.Since(began))
			cpu[way] += used(b) - before
		}
		turns++
	}
	b.ReportMetric(0, "ns/op") // of both
	b.ReportMetric(float64(cpu[0])/float64(turns*turn), "cpu-ns-plain")
	b.ReportMetric(float64(cpu[1])/float64(turns*turn), "cpu-ns-ours")
	b.ReportMetric(float64(cpu[1])/float64(cpu[0]), "cpu-ratio")
	b.ReportMetric(float64(least[1])/float64(least[0]), "time-ratio")
}

// BenchmarkInterceptor is the interceptor alone.
func BenchmarkInterceptor(b *testing.B) {
	intercept := client(hasty(false)).Unary()
	nothing := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }
	b.ReportAllocs()
	for b.Loop() {
		_ = intercept(context.Background(), unaryCall, nil, nil, nil, nothing)
	}
}

// used is the processor time of the process.
func used(t testing.TB) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// What the interceptor allocates for a call that succeeds is its own state, the function of the attempt, and the trailers that gRPC copies.
func TestUnaryAllocs(t *testing.T) {
	s := (&server{}).start(t)
	in := &testpb.SimpleRequest{}
	allocs := func(c testpb.TestServiceClient) float64 {
		call := func() {
			if _, err := c.UnaryCall(context.Background(), in); err != nil {
				t.Fatal(err)
			}
		}
		for range 50 {
			call()
		}
		return testing.AllocsPerRun(500, call)
	}
	least := math.Inf(1)
	for range 5 { // client and server run in one process, and share its counter with the runtime
		least = min(least, allocs(dial(t, s.addr, client(hasty(false)).DialOptions()...))-allocs(dial(t, s.addr, grpc.WithDisableRetry())))
	}
	if least > 3 {
		t.Errorf("the interceptor adds %v allocations; want 3 at most", least)
	}
	t.Logf("the interceptor adds %v allocations", least)
}
