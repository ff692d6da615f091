package retrygrpc

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/relent-go/relent/control"
)

// DefaultWatch is how often streams of Watch look at health by default.
const DefaultWatch = time.Second

// Health serves grpc.health.v1.Health from the health of a registry:
//
//	healthpb.RegisterHealthServer(server, &retrygrpc.Health{Registry: registry})
//
// The service "" is the process: SERVING while it is ready, which an open circuit and an emergency stop do not change. Any other is a component, by its
// name or by what Services says: SERVING while it is up or degraded, UNKNOWN until it was checked, else NOT_SERVING. It is
// safe for concurrent use and must not be copied after first use.
type Health struct {
	healthpb.UnimplementedHealthServer

	Registry interface { // a *control.Registry
		Health(context.Context) control.Health
	}
	Services map[string]string // the components behind services, by the services' names; "" stands for the process
	Every    time.Duration     // how often Watch looks; not positive means DefaultWatch

	mu   sync.Mutex
	at   time.Time      // guarded by mu
	last control.Health // guarded by mu
}

var _ healthpb.HealthServer = (*Health)(nil)

// Check implements [healthpb.HealthServer]. The error for a service that nobody knows is NOT_FOUND. It answers in about 100 ms at most.
func (h *Health) Check(ctx context.Context, in *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	s := h.status(h.Registry.Health(ctx), in.GetService())
	if s == healthpb.HealthCheckResponse_SERVICE_UNKNOWN {
		return nil, status.Errorf(codes.NotFound, "service %q is neither a component nor among Services", in.GetService())
	}
	return &healthpb.HealthCheckResponse{Status: s}, nil
}

// List implements [healthpb.HealthServer].
func (h *Health) List(ctx context.Context, _ *healthpb.HealthListRequest) (*healthpb.HealthListResponse, error) {
	now := h.Registry.Health(ctx)
	all := map[string]*healthpb.HealthCheckResponse{"": {Status: h.status(now, "")}}
	for _, c := range now.Components {
		all[c.Name] = &healthpb.HealthCheckResponse{Status: h.status(now, c.Name)}
	}
	for service := range h.Services {
		all[service] = &healthpb.HealthCheckResponse{Status: h.status(now, service)}
	}
	return &healthpb.HealthListResponse{Statuses: all}, nil
}

// Watch implements [healthpb.HealthServer]. It sends the status at once, and then whenever it has changed, until the stream ends. A
// service that nobody knows is SERVICE_UNKNOWN, and may become known.
func (h *Health) Watch(in *healthpb.HealthCheckRequest, stream healthpb.Health_WatchServer) error {
	ticker := time.NewTicker(h.every())
	defer ticker.Stop()
	told := healthpb.HealthCheckResponse_ServingStatus(-1)
	for ctx := stream.Context(); ; {
		if s := h.status(h.shared(), in.GetService()); s != told {
			told = s
			if err := stream.Send(&healthpb.HealthCheckResponse{Status: s}); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		case <-ticker.C:
		}
	}
}

func (h *Health) every() time.Duration {
	if h.Every <= 0 {
		return DefaultWatch
	}
	return h.Every
}

// shared returns the health that all streams share: many that watch cost as much as one.
func (h *Health) shared() control.Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now(); h.at.IsZero() || now.Sub(h.at) >= h.every()/2 {
		h.last, h.at = h.Registry.Health(context.Background()), now // which takes 100 ms at most, and is not the business of one stream
	}
	return h.last
}

// status is that of a service.
func (h *Health) status(now control.Health, service string) healthpb.HealthCheckResponse_ServingStatus {
	if component, ok := h.Services[service]; ok {
		service = component
	}
	if service == "" {
		if now.Ready {
			return healthpb.HealthCheckResponse_SERVING
		}
		return healthpb.HealthCheckResponse_NOT_SERVING
	}
	for _, c := range now.Components {
		if c.Name != service {
			continue
		}
		switch c.State {
		case "up", "degraded":
			return healthpb.HealthCheckResponse_SERVING
		case "unknown":
			return healthpb.HealthCheckResponse_UNKNOWN
		}
		return healthpb.HealthCheckResponse_NOT_SERVING
	}
	return healthpb.HealthCheckResponse_SERVICE_UNKNOWN
}
