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
	mu      sync.Mutex
	budgets map[string]Budget // guarded by mu, as is what follows
	shares  int
	by      map[string]*lease.Coordinator
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
		l.by[name] = l.coordinator(name, b, now)
	}
}

// change lends other budgets from now on. One that stays keeps its tokens as far as they fit.
func (l *lenders) change(budgets map[string]Budget) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	by := map[string]*lease.Coordinator{}
	for name, b := range budgets {
		if by[name] = l.by[name]; by[name] == nil {
			by[name] = l.coordinator(name, b, now)
		} else if b != l.budgets[name] {
			capacity, floor := l.part(b)
			by[name].Change(capacity, floor, now)
		}
	}
	l.budgets, l.by = budgets, by
}

// part is what this server lends of a budget, in milli-tokens. mu is held, as below.
func (l *lenders) part(b Budget) (capacity, floor int64) {
	return int64(b.Capacity * 1000 / float64(l.shares)), int64(b.Floor * 1000 / float64(l.shares))
}

func (l *lenders) coordinator(name string, b Budget, now time.Time) *lease.Coordinator {
	c := &lease.Coordinator{Budget: name, Epoch: uint64(now.UnixMicro())}
	c.Capacity, c.Floor = l.part(b)
	c.Start(now)
	return c
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
