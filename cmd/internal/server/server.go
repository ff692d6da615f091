package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/relent-go/relent/contrib/prom"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/store/sqldb"
)

// A Config says how to serve. The zero value serves on the default address, with a database in this folder.
type Config struct {
	Listen     string   // host:port; empty means DefaultListen; anything but the loopback address needs TokenFile
	Store      string   // URL of the database; empty means DefaultStore
	TokenFile  string   // of lines name:role:hash; empty: nobody signs in
	Hosts      []string // names, with ports, that requests may ask for; loopback names always may
	ReadOnly   bool     // refuse commands of the dashboard
	Name       string   // of this server among several; empty means the host's name and the port
	Approvers  []string // who may approve a release, as halt.Tree
	Designated []string // who may approve the release of what a trip stopped, as halt.Tree
	Budgets    map[string]Budget
	Alerts     []Alert           // who is told of findings, until a File says otherwise
	Verify     time.Duration     // between two verifications of the audit log; 0 means DefaultVerify, below 0 only when somebody asks
	Drain      time.Duration     // how long to answer "not ready" before the end; 0 means none
	Log        *slog.Logger      // nil means slog.Default()
	Registry   *control.Registry // of this process, shown beside the fleet; nil: none of its own
	File       File              // is followed; nil: the configuration does not change
}

// Defaults of a Config.
const (
	DefaultListen = "127.0.0.1:8470"
	DefaultStore  = "sqlite:relent.db"
)

// Check returns all mistakes, joined, each beginning with its field's name, or nil.
func (c Config) Check() error {
	var errs []error
	host, _, err := net.SplitHostPort(cmp.Or(c.Listen, DefaultListen))
	if err != nil {
		errs = append(errs, fmt.Errorf("Listen: %q is not host:port", c.Listen))
	} else if c.TokenFile == "" && !loopback(host) {
		errs = append(errs, fmt.Errorf("Listen: %s can be reached from other machines, so it needs a token file (--token-file)", c.Listen))
	}
	if c.TokenFile != "" {
		if _, err := readTokens(c.TokenFile); err != nil {
			errs = append(errs, fmt.Errorf("TokenFile: %w", err))
		}
	}
	for name, b := range c.Budgets {
		if !(b.Capacity > 0) || !(b.Floor >= 0) {
			errs = append(errs, fmt.Errorf("Budgets: %s: its capacity must be above 0 and its floor not below", name))
		}
	}
	errs = append(errs, checkAlerts(c.Alerts))
	return errors.Join(errs...)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// A Server is a control plane that serves.
type Server struct {
	Addr net.Addr

	registry *control.Registry
	plane    *plane
	views    *instances
	lend     *lenders
	alerts   *alerts
	verified *verified
	http     *http.Server
}

// URL is where the dashboard is.
func (s *Server) URL() string { return "http://" + s.Addr.String() + "/" }

// Run serves until ctx ends. ready, unless nil, is called once requests are answered.
func Run(ctx context.Context, c Config, ready func(*Server)) error {
	if err := c.Check(); err != nil {
		return err
	}
	c.Log = cmp.Or(c.Log, slog.Default())
	db, err := sqldb.Open(ctx, cmp.Or(c.Store, DefaultStore))
	if err != nil {
		return err
	}
	defer db.Close()
	listener, err := net.Listen("tcp", cmp.Or(c.Listen, DefaultListen))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer listener.Close()
	if c.Name == "" {
		host, _ := os.Hostname()
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		c.Name = host + ":" + port
	}

	log := &audit.Log{Store: db.Audit(), Chain: chain(c.Name), Node: c.Name}
	s := &Server{Addr: listener.Addr(), registry: &control.Registry{Instance: c.Name, Build: build(), Logger: c.Log}}
	s.verified = &verified{}
	s.registry.SetAudit(s.verified.over(control.AuditOf(log)))
	s.plane = &plane{docs: db.Documents(), audit: log, log: c.Log, approvers: c.Approvers, designated: c.Designated}
	s.views = &instances{self: s.registry, docs: db.Documents(), name: c.Name, plane: s.plane, views: map[string]*reported{}}
	s.alerts = &alerts{log: c.Log, audit: log}
	s.views.found = &findings{tell: s.alerts.tell}
	s.plane.known = s.views.operation
	if err := s.plane.open(ctx); err != nil {
		return err
	}
	err = s.registry.AddComponents(
		control.Component{Name: "store", Critical: true, Check: func(ctx context.Context) error {
			_, _, err := db.Documents().Get(ctx, document)
			return err
		}},
		control.Component{Name: "audit", Critical: true, DependsOn: []string{"store"}, Check: control.AuditWritable(log)},
		control.Component{Name: "alerts", Check: s.alerts.check},
	)
	if err != nil {
		return err
	}
	s.lend = &lenders{budgets: c.Budgets}
	s.lend.share(1)
	present := servers{db.Documents(), c.Name}

	// Everything below ends in the order: no new requests, streams say good-bye, then what they used.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() {
		if err := log.Run(work); err != nil {
			c.Log.Error("the audit log ended; commands are refused from now on", "error", err)
		}
	})
	s.alerts.change(c.Alerts)
	all.Go(func() {
		<-work.Done()
		s.alerts.close()
	})
	all.Go(func() { s.plane.watch(work) })
	all.Go(func() { s.registry.Run(work) })
	if every := cmp.Or(c.Verify, DefaultVerify); every > 0 {
		all.Go(func() { reader{db.Audit(), s.verified}.watch(work, every, s.tampered) })
	}
	tick := func() {
		names, err := present.call(work)
		if err != nil {
			names = []string{c.Name}
		}
		s.lend.share(len(names))
		if c.Registry != nil {
			s.views.take(control.Report{View: c.Registry.View()})
		}
		s.views.tick(work, names)
	}
	tick()
	all.Go(func() {
		every := time.NewTicker(time.Second)
		defer every.Stop()
		for {
			select {
			case <-work.Done():
				return
			case <-every.C:
				tick()
			}
		}
	})
	if c.Registry != nil {
		all.Go(func() { s.pass(work, c.Registry) })
	}

	if c.File != nil {
		c.File.Begin(s)
		all.Go(func() { c.File.Run(work) })
	}
	handler, closing, err := s.handler(c, db, work)
	if err != nil {
		return err
	}
	s.http = dashboard.Server("", handler)
	s.http.ReadHeaderTimeout = deadline
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(listener) }()
	if ready != nil {
		ready(s)
	}
	select {
	case err = <-served:
	case <-ctx.Done():
		s.registry.Drain()
		if c.Drain > 0 {
			timer := time.NewTimer(c.Drain)
			select {
			case <-timer.C:
			case err = <-served:
			}
			timer.Stop()
		}
	}
	stop()
	closing()
	farewell, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if s.http.Shutdown(farewell) != nil {
		s.http.Close()
	}
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// tampered tells that the audit log is not what was written.
func (s *Server) tampered(err error) {
	s.plane.log.Error("the audit log was altered: keep it as it is, and see docs/runbooks/relent-audit-chain-broken.md", "error", err)
	s.registry.Note(control.Note{Kind: "health", Text: err.Error()})
}

