package gateway

import (
	"cmp"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// What a route does unless the file says otherwise.
const (
	defaultBody    = 10 << 20
	defaultReplay  = 1 << 20
	defaultAttempt = time.Minute // of a policy that bounds neither attempts nor calls
)

// A route is where some requests go, and how.
type route struct {
	match    string // as it is written
	path     string // without the slash at its end
	upstream *url.URL
	config   config.Route
	maxBody  int64
	replay   int64
	venue    *desk // nil unless the upstream is one
	secrets  []*secret
	source   *derived // the policy

	proxy  *httputil.ReverseProxy
	calls  *retryhttp.Transport // of most requests
	orders *retryhttp.Transport // of those that are never sent again while nobody knows what became of them

	results map[result]*atomic.Uint64
}

// routes find the route of a request.
type routes struct{ byHost map[string][]*route }

func (r *routes) add(one *route) {
	host, path, _ := strings.Cut(one.match, "/")
	one.path = "/" + strings.TrimSuffix(path, "/")
	if one.path == "/" {
		one.path = ""
	}
	host = strings.ToLower(host)
	r.byHost[host] = append(r.byHost[host], one)
	slices.SortStableFunc(r.byHost[host], func(a, b *route) int { return cmp.Compare(len(b.path), len(a.path)) })
}

// find returns the route of a host and path, nil if there is none.
func (r *routes) find(host, path string) *route {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, list := range [...][]*route{r.byHost[host], r.byHost[""]} {
		for _, one := range list {
			if rest, ok := strings.CutPrefix(path, one.path); ok && (rest == "" || rest[0] == '/') {
				return one
			}
		}
	}
	return nil
}

// A derived policy follows another one, with a change.
type derived struct {
	from   retry.Source
	change func(*retry.Policy)
	made   atomic.Pointer[pair]
}

type pair struct{ from, to *retry.Policy }

// Current implements retry.Source.
func (d *derived) Current() *retry.Policy {
	p := d.from.Current()
	if made := d.made.Load(); made != nil && made.from == p {
		return made.to
	}
	to := *p
	to.Gates = slices.Clone(p.Gates)
	if to.AttemptTimeout <= 0 && to.MaxElapsed <= 0 {
		to.AttemptTimeout = defaultAttempt
	}
	if d.change != nil {
		d.change(&to)
	}
	d.made.Store(&pair{p, &to})
	return &to
}

// reducing makes a policy that passes a stop which asks for no more risk.
func reducing(p *retry.Policy) {
	for i, g := range p.Gates {
		if stop, ok := g.(*halt.Gate); ok {
			p.Gates[i] = stop.RiskReducing()
		}
	}
}

// never makes a policy that repeats nothing of which nobody knows what became.
func never(p *retry.Policy) { p.Idempotent = false }

// harmless says whether a request may be made again although it may have been done: it asks for nothing to be done (RFC 9110
// §9.2.1), or its key lets the upstream see that it is the same one.
func harmless(r *http.Request) bool {
	return safe(r.Method) || r.Header.Get("Idempotency-Key") != "" || r.Header.Get("X-Idempotency-Key") != ""
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// RoundTrip sends a request by the policy that is right for it.
func (r *route) RoundTrip(req *http.Request) (*http.Response, error) {
	if r.venue != nil && r.venue.guards(req) {
		return r.orders.RoundTrip(req)
	}
	return r.calls.RoundTrip(req)
}
