package gateway

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/chaos"
	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// Defaults of the section proxy.
const (
	DefaultListen      = "127.0.0.1:8480"
	DefaultAdmin       = "127.0.0.1:8481"
	defaultHops        = 10
	defaultConnections = 20_000
	defaultBuffer      = 64 << 20
	defaultIdle        = 30 * time.Second
	defaultDrain       = 5 * time.Second
)

// A Gateway is a reverse proxy that retries. It comes from New.
type Gateway struct {
	Registry *control.Registry // what is shown and steered

	set    *config.Set
	config *config.Proxy
	chaos  *chaos.Injector
	log    *slog.Logger
	name   string
	hops   int
	idle   time.Duration
	room   room
	full   int64 // size of the room
	routes routes
	every  []*route // in the order of the file
	base   *http.Transport
	inside sync.WaitGroup // requests
	places *doorman       // nil before it listens

	results map[result]*atomic.Uint64 // of requests without a route
}

// Options say what a Gateway needs beside the file.
type Options struct {
	Chaos *chaos.Injector // makes upstreams fail; nil: none does
	Log   *slog.Logger    // nil means slog.Default()
}

// ErrNoProxy is why a file without the section proxy cannot be served.
var ErrNoProxy = errors.New("the configuration has no section proxy: it says where requests go")

// New makes a gateway of what a file describes, and registers its parts. Credentials that cannot be read are errors.
func New(ctx context.Context, file *config.File, o Options) (*Gateway, error) {
	p := file.Proxy
	if p == nil {
		return nil, ErrNoProxy
	}
	g := &Gateway{
		config: p, chaos: o.Chaos, log: cmp.Or(o.Log, slog.Default()), hops: cmp.Or(p.MaxHops, defaultHops),
		name: p.Name, idle: time.Duration(cmp.Or(p.ClientIdle, config.Duration(defaultIdle))), full: int64(cmp.Or(p.Buffer, defaultBuffer)),
		routes: routes{byHost: map[string][]*route{}}, results: counts(),
	}
	if g.name == "" {
		var random [4]byte
		rand.Read(random[:])
		g.name = "relent-" + hex.EncodeToString(random[:])
	}
	g.room.free.Store(g.full)
	g.Registry = &control.Registry{Instance: g.name, Logger: g.log}
	var err error
	if g.set, err = file.Register(ctx, g.Registry); err != nil {
		return nil, err
	}
	g.base = &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 256, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
		DisableCompression: true, MaxResponseHeaderBytes: 256 << 10,
	}
	var base http.RoundTripper = g.base
	if o.Chaos != nil {
		base = &chaos.Transport{Base: base, Injector: o.Chaos}
	}
	bans := &exchange.Bans{}
	if p.Bans != "" {
		bans.Store = &exchange.FileBans{Path: p.Bans}
	}
	venues := map[string]*desk{}
	var errs []error
	for i := range p.Routes {
		one, err := g.route(p.Routes[i], base, bans, venues)
		if err != nil {
			errs = append(errs, fmt.Errorf("proxy.routes[%d]: %w", i, err))
			continue
		}
		g.routes.add(one)
		g.every = append(g.every, one)
	}
	return g, errors.Join(errs...)
}

func counts() map[result]*atomic.Uint64 {
	all := map[result]*atomic.Uint64{}
	for _, r := range results {
		all[r] = &atomic.Uint64{}
	}
	return all
}

// route makes a route. Routes of one venue share its limits and its clock.
func (g *Gateway) route(c config.Route, base http.RoundTripper, bans *exchange.Bans, venues map[string]*desk) (*route, error) {
	upstream, err := url.Parse(c.Upstream)
	if err != nil {
		return nil, err
	}
	operation, err := g.Registry.Operation(c.Policy)
	if err != nil {
		return nil, err
	}
	one := &route{
		match: c.Match, upstream: upstream, config: c, maxBody: int64(cmp.Or(c.MaxBody, defaultBody)), results: counts(),
		source: &derived{from: operation},
	}
	one.replay = min(one.maxBody, int64(cmp.Or(c.Replay, defaultReplay)))
	for _, credential := range c.Credentials {
		s := &secret{Credential: credential}
		if _, err := s.get(); err != nil {
			return nil, err
		}
		one.secrets = append(one.secrets, s)
	}
	one.calls = &retryhttp.Transport{Base: base, Policy: one.source, Idempotent: harmless}
	if c.Venue != "" {
		if err := g.trade(one, base, bans, venues); err != nil {
			return nil, err
		}
	}
	one.proxy = &httputil.ReverseProxy{
		Rewrite: g.rewrite(one), Transport: one, ModifyResponse: g.answer, ErrorHandler: g.failed, BufferPool: buffers{},
		ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
	return one, nil
}

// trade makes a route one to a venue.
func (g *Gateway) trade(one *route, base http.RoundTripper, bans *exchange.Bans, venues map[string]*desk) error {
	name := one.config.Venue
	profile, ok := g.set.File.Facts(name + ".")
	if !ok {
		return fmt.Errorf("nothing is known about the venue %s", name)
	}
	d := &desk{name: name, profile: profile, stop: g.set.Stop(one.config.Policy), unknown: &atomic.Uint64{}, clock: &exchange.Clock{}}
	limits := &exchange.Limits{Profile: profile, Clock: d.clock}
	first, known := venues[name]
	if known {
		d.profile, d.clock, d.unknown, limits = first.profile, first.clock, first.unknown, first.sends.Limits
	}
	d.sends = &exchange.Transport{
		Base: base, Profile: d.profile, Account: cmp.Or(one.config.Account, "main"), Limits: limits, Bans: bans, Clock: d.clock, Desk: d, Halt: d.halted,
	}
	if !known {
		venues[name] = d
		if err := g.Registry.AddVenue(name, d.view); err != nil {
			return err
		}
	}
	one.venue = d
	none := func(*http.Request) bool { return false }
	one.calls = &retryhttp.Transport{Base: d.sends, Policy: &derived{from: one.source, change: reducing}, Idempotent: harmless, AttemptHeader: "-"}
	one.orders = &retryhttp.Transport{
		Base: d.sends, Policy: &derived{from: one.source, change: never}, Idempotent: none, AttemptHeader: "-", NoReplay: true, Classify: d.classify,
	}
	return nil
}

// policy is what is in force.
func (r *route) policy() *retry.Policy { return r.source.Current() }

// buffers are for answers on their way. They are small, because a client that takes its answer slowly keeps one.
type buffers struct{}

const bufferSize = 8 << 10

var spare = sync.Pool{New: func() any { return new([bufferSize]byte) }}

func (buffers) Get() []byte  { return spare.Get().(*[bufferSize]byte)[:] }
func (buffers) Put(b []byte) { spare.Put((*[bufferSize]byte)(b)) }
