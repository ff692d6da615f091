package retrygrpc_test

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/relent-go/relent/contrib/retrygrpc"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/retry"
)

// quotes answers the third time.
type quotes struct {
	testpb.UnimplementedTestServiceServer
	asked int
}

func (q *quotes) UnaryCall(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	q.asked++
	fmt.Println("asked, after", retry.PreviousAttempts(ctx), "attempts")
	if q.asked < 3 {
		return nil, status.Error(codes.Unavailable, "starting")
	}
	return &testpb.SimpleResponse{Username: "bid and ask"}, nil
}

func Example() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	registry := &control.Registry{Instance: "example"}
	server := grpc.NewServer((&retrygrpc.Server{}).Options()...)
	testpb.RegisterTestServiceServer(server, &quotes{})
	healthpb.RegisterHealthServer(server, &retrygrpc.Health{Registry: registry})
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()

	client := &retrygrpc.Client{Policy: &retry.Policy{Name: "venue.quote", Idempotent: true}}
	conn, err := grpc.NewClient(listener.Addr().String(), append(client.DialOptions(),
		grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	quote, err := testpb.NewTestServiceClient(conn).UnaryCall(context.Background(), &testpb.SimpleRequest{})
	fmt.Println(quote.GetUsername(), err)
	health, err := healthpb.NewHealthClient(conn).Check(context.Background(), &healthpb.HealthCheckRequest{})
	fmt.Println(health.GetStatus(), err)
	// Output:
	// asked, after 0 attempts
	// asked, after 1 attempts
	// asked, after 2 attempts
	// bid and ask <nil>
	// SERVING <nil>
}
