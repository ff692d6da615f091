package gateway

import (
	"net"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/relent-go/relent/chaos"
	"github.com/relent-go/relent/cmd/internal/server"
	"github.com/relent-go/relent/contrib/prom"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
)

// admin puts together what operators reach: health, metrics, dashboard and emergency stop.
func (g *Gateway) admin() (http.Handler, *dashboard.Handler, error) {
	var auth dashboard.Auth
	if g.config.Tokens != "" {
		store, err := server.Tokens(g.config.Tokens)
		if err != nil {
			return nil, nil, err
		}
		auth = dashboard.Tokens(store)
	}
	board, err := dashboard.New(dashboard.Config{Source: g.Registry, Commander: g.Registry, Auth: auth, Hosts: g.config.Hosts})
	if err != nil {
		return nil, nil, err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(figures{g}, prom.New(g.Registry, prom.Options{Streams: func() (int, uint64) { t := board.Stats(); return t.Clients, t.Dropped }}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{Registry: metrics, MaxRequestsInFlight: 4}))
	may := func(r *http.Request, role dashboard.Role) bool {
		if auth == nil {
			return true
		}
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		who, ok := auth.Authenticate(dashboard.HashToken(token))
		return ok && who.Role >= role
	}
	health := &control.Endpoint{Registry: g.Registry, Details: func(r *http.Request) bool { return may(r, dashboard.Viewer) }}
	for _, path := range []string{"/livez", "/readyz", "/healthz"} {
		mux.Handle(path, health)
	}
	if g.chaos != nil {
		faults := http.NewCrossOriginProtection().Handler(&chaos.Switch{Injector: g.chaos})
		mux.HandleFunc("/chaos", func(w http.ResponseWriter, r *http.Request) {
			if !may(r, dashboard.Operator) {
				http.Error(w, "the faults are for operators: send a bearer token", http.StatusUnauthorized)
				return
			}
			faults.ServeHTTP(w, r)
		})
	}
	mux.Handle("/", board)
	hosts := map[string]bool{}
	for _, h := range g.config.Hosts {
		hosts[h] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		host = strings.Trim(host, "[]")
		ip := net.ParseIP(host)
		if auth == nil && host != "localhost" && (ip == nil || !ip.IsLoopback()) && !hosts[r.Host] { // a page of somebody else that a browser was led to believe is here
			http.Error(w, "this server does not answer for "+r.Host, http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	}), board, nil
}
