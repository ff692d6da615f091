package retrygrpc_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/relent-go/relent/contrib/retrygrpc"
	"github.com/relent-go/relent/control"
)

// patient is a registry with components of every kind.
func patient(t *testing.T) *control.Registry {
	t.Helper()
	r := &control.Registry{Instance: "test"}
	err := r.AddComponents(
		control.Component{Name: "db", Critical: true, Check: func(context.Context) error { return nil }},
		control.Component{Name: "cache"},
		control.Component{Name: "down", Check: func(context.Context) error { return errors.New("no connection") }},
		control.Component{Name: "below", DependsOn: []string{"down"}},
		control.Component{Name: "slow", Check: func(ctx context.Context) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}, Timeout: control.MostTimeout},
	)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHealthOverTheWire(t *testing.T) {
	r := patient(t)
	t.Cleanup(func() { _ = r.Close(context.Background()) })
	l := listen(t)
	g := grpc.NewServer()
	healthpb.RegisterHealthServer(g, &retrygrpc.Health{Registry: r, Services: map[string]string{"orders.Service": "db", "all": ""}})
	done := make(chan error, 1)
	go func() { done <- g.Serve(l) }()
	t.Cleanup(func() {
		g.Stop()
		<-done
	})
	conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := healthpb.NewHealthClient(conn)

	check := func(service string, want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		got, err := c.Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		for deadline := time.Now().Add(20 * time.Second); err == nil && got.GetStatus() != want && time.Now().Before(deadline); { // a slow machine
			got, err = c.Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		}
		if err != nil || got.GetStatus() != want {
			t.Errorf("Check(%q) = %v, %v; want %v", service, got.GetStatus(), err, want)
		}
	}
	for service, want := range map[string]healthpb.HealthCheckResponse_ServingStatus{
		"": healthpb.HealthCheckResponse_SERVING, "all": healthpb.HealthCheckResponse_SERVING, "db": healthpb.HealthCheckResponse_SERVING,
		"orders.Service": healthpb.HealthCheckResponse_SERVING, "cache": healthpb.HealthCheckResponse_SERVING, "below": healthpb.HealthCheckResponse_SERVING,
		"down": healthpb.HealthCheckResponse_NOT_SERVING, "slow": healthpb.HealthCheckResponse_UNKNOWN,
	} {
		check(service, want)
	}
	r.Drain()
	check("", healthpb.HealthCheckResponse_NOT_SERVING)
	check("db", healthpb.HealthCheckResponse_SERVING)
	if _, err := c.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "nobody"}); status.Code(err) != codes.NotFound {
		t.Errorf("Check of an unknown service: %v; want NOT_FOUND", err)
	}
	list, err := c.List(t.Context(), &healthpb.HealthListRequest{})
	if err != nil || len(list.GetStatuses()) != 8 || list.GetStatuses()["cache"].GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("List = %v, %v; want the process, 5 components and 2 services", list, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	watch, err := c.Watch(ctx, &healthpb.HealthCheckRequest{Service: "nobody"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := watch.Recv(); err != nil || got.GetStatus() != healthpb.HealthCheckResponse_SERVICE_UNKNOWN {
		t.Errorf("Watch of an unknown service = %v, %v; want SERVICE_UNKNOWN", got, err)
	}
	cancel()
	if _, err := watch.Recv(); status.Code(err) != codes.Canceled {
		t.Errorf("Watch that was cancelled = %v; want CANCELLED", err)
	}
}

// watching is the server's end of a Watch without a network.
type watching struct {
	healthpb.Health_WatchServer
	ctx  context.Context
	told []string
	from time.Time
	err  error
}

func (w *watching) Context() context.Context { return w.ctx }
func (w *watching) SetTrailer(metadata.MD)   {}
func (w *watching) Send(m *healthpb.HealthCheckResponse) error {
	w.told = append(w.told, fmt.Sprint(time.Since(w.from), " ", m.GetStatus()))
	return w.err
}

// still is a registry whose health the test sets.
type still struct {
	ready atomic.Bool
	asked atomic.Int32
}

func (s *still) Health(context.Context) control.Health {
	s.asked.Add(1)
	return control.Health{Ready: s.ready.Load()}
}

func TestWatchTellsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &still{}
		h := &retrygrpc.Health{Registry: r, Every: 500 * time.Millisecond}
		ctx, cancel := context.WithCancel(t.Context())
		streams := make([]*watching, 100)
		ended := make(chan error, len(streams))
		for i := range streams {
			streams[i] = &watching{ctx: ctx, from: time.Now()}
			go func() { ended <- h.Watch(&healthpb.HealthCheckRequest{}, streams[i]) }()
		}
		time.Sleep(1200 * time.Millisecond)
		r.ready.Store(true)
		time.Sleep(time.Second)
		cancel()
		for range streams {
			if err := <-ended; status.Code(err) != codes.Canceled {
				t.Errorf("Watch ended with %v; want CANCELLED", err)
			}
		}
		want := []string{"0s NOT_SERVING", "1.5s SERVING"}
		for _, s := range streams {
			if !slices.Equal(s.told, want) {
				t.Fatalf("a stream was told %q; want %q", s.told, want)
			}
		}
		if n := r.asked.Load(); n != 5 {
			t.Errorf("100 streams asked %d times in 2.2 s; want once each half second", n)
		}
	})
}

func TestWatchEndsWithItsStream(t *testing.T) {
	gone := errors.New("gone")
	w := &watching{ctx: t.Context(), err: gone}
	if err := (&retrygrpc.Health{Registry: &still{}}).Watch(&healthpb.HealthCheckRequest{}, w); !errors.Is(err, gone) {
		t.Errorf("Watch = %v; want %v", err, gone)
	}
}
