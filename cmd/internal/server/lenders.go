package server

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/budget/lease"
	"github.com/relent-go/relent/store/sqldb"
)

// A Budget is one that processes share: what its bucket holds, and what comes in a second.
type Budget struct {
	Capacity float64 // retries
	Floor    float64 // retries a second
}

// lenders lend budgets. Several servers share them by lending equal parts: when one comes or goes the others begin
// anew, and lend nothing until the leases from before have run out.
type lenders struct {
	budgets map[string]Budget

	mu     sync.Mutex
	shares int
	by     map[string]*lease.Coordinator
}

// share says how many servers lend.
func (l *lenders) share(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n = max(1, n); n == l.shares {
		return
	}
	l.shares, l.by = n, map[string]*lease.Coordinator{}
	now := time.Now()
	for name, b := range l.budgets {
		c := &lease.Coordinator{
			Budget: name, Epoch: uint64(now.UnixMicro()),
			Capacity: int64(b.Capacity * 1000 / float64(n)), Floor: int64(b.Floor * 1000 / float64(n)),
		}
		c.Start(now)
		l.by[name] = c
	}
}

// grant answers requests; one for a budget that nobody lends is answered with nothing.
func (l *lenders) grant(asked []control.LeaseRequest) []control.LeaseGrant {
	now := time.Now()
	grants := []control.LeaseGrant{}
	for _, r := range asked {
		l.mu.Lock()
		c := l.by[r.Budget]
		l.mu.Unlock()
		if c != nil {
			grants = append(grants, c.Grant(r, now))
		}
	}
	return grants
}

// views are the budgets as they stand.
func (l *lenders) views() []control.BudgetView {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []control.BudgetView
	now := time.Now()
	for _, name := range slices.Sorted(maps.Keys(l.by)) {
		s := l.by[name].State(now)
		all = append(all, control.BudgetView{
			Name: name, Level: float64(s.Tokens) / 1000, Max: l.budgets[name].Capacity / float64(l.shares), Refill: l.budgets[name].Floor / float64(l.shares),
		})
	}
	return all
}

// present is the document that lists the servers.
const presentServers = "servers"

// servers keeps the list of servers of a fleet, with when each was there the last time.
type servers struct {
	docs *sqldb.Documents
	name string
}

// call says that this server is there, and returns who else is.
func (s servers) call(ctx context.Context) ([]string, error) {
	for {
		version, body, err := s.docs.Get(ctx, presentServers)
		if err != nil {
			return nil, err
		}
		seen := map[string]time.Time{}
		if len(body) > 0 && json.Unmarshal(body, &seen) != nil {
			seen = map[string]time.Time{}
		}
		now := time.Now()
		maps.DeleteFunc(seen, func(_ string, at time.Time) bool { return now.Sub(at) > connected*2 })
		seen[s.name] = now
		next, err := json.Marshal(seen)
		if err != nil {
			return nil, err
		}
		if _, err := s.docs.Put(ctx, presentServers, version, next); !errors.Is(err, sqldb.ErrChanged) {
			return slices.Sorted(maps.Keys(seen)), err
		}
	}
}
