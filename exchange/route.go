package exchange

import "strings"

// What the answers of routes teach.
const (
	learnTime   = "time"   // the venue's clock
	learnLimits = "limits" // rateLimits of Binance's exchangeInfo
)

// A route is a Route, ready to be compared.
type route struct {
	method string // empty: any
	path   []string
	kind   Kind
	learn  string
}

func newRoutes(list []Route) []route {
	routes := make([]route, len(list))
	for i, r := range list {
		routes[i] = route{strings.TrimPrefix(r.Method, "*"), segments(r.Path), r.Kind, r.Learn}
	}
	return routes
}

// segments splits a path.
func segments(path string) []string { return strings.Split(strings.Trim(path, "/"), "/") }

// ends says whether a path ends like a pattern: "*" is any one segment, a last "**" any number of them.
func ends(path string, pattern []string) bool {
	path = strings.TrimSuffix(path, "/")
	if n := len(pattern) - 1; n >= 0 && pattern[n] == "**" {
		return within(path, pattern[:n])
	}
	for i := len(pattern) - 1; i >= 0; i-- {
		slash := strings.LastIndexByte(path, '/')
		if segment := path[slash+1:]; segment != pattern[i] && (pattern[i] != "*" || segment == "") {
			return false
		}
		if slash < 0 {
			return i == 0
		}
		path = path[:slash]
	}
	return true
}

// within says whether a path ends like a pattern after any number of segments.
func within(path string, pattern []string) bool {
	for {
		if ends(path, pattern) {
			return true
		}
		slash := strings.LastIndexByte(path, '/')
		if slash < 0 {
			return false
		}
		path = path[:slash]
	}
}

// route returns what a request is for. One that no route knows is a read if its method is safe, and else an order,
// the strictest.
func (p *Profile) route(method, path string) (Kind, string) {
	var best *route
	for i := range p.routes {
		r := &p.routes[i]
		if (r.method == "" || r.method == method) && (best == nil || len(r.path) > len(best.path)) && ends(path, r.path) {
			best = r
		}
	}
	switch {
	case best != nil:
		return best.kind, best.learn
	case method == "" || method == "GET" || method == "HEAD" || method == "OPTIONS":
		return Read, ""
	}
	return Order, ""
}

// Kind says what a request is for, as a [Transport] sees it.
func (p *Profile) Kind(method, path string) Kind { return p.endpoint(method, path).kind }
