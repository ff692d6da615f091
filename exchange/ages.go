package exchange

import (
	"sync"
	"time"
)

// ages remember when orders were placed, where the price of a cancel depends on it (Kraken).
type ages struct {
	on bool // the venue has such prices

	mu     sync.Mutex
	placed map[string]time.Time
	order  []string // the oldest first
}

// mostAges is how many orders are remembered. A cancel of one that is not costs as much as that of the youngest.
const mostAges = 4096

func (a *ages) of(id string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, ok := a.placed[id]
	if !ok {
		return -1
	}
	return time.Since(at)
}

// note remembers an order that was placed, at the latest when its answer came.
func (a *ages) note(k Kind, id string, o Outcome, at time.Time) {
	if !a.on || k != Order || o != Exists || id == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.placed == nil {
		a.placed = make(map[string]time.Time)
	}
	if _, ok := a.placed[id]; !ok {
		a.order = append(a.order, id)
	}
	a.placed[id] = at
	if len(a.order) > mostAges {
		delete(a.placed, a.order[0])
		a.order = a.order[1:]
	}
}

// pricesAges says whether some price depends on the age of an order.
func (p *Profile) pricesAges() bool {
	for i := range p.draws {
		for j := range p.draws[i].prices {
			if len(p.draws[i].prices[j].ages) > 0 {
				return true
			}
		}
	}
	return false
}
