package control

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/observe/audit"
)

// AuditOf shows a log, for [Registry.SetAudit]. Records that found no room count as write errors.
func AuditOf(log *audit.Log) func() AuditView {
	return func() AuditView {
		s := log.Stats()
		v := AuditView{Records: s.Written + s.Spooled, WriteErrors: s.Dropped + s.LostOrders}
		if s.Head.Sequence > 0 {
			v.Head = s.Head.Hash.String()
		}
		return v
	}
}

// AuditWritable is the Check of a component: whether the log takes the records of orders.
func AuditWritable(log *audit.Log) func(context.Context) error {
	return func(context.Context) error {
		s := log.Stats()
		if !s.Closed {
			return nil
		}
		return fmt.Errorf("the audit log takes no records: %w", errors.Join(audit.ErrClosed, s.Err))
	}
}

// BudgetOf shows a budget that some policies draw on, for [Registry.AddBudget]. The refill is what it earned a second
// between views.
func BudgetOf(b *budget.Budget, policies ...string) func() BudgetView {
	m := &rate{}
	return func() BudgetView {
		s := b.Stats()
		v := BudgetView{Policies: policies, Level: float64(s.Balance) / 1000, Max: float64(s.Capacity) / 1000, Granted: uint64(max(0, s.Started))}
		earned := s.Balance
		for _, n := range s.Consumed {
			earned += n
		}
		for _, n := range s.Denied {
			v.Denied += uint64(max(0, n))
		}
		v.Refill = m.of(float64(earned)/1000, time.Now())
		return v
	}
}

// shortest is how far apart two readings of a rate are at least.
const shortest = time.Second

// A rate is how much something grows a second, as of its last two readings.
type rate struct {
	mu    sync.Mutex
	at    time.Time
	value float64
	last  float64
}

func (r *rate) of(value float64, at time.Time) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch d := at.Sub(r.at); {
	case r.at.IsZero():
		r.at, r.value = at, value
	case d >= shortest:
		r.last = max(0, value-r.value) / d.Seconds()
		r.at, r.value = at, value
	}
	return r.last
}
