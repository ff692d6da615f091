package relentdo

import (
	"context"
	"errors"

	"github.com/samber/do/v2"

	"github.com/relent-go/relent/contrib/process"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/work/job"
)

var (
	_ do.ShutdownerWithContextAndError = (*Service)(nil)
	_ do.HealthcheckerWithContext      = (*Service)(nil)
)

// A Service is a process that an injector starts and shuts down.
type Service struct{ *process.Process }

// Shutdown stops the process: see [process.Process.Stop].
func (s *Service) Shutdown(ctx context.Context) error { return s.Stop(ctx) }

// HealthCheck returns why the process is failing, or nil.
func (s *Service) HealthCheck(ctx context.Context) error { return s.Health(ctx) }

// Package provides the parts of relent to an injector.
var Package = do.Package(
	do.Lazy(start),
	do.Lazy(part(func(s *Service) *control.Registry { return s.Registry })),
	do.Lazy(part(func(s *Service) *halt.Tree { return s.Stops })),
	do.Lazy(part(func(s *Service) *audit.Log { return s.Audit })),
	do.Lazy(part(func(s *Service) *control.Fleet { return s.Fleet })),
	do.Lazy(part(func(s *Service) process.Stores { return s.Stores })),
	do.Lazy(part(func(s *Service) idempotent.Store { return s.Stores.Keys })),
	do.Lazy(part(func(s *Service) job.Store { return s.Stores.Jobs })),
	do.Lazy(part(func(s *Service) order.Log { return s.Stores.Orders })),
)

func start(i do.Injector) (*Service, error) {
	c, err := do.Invoke[process.Config](i)
	if err != nil && !errors.Is(err, do.ErrServiceNotFound) {
		return nil, err
	}
	p, err := process.New(c)
	if err != nil {
		return nil, err
	}
	return &Service{p}, p.Start(context.Background())
}

func part[T any](of func(*Service) T) do.Provider[T] {
	return func(i do.Injector) (t T, err error) {
		s, err := do.Invoke[*Service](i)
		if err != nil {
			return t, err
		}
		return of(s), nil
	}
}
