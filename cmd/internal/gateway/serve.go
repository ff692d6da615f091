package gateway

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
	"github.com/relent-go/relent/observe/audit"
)

// headerTime is how long a client may take for the headers of a request.
const headerTime = 10 * time.Second

// An Address is where a gateway listens.
type Address struct{ Proxy, Admin net.Addr }

// open is how many connections of clients there are.
func (g *Gateway) open() int {
	if g.places == nil {
		return 0
	}
	return int(g.places.inside.Load())
}

// Run serves until ctx ends, then lets what is under way finish, for as long as drain says. ready, unless nil, is called once
// requests are answered. A gateway runs once.
func (g *Gateway) Run(ctx context.Context, ready func(Address)) error {
	public, err := net.Listen("tcp", cmp.Or(g.config.Listen, DefaultListen))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer public.Close()
	var secure *tls.Config
	if g.config.Cert != "" {
		if secure, err = (&certificate{cert: g.config.Cert, key: g.config.Key, log: g.log}).config(); err != nil {
			return err
		}
	}
	private, err := net.Listen("tcp", cmp.Or(g.config.Admin, DefaultAdmin))
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	defer private.Close()

	// Everything below ends in the order: no new requests, those under way, then what they used.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	if err := g.record(work, &all); err != nil {
		return err
	}
	if err := g.join(work, &all); err != nil {
		return err
	}
	stops := g.live.Load().set.Halt // every set has this one
	all.Go(func() { g.Registry.Run(work) })
	all.Go(func() { g.analyze(work) })
	all.Go(func() { stops.Run(work) })
	handler, board, err := g.admin()
	if err != nil {
		return err
	}
	defer board.Close()
	defer g.base.CloseIdleConnections()

	g.places = newDoorman(public, cmp.Or(g.config.Connections, defaultConnections), secure)
	front := g.server(work)
	back := dashboard.Server("", handler)
	back.ErrorLog = front.ErrorLog
	served := make(chan error, 2)
	go func() { served <- front.Serve(g.places) }()
	go func() { served <- back.Serve(private) }()
	if g.watcher != nil {
		all.Go(func() { g.follow(work) })
	}
	if ready != nil {
		ready(Address{public.Addr(), private.Addr()})
	}
	open := 2
	select {
	case err = <-served:
		open--
	case <-ctx.Done():
	}
	g.Registry.Drain()
	farewell, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.live.Load().drain)
	defer cancel()
	if front.Shutdown(farewell) != nil {
		front.Close()
	}
	stop() // ends web sockets, and what takes longer
	g.inside.Wait()
	board.Close()
	if back.Shutdown(farewell) != nil {
		back.Close()
	}
	for ; open > 0; open-- {
		<-served
	}
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// server is what listens to clients. Every request ends with work.
func (g *Gateway) server(work context.Context) *http.Server {
	return &http.Server{
		Handler: g, ReadHeaderTimeout: headerTime, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return work },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ConnState:   idle,
		ErrorLog:    slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
}

// record keeps what is commanded, if the file says where.
func (g *Gateway) record(ctx context.Context, all *sync.WaitGroup) error {
	file := g.live.Load().set.File
	a := file.Audit
	if a == nil {
		return nil
	}
	store, err := audit.OpenFile(a.Dir, audit.FileOptions{SegmentBytes: int64(a.SegmentSize)})
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	log := &audit.Log{Store: store, Chain: "proxy", Node: g.name, Config: file.Hash}
	g.Registry.Recorder = log
	g.Registry.SetAudit(control.AuditOf(log))
	all.Go(func() {
		if err := log.Run(ctx); err != nil && ctx.Err() == nil {
			g.log.Error("the audit log ended; commands are refused from now on", "error", err)
		}
		store.Close()
	})
	return nil
}

// join connects the gateway with its control plane, if it has one.
func (g *Gateway) join(ctx context.Context, all *sync.WaitGroup) error {
	c := g.config.Control
	if c == nil {
		return nil
	}
	fleet := &control.Fleet{URL: c.URL, Registry: g.Registry, Stops: g.live.Load().set.Halt, Dir: c.Dir}
	if c.TokenFile != "" {
		text, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return fmt.Errorf("control: %w", err)
		}
		fleet.Token = strings.TrimSpace(string(text))
		if fleet.Token == "" {
			return fmt.Errorf("control: %s is empty: it must hold a token", c.TokenFile)
		}
	}
	if err := fleet.Check(); err != nil {
		return fmt.Errorf("control: %w", err)
	}
	all.Go(func() { fleet.Run(ctx) })
	return nil
}
