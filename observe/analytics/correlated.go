package analytics

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// bins judge slots of ten seconds, and remember about an hour of those while nothing was found.
type bins struct {
	calm, bad     float64 // bins, older ones fading
	active, isBad bool    // the bin that ended last
}

// p is the chance that a bin is bad when nothing is wrong.
func (b *bins) p() float64 { return (b.bad + 1) / (b.calm + 2) }

// bin judges the ten seconds that ended.
func (s *subject) bin(calm bool) {
	const keep = 1 - 1.0/360
	c, f := float64(s.ten.calls), int(s.ten.fails)
	b := &s.bins
	b.active = c >= 10 && s.trained >= trainedAt
	b.isBad = b.active && f >= 3 && poissonTail(max(s.base*c, 0.05), f) < 1e-3
	if !calm || c < 10 {
		return
	}
	b.calm, b.bad = b.calm*keep+1, b.bad*keep
	if b.isBad {
		b.bad++
	}
}

// shared is what is known of one dependency.
type shared struct{ alarms uint8 } // a bit for each of the last three bins

// correlated looks for dependencies whose operations were bad together in the bin that ended.
func (e *Engine) correlated(at int64) {
	type suspect struct {
		name    string
		members []*subject
		ps      []float64
		k       int
		depth   int
		p       float64
	}
	byName := map[string]*suspect{}
	for _, s := range e.list {
		if !s.bins.active {
			continue
		}
		for d, depth := range s.above {
			x := byName[d]
			if x == nil {
				x = &suspect{name: d}
				byName[d] = x
			}
			x.members = append(x.members, s)
			x.ps = append(x.ps, s.bins.p())
			x.depth = max(x.depth, depth)
			if s.bins.isBad {
				x.k++
			}
		}
	}
	var qualify []*suspect
	known := map[string]*shared{}
	for name, x := range byName {
		m := len(x.members)
		h := e.deps[name]
		if h == nil {
			h = &shared{}
		}
		x.p = poissonBinomialTail(x.ps, x.k)
		h.alarms = h.alarms << 1 & 7
		if m >= 2 && x.k >= max(2, (m+1)/2) && x.p < 1e-4 {
			h.alarms |= 1
		}
		if known[name] = h; bits.OnesCount8(h.alarms) >= 2 {
			qualify = append(qualify, x)
		}
	}
	e.deps = known
	// The largest share first; of equals the one nearest the leaf; then by name, so that a replay agrees.
	slices.SortFunc(qualify, func(a, b *suspect) int {
		if c := b.k*len(a.members) - a.k*len(b.members); c != 0 {
			return c
		}
		if c := b.depth - a.depth; c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	told := map[*subject]bool{}
	for _, x := range qualify {
		news := false
		for _, s := range x.members {
			news = news || s.bins.isBad && !told[s]
		}
		if !news {
			continue // what a dependency that was named already explains
		}
		for _, s := range x.members {
			told[s] = true
		}
		e.raise(alarm{kind: CorrelatedFailure, subject: Subject{OfDependency, x.name, ""}, severity: Page, started: at - int64(20*time.Second), at: at,
			evidence: func() Evidence {
				return Evidence{Statistic: "poisson_binomial", Value: float64(x.k), Threshold: float64(max(2, (len(x.members)+1)/2)), P: x.p,
					Effect: float64(x.k) / float64(len(x.members)), N: uint64(len(x.members)), Window: 10 * time.Second}
			},
			action: Action{Kind: FixDependency, Name: x.name},
			text: func() string {
				return fmt.Sprintf("%d of %d operations that depend on %s fail together.", x.k, len(x.members), x.name)
			},
			covers: x.members})
	}
}