// pass hands the events of this process's own registry to the dashboard.
func (s *Server) pass(ctx context.Context, from *control.Registry) {
	notes := from.Subscribe(control.Filter{}, 0)
	defer notes.Close()
	for ctx.Err() == nil {
		list, _ := notes.Next(ctx)
		for _, n := range list {
			s.registry.Note(n)
		}
	}
}

// handler puts together what is served.
func (s *Server) handler(c Config, db *sqldb.DB, work context.Context) (http.Handler, func(), error) {
	var auth dashboard.Auth
	if c.TokenFile != "" {
		auth = dashboard.Tokens(&tokenFile{path: c.TokenFile})
	}
	board, err := dashboard.New(dashboard.Config{
		Source: source{s.views, s.lend}, Commander: s.plane, Audit: reader{db.Audit(), s.verified}, Auth: auth, Hosts: c.Hosts, ReadOnly: c.ReadOnly,
	})
	if err != nil {
		return nil, nil, err
	}
	metrics := prom.New(source{s.views, s.lend}, prom.Options{Streams: func() (int, uint64) { t := board.Stats(); return t.Clients, t.Dropped }})
	mux := http.NewServeMux()
	(&processes{s.plane, s.views, s.lend, db.Audit(), auth, work.Done()}).routes(mux)
	door := &door{auth, http.NewCrossOriginProtection()}
	(&releases{s.plane, c.ReadOnly}).routes(mux, door)
	mux.HandleFunc("POST /api/v1/config/reload", door.admit(dashboard.Operator, (&reloads{c.File, c.ReadOnly}).reload))
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	health := &control.Endpoint{Registry: s.registry, Details: func(r *http.Request) bool {
		if auth == nil {
			return true
		}
		_, ok := auth.Authenticate(dashboard.HashToken(bearer(r)))
		return ok
	}}
	for _, path := range []string{"/livez", "/readyz", "/healthz"} {
		mux.Handle(path, health)
	}
	mux.Handle("/", board)
	hosts := map[string]bool{}
	for _, h := range c.Hosts {
		hosts[h] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if auth == nil && !loopback(strings.Trim(host, "[]")) && !hosts[r.Host] { // a page of somebody else that a browser was led to believe is here
			http.Error(w, "this server does not answer for "+r.Host, http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	}), func() { board.Close() }, nil
}

// source shows the fleet, with the budgets that are lent.
type source struct {
	*instances
	lend *lenders
}

func (s source) View() control.View {
	v := s.instances.View()
	lent := s.lend.views()
	for _, b := range v.Budgets { // what processes say of the policies that draw on them
		for i := range lent {
			if lent[i].Name == b.Name {
				lent[i].Policies, lent[i].Granted, lent[i].Denied = b.Policies, b.Granted, b.Denied
			}
		}
	}
	own := map[string]bool{}
	for _, b := range lent {
		own[b.Name] = true
	}
	for _, b := range v.Budgets {
		if !own[b.Name] {
			lent = append(lent, b)
		}
	}
	v.Budgets = lent
	return v
}

// chain is the name of a server's own chain of audit records.
func chain(server string) string {
	return "server-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, server[:min(len(server), 57)]) // of the 64 bytes that a name may have
}

func build() control.Build {
	b := control.Build{Version: "(devel)"}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.Version, b.Go = cmp.Or(info.Main.Version, b.Version), info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Revision = s.Value
			}
		}
	}
	return b
}
