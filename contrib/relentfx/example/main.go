// Example is a program that fx puts together: registry, gates, stores, fleet client and dashboard begin and end with the app, and
// the desk that makes the calls in between.
//
//	go run ./contrib/relentfx/example
//
// With -server it belongs to a control plane: see relent serve.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"go.uber.org/fx"

	"github.com/relent-go/relent/contrib/process"
	"github.com/relent-go/relent/contrib/relentfx"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe/audit"
)

// Settings are what the command line says.
type settings struct {
	listen, server, dir string
	length              time.Duration // 0: until ^C
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run starts the app, waits, and stops it.
func run(ctx context.Context, args []string, out io.Writer) error {
	var s settings
	flags := flag.NewFlagSet("example", flag.ContinueOnError)
	flags.StringVar(&s.listen, "listen", "127.0.0.1:8484", "address of the dashboard")
	flags.StringVar(&s.server, "server", "", "URL of a control plane, such as http://127.0.0.1:8470")
	flags.StringVar(&s.dir, "dir", "", "folder for the audit log and the stops; empty: a temporary one")
	flags.DurationVar(&s.length, "for", 0, "how long to go on; 0: until ^C")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "relentfx-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		s.dir = dir
	}
	app := fx.New(fx.NopLogger, relentfx.Module,
		fx.Supply(s, fx.Annotate(out, fx.As(new(io.Writer)))),
		fx.Provide(newConfig, relentfx.Gate(newBreaker), relentfx.Gate(newBudget), relentfx.Component(newVenue), newDesk),
		fx.Invoke(func(*desk) {}),
	)
	if err := app.Start(ctx); err != nil {
		return err
	}
	if s.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.length)
		defer cancel()
	}
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.Background(), app.StopTimeout())
	defer cancel()
	return app.Stop(end)
}

// newConfig is what the process is made of: an audit log and stops that survive it, and a fleet client if there is a control plane.
func newConfig(life fx.Lifecycle, s settings) (process.Config, error) {
	records, err := audit.OpenFile(filepath.Join(s.dir, "audit"), audit.FileOptions{})
	if err != nil {
		return process.Config{}, err
	}
	life.Append(fx.StopHook(records.Close)) // after the process, which was started later
	c := process.Config{
		Registry: &control.Registry{Instance: "desk-1"}, Listen: s.listen,
		Stops: &halt.Tree{File: filepath.Join(s.dir, "stops.json")}, Stores: process.Stores{Audit: records},
	}
	if s.server != "" {
		c.Fleet = &control.Fleet{URL: s.server, Dir: s.dir}
	}
	return c, nil
}

func newBreaker() process.Gate { return process.Gate{Name: "venue", Gate: &breaker.Breaker{}} }
func newBudget() process.Gate  { return process.Gate{Name: "retries", Gate: &budget.Budget{}} }

// newVenue is what the desk needs.
func newVenue() control.Component { return control.Component{Name: "venue", Critical: true} }
