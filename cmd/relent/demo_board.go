package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/relent-go/relent/cmd/internal/demo"
	"github.com/relent-go/relent/cmd/internal/server"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
)

// A board is a control plane for the demo alone: what `relent serve` is for a fleet, with its state in a folder that goes
// with it. The demo is connected to it as any process would be.
type board struct {
	url     string
	control *demo.Control
	dir     string
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func openBoard(ctx context.Context, listen string) (*board, error) {
	dir, err := os.MkdirTemp("", "relent-demo-")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b := &board{dir: dir, cancel: cancel}
	silent := slog.New(slog.DiscardHandler)
	ready, failed := make(chan *server.Server, 1), make(chan error, 1)
	b.running.Go(func() {
		failed <- server.Run(ctx, server.Config{Listen: listen, Store: "sqlite:" + filepath.Join(dir, "relent.db"), Name: "demo", Log: silent},
			func(s *server.Server) { ready <- s })
	})
	select {
	case s := <-ready:
		b.url = s.URL()
	case err := <-failed:
		b.close()
		return nil, fmt.Errorf("dashboard: %w\ntry: relent demo --no-dashboard", err)
	}
	b.control = &demo.Control{Registry: &control.Registry{Instance: "demo", Logger: silent}, Stops: &halt.Tree{}}
	fleet := &control.Fleet{URL: b.url, Registry: b.control.Registry, Stops: b.control.Stops, Interval: 250 * time.Millisecond}
	b.running.Go(func() {
		if err := fleet.Run(ctx); !errors.Is(err, context.Canceled) {
			panic(err) // a mistake in the lines above
		}
	})
	b.running.Go(func() { b.control.Registry.Run(ctx) })
	return b, nil
}

func (b *board) close() {
	b.cancel()
	b.running.Wait()
	os.RemoveAll(b.dir)
}
