package relentfx_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/relent-go/relent/contrib/process"
	"github.com/relent-go/relent/contrib/relentfx"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/job"
)

func newGate() process.Gate { return process.Gate{Name: "binance", Gate: &breaker.Breaker{}} }
func newLink() control.Component {
	return control.Component{Name: "link", Check: func(context.Context) error { return nil }}
}
func newClasses() process.Classifier {
	return process.Classifier{Name: "venue", Classify: retry.DefaultClassify}
}

// A desk places orders: what a service is made of.
type desk struct{ place *control.Operation }

func newDesk(r *control.Registry, p *process.Process) (*desk, error) {
	venue, err := r.Gates("binance")
	if err != nil {
		return nil, err
	}
	place, err := r.AddOperation("link", &retry.Policy{Name: "binance.place_order", Gates: append(p.Gates("binance", "place_order"), venue...)})
	return &desk{place}, err
}

var options = fx.Options(
	relentfx.Module,
	fx.Provide(relentfx.Gate(newGate), relentfx.Component(newLink), relentfx.Classifier(newClasses), newDesk),
)

func Example() {
	app := fx.New(
		fx.NopLogger,
		relentfx.Module,
		fx.Supply(process.Config{Registry: &control.Registry{Instance: "host:1"}}),
		fx.Provide(relentfx.Gate(newGate), relentfx.Component(newLink), newDesk),
		fx.Invoke(func(life fx.Lifecycle, d *desk) {
			life.Append(fx.StartHook(func(ctx context.Context) {
				fmt.Println(retry.Do(ctx, d.place, func(context.Context) (string, error) { return "accepted", nil }))
			}))
		}),
	)
	fmt.Println(app.Start(context.Background()))
	fmt.Println(app.Stop(context.Background()))
	// Output:
	// accepted <nil>
	// <nil>
	// <nil>
}

func TestValidateApp(t *testing.T) {
	if err := fx.ValidateApp(options, fx.Invoke(func(
		*desk, *halt.Tree, *audit.Log, *control.Fleet, process.Stores, idempotent.Store, job.Store, order.Log,
	) {
	})); err != nil {
		t.Error(err)
	}
}

func TestGroups(t *testing.T) {
	var registry *control.Registry
	given := process.Config{Classifiers: []process.Classifier{{Name: "given", Classify: retry.DefaultClassify}}}
	app := fxtest.New(t, options, fx.Supply(given), fx.Populate(&registry))
	app.RequireStart()
	defer app.RequireStop()
	if _, err := registry.Gate("binance"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"given", "venue"} {
		if _, err := registry.Classifier(name); err != nil {
			t.Error(err)
		}
	}
	if names := registry.ComponentNames(); fmt.Sprint(names) != "[link]" {
		t.Errorf("components %v; want link", names)
	}
}

func TestMistakesStopTheApp(t *testing.T) {
	app := fx.New(fx.NopLogger, relentfx.Module, fx.Supply(process.Config{Listen: "8484"}))
	if err := app.Err(); err == nil || !strings.Contains(err.Error(), `Listen: "8484"`) {
		t.Errorf("Err() = %v; want the field's name", err)
	}
}

// The stop waits for calls, and no longer than its hook may.
func TestStopDrains(t *testing.T) {
	for _, test := range []struct {
		call, stop time.Duration
		want       error
	}{
		{3 * time.Second, 10 * time.Second, nil},
		{time.Minute, 2 * time.Second, context.DeadlineExceeded},
	} {
		synctest.Test(t, func(t *testing.T) {
			var d *desk
			app := fx.New(fx.NopLogger, options, fx.Populate(&d))
			if err := app.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			var done atomic.Bool
			go retry.Run(t.Context(), d.place, func(context.Context) error { time.Sleep(test.call); done.Store(true); return nil })
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), test.stop)
			defer cancel()
			began := time.Now()
			err := app.Stop(ctx)
			if !errors.Is(err, test.want) || done.Load() != (test.want == nil) {
				t.Errorf("Stop() = %v, call ended: %v; want %v", err, done.Load(), test.want)
			}
			if took := time.Since(began); took > test.stop+2*time.Second {
				t.Errorf("Stop took %v; it had %v", took, test.stop)
			}
			time.Sleep(time.Minute) // the call ends; synctest then fails if anything else is left
		})
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		app := fxtest.New(t, options, fx.Supply(process.Config{Listen: "127.0.0.1:0"}))
		app.RequireStart().RequireStop()
	}
	for until := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}
