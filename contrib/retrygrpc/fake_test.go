package retrygrpc_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/contrib/retrygrpc"
	"github.com/relent-go/relent/retry"
)

const unaryCall = "/grpc.testing.TestService/UnaryCall"

// A server is one on loopback, whose methods are functions of the number of the request, from 0.
type server struct {
	testpb.UnimplementedTestServiceServer
	unary  func(ctx context.Context, n int) error
	output func(n int, in *testpb.StreamingOutputCallRequest, s testpb.TestService_StreamingOutputCallServer) error
	input  func(n int, s testpb.TestService_StreamingInputCallServer) error
	duplex func(n int, s testpb.TestService_FullDuplexCallServer) error

	addr  string
	conns *conns

	mu       sync.Mutex
	n        int
	previous [][]string // what each request said of attempts before
}

// next counts a request.
func (s *server) next(ctx context.Context) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.previous = append(s.previous, metadata.ValueFromIncomingContext(ctx, retrygrpc.PreviousAttempts))
	s.n++
	return s.n - 1
}

func (s *server) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func (s *server) UnaryCall(ctx context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	if s.unary != nil {
		if err := s.unary(ctx, s.next(ctx)); err != nil {
			return nil, err
		}
	}
	return &testpb.SimpleResponse{Payload: in.GetPayload()}, nil
}

func (s *server) StreamingOutputCall(in *testpb.StreamingOutputCallRequest, out testpb.TestService_StreamingOutputCallServer) error {
	return s.output(s.next(out.Context()), in, out)
}

func (s *server) StreamingInputCall(in testpb.TestService_StreamingInputCallServer) error {
	return s.input(s.next(in.Context()), in)
}

func (s *server) FullDuplexCall(d testpb.TestService_FullDuplexCallServer) error {
	return s.duplex(s.next(d.Context()), d)
}

// conns is a listener that can break its connections off.
type conns struct {
	net.Listener
	mu  sync.Mutex
	all []net.Conn
}

func (c *conns) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, conn)
	return conn, err
}

func (c *conns) breakOff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.all {
		_ = conn.Close()
	}
	c.all = nil
}

func listen(t testing.TB) *conns {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return &conns{Listener: l}
}

func (s *server) start(t testing.TB, options ...grpc.ServerOption) *server {
	t.Helper()
	s.conns = listen(t)
	s.addr = s.conns.Addr().String()
	g := grpc.NewServer(options...)
	testpb.RegisterTestServiceServer(g, s)
	done := make(chan error, 1)
	go func() { done <- g.Serve(s.conns) }()
	t.Cleanup(func() {
		g.Stop()
		<-done
	})
	return s
}

func dial(t testing.TB, addr string, options ...grpc.DialOption) testpb.TestServiceClient {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return testpb.NewTestServiceClient(conn)
}

// hasty retries at once.
func hasty(idempotent bool) *retry.Policy {
	return &retry.Policy{Name: "test.call", Idempotent: idempotent, Backoff: backoff.Constant{Wait: time.Millisecond, Jitter: backoff.None}}
}

// client is a Client with a policy.
func client(p *retry.Policy) *retrygrpc.Client { return &retrygrpc.Client{Policy: p} }
