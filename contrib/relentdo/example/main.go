// Example is a program that do puts together: registry, gates, stores, fleet client and dashboard begin when the first of them is
// asked for, and end with the injector.
//
//	go run ./contrib/relentdo/example
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

	"github.com/samber/do/v2"

	"github.com/relent-go/relent/contrib/process"
	"github.com/relent-go/relent/contrib/relentdo"
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

// run puts the program together, waits, and shuts it down.
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
		dir, err := os.MkdirTemp("", "relentdo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		s.dir = dir
	}
	records, err := audit.OpenFile(filepath.Join(s.dir, "audit"), audit.FileOptions{})
	if err != nil {
		return err
	}
	defer records.Close() // after the injector, whose process writes to it
	injector := do.New(relentdo.Package, do.Lazy(newDesk))
	do.ProvideValue(injector, newConfig(s, records))
	do.ProvideValue(injector, out)
	if _, err := do.Invoke[*desk](injector); err != nil { // makes what it needs, and starts it
		return err
	}
	if s.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.length)
		defer cancel()
	}
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if report := injector.ShutdownWithContext(end); !report.Succeed {
		return report
	}
	return nil
}

// newConfig is what the process is made of: an audit log and stops that survive it, and a fleet client if there is a control plane.
func newConfig(s settings, records audit.Store) process.Config {
	c := process.Config{
		Registry: &control.Registry{Instance: "desk-1"}, Listen: s.listen,
		Stops: &halt.Tree{File: filepath.Join(s.dir, "stops.json")}, Stores: process.Stores{Audit: records},
		Gates:      []process.Gate{{Name: "venue", Gate: &breaker.Breaker{}}, {Name: "retries", Gate: &budget.Budget{}}},
		Components: []control.Component{{Name: "venue", Critical: true}},
	}
	if s.server != "" {
		c.Fleet = &control.Fleet{URL: s.server, Dir: s.dir}
	}
	return c
}
