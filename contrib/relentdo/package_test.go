package relentdo_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/samber/do/v2"

	"github.com/relent-go/relent/contrib/process"
	"github.com/relent-go/relent/contrib/relentdo"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/job"
)

// A desk places orders: what a service is made of.
type desk struct{ place *control.Operation }

func newDesk(i do.Injector) (*desk, error) {
	s := do.MustInvoke[*relentdo.Service](i)
	place, err := s.Registry.AddOperation("binance", &retry.Policy{Name: "binance.place_order", Gates: s.Gates("binance", "place_order")})
	return &desk{place}, err
}

func Example() {
	injector := do.New(relentdo.Package, do.Lazy(newDesk))
	do.ProvideValue(injector, process.Config{
		Registry: &control.Registry{Instance: "host:1"},
		Gates:    []process.Gate{{Name: "binance", Gate: &breaker.Breaker{}}},
	})
	d := do.MustInvoke[*desk](injector)
	fmt.Println(retry.Do(context.Background(), d.place, func(context.Context) (string, error) { return "accepted", nil }))
	fmt.Println("healthy:", do.HealthCheck[*relentdo.Service](injector))
	fmt.Println("shut down:", injector.Shutdown().Succeed)
	// Output:
	// accepted <nil>
	// healthy: <nil>
	// shut down: true
}

func TestPackage(t *testing.T) {
	injector := do.New(relentdo.Package)
	s := do.MustInvoke[*relentdo.Service](injector)
	if do.MustInvoke[*control.Registry](injector) != s.Registry || do.MustInvoke[*halt.Tree](injector) != s.Stops ||
		do.MustInvoke[*audit.Log](injector) != s.Audit || do.MustInvoke[process.Stores](injector) != s.Stores {
		t.Error("parts of another process")
	}
	if do.MustInvoke[idempotent.Store](injector) != s.Stores.Keys || do.MustInvoke[job.Store](injector) != s.Stores.Jobs ||
		do.MustInvoke[order.Log](injector) != s.Stores.Orders || do.MustInvoke[*control.Fleet](injector) != nil {
		t.Error("stores of another process, or a fleet client without a control plane")
	}
	if report := injector.Shutdown(); !report.Succeed {
		t.Error(report)
	}
	if err := s.Stop(t.Context()); err != process.ErrStopped {
		t.Errorf("Stop() after the shutdown = %v", err)
	}
}

func TestMistakes(t *testing.T) {
	bad := do.New(relentdo.Package)
	do.ProvideValue(bad, process.Config{Listen: "8484"})
	if _, err := do.Invoke[*control.Registry](bad); err == nil || !strings.Contains(err.Error(), `Listen: "8484"`) {
		t.Errorf("Invoke() = %v; want the field's name", err)
	}
	unreadable := errors.New("file unreadable")
	broken := do.New(relentdo.Package, do.Lazy(func(do.Injector) (process.Config, error) { return process.Config{}, unreadable }))
	if _, err := do.Invoke[*relentdo.Service](broken); !errors.Is(err, unreadable) {
		t.Errorf("Invoke() = %v; want %v", err, unreadable)
	}
}

func TestHealthCheck(t *testing.T) {
	injector := do.New(relentdo.Package)
	do.ProvideValue(injector, process.Config{Components: []control.Component{
		{Name: "ledger", Critical: true, Check: func(context.Context) error { return errors.New("disk full") }},
	}})
	do.MustInvoke[*relentdo.Service](injector)
	if err := do.HealthCheck[*relentdo.Service](injector); err == nil || !strings.Contains(err.Error(), "ledger") {
		t.Errorf("HealthCheck() = %v; want the name of what fails", err)
	}
	injector.Shutdown()
}

// A shutdown waits for calls no longer than its context.
func TestShutdownDrains(t *testing.T) {
	injector := do.New(relentdo.Package, do.Lazy(newDesk))
	d := do.MustInvoke[*desk](injector)
	release, begun, done := make(chan bool), make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		retry.Run(t.Context(), d.place, func(context.Context) error { close(begun); <-release; return nil })
	}()
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	report := injector.ShutdownWithContext(ctx)
	if report.Succeed || !strings.Contains(report.Error(), "1 calls are still in flight") {
		t.Errorf("Shutdown() = %v; want one call in flight", report)
	}
	close(release)
	<-done
}

func TestNoGoroutineIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		injector := do.New(relentdo.Package)
		do.ProvideValue(injector, process.Config{Listen: "127.0.0.1:0"})
		do.MustInvoke[*relentdo.Service](injector)
		injector.Shutdown()
	}
	for until := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}
