package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/transport/retryhttp"
)

// A table is what a reload exchanges, as a whole. A request goes by the one that it found, to its end.
type table struct {
	set    *config.Set
	routes routes
	every  []*route // in the order of the file
	hops   int
	idle   time.Duration // how long a client may neither send nor take anything
	drain  time.Duration
}

// prepare makes the table of a set. Nothing that is in use changes. The error names all that is wrong, such as credentials that
// cannot be read.
func (g *Gateway) prepare(set *config.Set) (*table, error) {
	p := set.File.Proxy
	if p == nil {
		return nil, ErrNoProxy
	}
	t := &table{
		set: set, routes: routes{byHost: map[string][]*route{}}, hops: cmp.Or(p.MaxHops, defaultHops),
		idle: time.Duration(cmp.Or(p.ClientIdle, config.Duration(defaultIdle))), drain: defaultDrain,
	}
	if p.Drain != nil {
		t.drain = time.Duration(*p.Drain)
	}
	counted := map[string]map[result]*atomic.Uint64{}
	if old := g.live.Load(); old != nil {
		for _, one := range old.every {
			counted[one.match] = one.results // counters go on
		}
	}
	venues := map[string]*desk{}
	var errs []error
	for i := range p.Routes {
		one, err := g.route(set, p.Routes[i], venues)
		if err != nil {
			errs = append(errs, fmt.Errorf("proxy.routes[%d]: %w", i, err))
			continue
		}
		if one.results = counted[one.match]; one.results == nil {
			one.results = counts()
		}
		t.routes.add(one)
		t.every = append(t.every, one)
	}
	return t, errors.Join(errs...)
}

// route makes a route that has no policy yet. Routes of one venue share its limits and its clock.
func (g *Gateway) route(set *config.Set, c config.Route, venues map[string]*desk) (*route, error) {
	upstream, err := url.Parse(c.Upstream)
	if err != nil {
		return nil, err
	}
	one := &route{match: c.Match, upstream: upstream, config: c, maxBody: int64(cmp.Or(c.MaxBody, defaultBody)), source: &derived{}}
	one.replay = min(one.maxBody, int64(cmp.Or(c.Replay, defaultReplay)))
	for _, credential := range c.Credentials {
		s := &secret{Credential: credential}
		if _, err := s.get(); err != nil {
			return nil, err
		}
		one.secrets = append(one.secrets, s)
	}
	one.calls = &retryhttp.Transport{Base: g.below, Policy: one.source, Idempotent: harmless}
	if c.Venue != "" {
		if err := g.trade(set, one, venues); err != nil {
			return nil, err
		}
	}
	one.proxy = &httputil.ReverseProxy{
		Rewrite: g.rewrite(one), Transport: one, ModifyResponse: g.answer, ErrorHandler: g.failed, BufferPool: buffers{},
		ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
	return one, nil
}

// trade makes a route one to a venue. What the venue has counted and told so far stays, whatever route it came by.
func (g *Gateway) trade(set *config.Set, one *route, venues map[string]*desk) error {
	name := one.config.Venue
	d := &desk{name: name, stop: set.Stop(one.config.Policy)}
	first := cmp.Or(g.venues[name], venues[name])
	if first == nil {
		profile, ok := set.File.Facts(name + ".")
		if !ok {
			return fmt.Errorf("nothing is known about the venue %s", name)
		}
		clock := &exchange.Clock{}
		first = &desk{profile: profile, clock: clock, unknown: &atomic.Uint64{}, sends: &exchange.Transport{Limits: &exchange.Limits{Profile: profile, Clock: clock}}}
		venues[name] = d
	}
	d.profile, d.clock, d.unknown = first.profile, first.clock, first.unknown
	d.sends = &exchange.Transport{
		Base: g.below, Profile: d.profile, Account: cmp.Or(one.config.Account, "main"), Limits: first.sends.Limits, Bans: g.bans, Clock: d.clock,
		Desk: d, Halt: d.halted,
	}
	one.venue = d
	none := func(*http.Request) bool { return false }
	one.calls = &retryhttp.Transport{Base: d.sends, Policy: &derived{from: one.source, change: reducing}, Idempotent: harmless, AttemptHeader: "-"}
	one.orders = &retryhttp.Transport{
		Base: d.sends, Policy: &derived{from: one.source, change: never}, Idempotent: none, AttemptHeader: "-", NoReplay: true, Classify: d.classify,
	}
	return nil
}

// adopt puts a table in force whose policies are registered.
func (g *Gateway) adopt(t *table) error {
	for _, one := range t.every {
		operation, err := g.Registry.Operation(one.config.Policy)
		if err != nil {
			return err
		}
		one.source.from = operation
		if d := one.venue; d != nil && g.venues[d.name] == nil {
			if err := g.Registry.AddVenue(d.name, d.view); err != nil {
				return err
			}
			g.venues[d.name] = d
		}
	}
	g.live.Store(t)
	return nil
}
