package exchange

import (
	"slices"
	"strings"
	"time"
)

// A draw is a Draw, ready to be used.
type draw struct {
	limit    *Limit
	value    float64 // of the limit, as far as the facts may be relied on
	form     form
	window   time.Duration
	refill   float64
	kinds    [len(kindNames)]bool
	shares   [shares]bool
	paths    [][]string
	except   [][]string
	prices   []price
	tier     string
	codes    []string
	apart    bool
	byPath   bool
	bySymbol bool
	byIP     bool
	unfilled bool
}

// newDraws returns what requests draw on. A profile that does not say so lets every request draw on every limit.
func newDraws(p *Profile) []draw {
	limits := make(map[string]*Limit)
	var list []Draw
	for i := range p.Rest.Limits {
		l := &p.Rest.Limits[i]
		limits[l.ID] = l
		if len(p.Wire.Draws) == 0 && l.Model != modelCap && l.Model != modelDeadline {
			list = append(list, Draw{Limit: l.ID})
		}
	}
	draws := make([]draw, 0, len(limits))
	for _, d := range append(list, p.Wire.Draws...) {
		draws = append(draws, newDraw(p, d, limits[d.Limit]))
	}
	return draws
}

func newDraw(p *Profile, d Draw, l *Limit) draw {
	n := draw{
		limit: l, value: p.limitOf(l), window: l.window(), tier: d.Tier, codes: d.Codes, apart: d.Apart,
		byPath: strings.Contains(l.Scope, "endpoint"), byIP: strings.HasPrefix(l.Scope, "ip"),
		bySymbol: strings.Contains(l.Scope, "instrument") || strings.Contains(l.Scope, "market") || strings.Contains(l.Scope, "pair"),
		unfilled: l.Model == modelFixedUnfilled,
	}
	for _, k := range d.Kinds {
		n.kinds[k], n.shares[shareOf(k)] = true, true
	}
	if len(d.Kinds) == 0 {
		for k := range n.kinds {
			n.kinds[k], n.shares[shareOf(Kind(k))] = true, true
		}
	}
	for _, path := range d.Paths {
		n.paths = append(n.paths, segments(path))
	}
	for _, path := range d.Except {
		n.except = append(n.except, segments(path))
	}
	prices := Prices(p.Rest.EndpointCosts)
	if d.Costs != nil {
		prices = d.Costs
	}
	if d.Costs != nil || weighs(l.Model) {
		for name, text := range prices {
			price, _ := parsePrice(name, text) // valid
			n.prices = append(n.prices, price)
		}
	}
	n.form, n.refill = formOf(l)
	if n.form == bucket {
		n.window = min(max(time.Second, time.Duration(n.value/n.refill*float64(time.Second))), 24*time.Hour)
	}
	n.window = max(n.window, time.Millisecond)
	return n
}

// weighs says whether a model counts costs; the others count requests.
func weighs(model string) bool {
	return slices.Contains([]string{modelFixedWeight, modelWeight, modelCredit, modelDecay}, model)
}

// formOf is how a ledger counts for a model. A rate without a refill has a window: a bucket of its size would let twice as
// much through within one.
func formOf(l *Limit) (form, float64) {
	switch l.Model {
	case modelFixedWeight, modelFixedCount, modelFixedUnfilled:
		return fixed, 0
	case modelCap:
		return capped, 0
	}
	if l.RefillPerS != nil {
		return bucket, *l.RefillPerS
	}
	return sliding, 0
}

// limitOf is a limit as far as it may be relied on: half of one that is not trusted, and of one that only the venue can
// say, a tenth of the rate of the nearest one known in its scope.
func (p *Profile) limitOf(l *Limit) float64 {
	if l.Limit != nil {
		if l.Trusted() {
			return *l.Limit
		}
		return *l.Limit / 2
	}
	best, ratio := 0.0, 0.0
	for i := range p.Rest.Limits {
		o := &p.Rest.Limits[i]
		if o.Limit == nil || o.Scope != l.Scope || o.Model != l.Model || o.window() <= 0 {
			continue
		}
		near := float64(o.window()) / float64(l.window())
		if near > 1 {
			near = 1 / near
		}
		if near > ratio {
			best, ratio = p.limitOf(o)*float64(l.window())/float64(o.window()), near
		}
	}
	return max(1, best/10)
}

// A request is what pacing knows of one.
type request struct {
	kind    Kind
	method  string
	path    string
	query   string // raw
	account string
	symbol  string
	age     time.Duration // of the order that it is about; negative: not known
	end     *endpoint     // of method and path
	of      *Profile      // that knows end
}

// counts says whether requests draw on the limit, of some tier or other.
func (d *draw) counts(kind Kind, path string) bool {
	if !d.kinds[kind] {
		return false
	}
	for _, pattern := range d.except {
		if ends(path, pattern) {
			return false
		}
	}
	for _, pattern := range d.paths {
		if ends(path, pattern) {
			return true
		}
	}
	return len(d.paths) == 0
}

// pricesOf returns the prices of an endpoint that depend on the parameters, and the cost if none of them applies. An endpoint
// that is not listed costs as much as the dearest that is.
func (d *draw) pricesOf(method, path string) (prices []*price, other float64) {
	if len(d.prices) == 0 {
		return nil, 1
	}
	always, listed, dearest, standard := -1.0, -1.0, 0.0, -1.0
	for i := range d.prices {
		p := &d.prices[i]
		dearest = max(dearest, p.dearest)
		switch {
		case len(p.path) == 1 && p.path[0] == "default":
			standard = p.dearest
		case p.method != "" && p.method != method || !ends(path, p.path):
		case p.always:
			always = max(always, p.dearest)
		default:
			listed = max(listed, p.dearest)
			prices = append(prices, p)
		}
	}
	for _, cost := range []float64{always, listed, standard} {
		if cost >= 0 {
			return prices, cost
		}
	}
	return nil, dearest
}

// cost is what a request costs.
func (e *endpointDraw) cost(r *request) float64 {
	cost, limit := -1.0, int64(-1)
	if len(e.prices) > 0 && e.prices[0].to > 0 {
		text, _ := queryValue(r.query, "limit")
		if n, ok := parseCount(text); ok {
			limit = n
		}
	}
	for _, p := range e.prices {
		if p.holds(r, limit) {
			cost = max(cost, p.at(r.age))
		}
	}
	if cost >= 0 {
		return cost
	}
	return e.other
}

// holds says whether the condition of a price does. limit is the parameter of that name, negative if there is none.
func (p *price) holds(r *request, limit int64) bool {
	if p.to > 0 {
		return limit >= 0 && p.from <= limit && limit <= p.to
	}
	if name, without := strings.CutPrefix(p.param, "!"); without {
		_, there := queryValue(r.query, name)
		return !there
	}
	if p.param != "" {
		_, there := queryValue(r.query, p.param)
		return there
	}
	return true // ages are looked up
}
