package exchange

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A price is the cost of one endpoint, under one condition on its parameters or on the age of the order.
type price struct {
	method  string // empty: any
	path    []string
	param   string // that must be there; "!name" must not
	from    int64  // bounds of the parameter "limit"; to 0: none
	to      int64
	ages    []time.Duration // the order is younger than the i-th: costs[i]
	costs   []float64
	base    float64 // what it costs at any age
	always  bool    // has no condition
	dearest float64
}

// parsePrice reads one of the endpoint costs: "GET /api/v3/depth(1-100)": 5, "CancelOrder(<5s/<10s)": "8/6".
func parsePrice(name string, text Price) (price, error) {
	var p price
	method, path, ok := strings.Cut(name, " ")
	if ok && strings.HasPrefix(path, "/") {
		p.method = method
	} else {
		path = name
	}
	path, condition, has := strings.Cut(path, "(")
	if has {
		condition, ok = strings.CutSuffix(condition, ")")
		if !ok || strings.Contains(condition, "(") {
			return p, fmt.Errorf("has an unfinished condition")
		}
	}
	p.path = segments(path)
	if err := p.when(condition); err != nil {
		return p, err
	}
	return p, p.cost(string(text))
}

// when reads the condition of a price.
func (p *price) when(condition string) error {
	low, high, isRange := strings.Cut(condition, "-")
	switch {
	case condition == "" || condition == "all":
		p.always = true
	case strings.HasPrefix(condition, "<"):
		for age := range strings.SplitSeq(strings.ReplaceAll(condition, "..", "/"), "/") {
			d, err := time.ParseDuration(strings.TrimPrefix(age, "<"))
			if err != nil {
				return fmt.Errorf("condition %q: %w", condition, err)
			}
			p.ages = append(p.ages, d)
		}
	case isRange:
		var err, err2 error
		p.from, err = strconv.ParseInt(low, 10, 64)
		p.to, err2 = strconv.ParseInt(high, 10, 64)
		if err != nil || err2 != nil || p.from < 0 || p.to < p.from {
			return fmt.Errorf("condition %q: is no range", condition)
		}
	case strings.HasPrefix(condition, "no "):
		p.param = "!" + strings.TrimPrefix(condition, "no ")
	default:
		p.param = condition
	}
	return nil
}

// cost reads a number, or numbers by age, and what comes on top of them.
func (p *price) cost(text string) error {
	if base, rest, ok := strings.Cut(text, "+"); ok {
		n, err := amount(base)
		if err != nil {
			return err
		}
		p.base, text = n, rest
	}
	for part := range strings.SplitSeq(text, "/") {
		n, err := amount(part)
		if err != nil {
			return err
		}
		p.costs = append(p.costs, n)
		p.dearest = max(p.dearest, p.base+n)
	}
	// A condition that leaves ages out ("<5s..<90s") cannot say which cost is whose: the dearest counts up to the last.
	if n := len(p.ages); n > 0 && len(p.costs) != n {
		p.ages = p.ages[n-1:]
		p.costs = []float64{p.dearest - p.base}
	}
	if len(p.costs) > max(1, len(p.ages)) {
		return fmt.Errorf("%q: has more costs than ages", text)
	}
	return nil
}

func amount(text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n < math.MaxInt32) {
		return 0, fmt.Errorf("%q: is no cost", text)
	}
	return n, nil
}

// at is the cost for an order of some age; a negative one is not known, and costs the most.
func (p *price) at(age time.Duration) float64 {
	switch {
	case age < 0:
		return p.dearest
	case len(p.ages) == 0:
		return p.base + p.costs[0]
	}
	for i, limit := range p.ages {
		if age < limit {
			return p.base + p.costs[i]
		}
	}
	return p.base
}
