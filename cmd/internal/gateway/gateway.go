package gateway

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/chaos"
	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/retry"
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

	config  *config.Proxy // as it was at the beginning: what a reload does not change
	chaos   *chaos.Injector
	log     *slog.Logger
	name    string
	room    room
	full    int64 // size of the room
	base    *http.Transport
	below   http.RoundTripper // base, with its faults
	bans    *exchange.Bans
	inside  sync.WaitGroup // requests
	places  *doorman       // nil before it listens
	watcher *config.Watcher

	live   atomic.Pointer[table]
	venues map[string]*desk // the first of each venue; used by New and by one reload at a time, as is shown
	shown  bool             // the registry knows already why this reload was refused

	results map[result]*atomic.Uint64 // of requests without a route
}

// Options say what a Gateway needs beside the file.
type Options struct {
	Chaos   *chaos.Injector  // makes upstreams fail; nil: none does
	Log     *slog.Logger     // nil means slog.Default()
	Follow  bool             // what the file says is put in force when it changes
	Hangups <-chan os.Signal // with Follow, each asks to read it now; nil: none does
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
		config: p, chaos: o.Chaos, log: cmp.Or(o.Log, slog.Default()), name: p.Name, full: int64(cmp.Or(p.Buffer, defaultBuffer)),
		bans: &exchange.Bans{}, venues: map[string]*desk{}, results: counts(),
	}
	if g.name == "" {
		var random [4]byte
		rand.Read(random[:])
		g.name = "relent-" + hex.EncodeToString(random[:])
	}
	g.room.free.Store(g.full)
	g.Registry = &control.Registry{Instance: g.name, Logger: g.log}
	set, err := file.Register(ctx, g.Registry)
	if err != nil {
		return nil, err
	}
	g.base = &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 256, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
		DisableCompression: true, MaxResponseHeaderBytes: 256 << 10,
	}
	g.below = g.base
	if o.Chaos != nil {
		g.below = &chaos.Transport{Base: g.base, Injector: o.Chaos}
	}
	if p.Bans != "" {
		g.bans.Store = &exchange.FileBans{Path: p.Bans}
	}
	if o.Follow {
		g.watcher = &config.Watcher{
			Name: file.Name, Lookup: os.LookupEnv, Signals: o.Hangups, Publish: g.publish, Audit: g.told,
			Recovered: func(e config.Event) { g.Registry.Reloaded(e.Hash, "the text in force was put back") },
		}
		g.watcher.Adopt(set)
	}
	next, err := g.prepare(set)
	if err != nil {
		return nil, err
	}
	return g, g.adopt(next)
}

func counts() map[result]*atomic.Uint64 {
	all := map[result]*atomic.Uint64{}
	for _, r := range results {
		all[r] = &atomic.Uint64{}
	}
	return all
}

// policy is what is in force.
func (r *route) policy() *retry.Policy { return r.source.Current() }

// buffers are for answers on their way. They are small, because a client that takes its answer slowly keeps one.
type buffers struct{}

const bufferSize = 8 << 10

var spare = sync.Pool{New: func() any { return new([bufferSize]byte) }}

func (buffers) Get() []byte  { return spare.Get().(*[bufferSize]byte)[:] }
func (buffers) Put(b []byte) { spare.Put((*[bufferSize]byte)(b)) }
