package exchange

import "sync"

// An endpoint is what is known of a method and path, found once.
type endpoint struct {
	kind  Kind
	learn string
	draws []endpointDraw

	bySymbol bool // some limit counts symbols apart
}

// An endpointDraw is one limit on which requests to an endpoint draw.
type endpointDraw struct {
	draw   int
	prices []*price // that may apply; the parameters decide
	other  float64  // what it costs if none does
	apart  string   // of the ledger, if endpoints count apart
}

// endpoints remember endpoints.
type endpoints struct {
	mu    sync.RWMutex
	known map[endpointKey]*endpoint
}

type endpointKey struct{ method, path string }

// mostEndpoints is how many are remembered. Paths with ids in them may be many.
const mostEndpoints = 512

func (p *Profile) endpoint(method, path string) *endpoint {
	key := endpointKey{method, path}
	p.seen.mu.RLock()
	e := p.seen.known[key]
	p.seen.mu.RUnlock()
	if e != nil {
		return e
	}
	e = p.findEndpoint(method, path)
	p.seen.mu.Lock()
	defer p.seen.mu.Unlock()
	if len(p.seen.known) < mostEndpoints {
		p.seen.known[key] = e
	}
	return e
}

func (p *Profile) findEndpoint(method, path string) *endpoint {
	e := &endpoint{}
	e.kind, e.learn = p.route(method, path)
	for i := range p.draws {
		d := &p.draws[i]
		if !d.counts(e.kind, path) {
			continue
		}
		n := endpointDraw{draw: i}
		e.bySymbol = e.bySymbol || d.bySymbol
		n.prices, n.other = d.pricesOf(method, path)
		if d.byPath {
			n.apart = method + " " + path
		}
		if d.apart {
			n.apart = e.kind.String() + " " + n.apart
		}
		e.draws = append(e.draws, n)
	}
	return e
}
