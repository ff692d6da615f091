package demo

import (
	"errors"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// A Control makes the demo's operations visible and lets people stop them. Both fields are needed.
type Control struct {
	Registry *control.Registry
	Stops    *halt.Tree
}

// operations are the demo's policies, under control where there is any.
type operations struct{ market, query, cancel, place retry.Source }

// desk is where the demo's operations stand in the tree of stops.
const desk = "binance"

// steer puts policies under control: reads of the market behind a breaker and a budget, all but the queries behind the
// stop. What settles the fate of an order is not stopped: who stops wants to know.
func (c *Control) steer(market, query, cancel, place *retry.Policy) (operations, error) {
	if c == nil {
		return operations{market, query, cancel, place}, nil
	}
	r := c.Registry
	circuit := &breaker.Breaker{Name: desk}
	purse := &budget.Budget{Health: circuit}
	market.Gates = []retry.Gate{c.Stops.Gate(desk, "read_market"), circuit, purse}
	cancel.Gates = []retry.Gate{c.Stops.Gate(desk, "cancel_order").RiskReducing()}
	place.Gates = []retry.Gate{c.Stops.Gate(desk, "place_order")}
	errs := []error{
		c.Stops.Mark(halt.Reads, desk, "read_market"), c.Stops.Mark(halt.Orders, desk, "place_order"),
		r.AddStops(c.Stops),
		r.AddComponents(control.Component{Name: desk, Critical: true}),
		r.AddCircuit(control.Circuit{Policy: market.Name, Target: desk, Component: desk, Breaker: circuit}),
		r.AddBudget("reads", control.BudgetOf(purse, market.Name)),
	}
	var all operations
	for _, o := range []struct {
		p  *retry.Policy
		to *retry.Source
	}{{market, &all.market}, {query, &all.query}, {cancel, &all.cancel}, {place, &all.place}} {
		op, err := r.AddOperation(desk, o.p)
		errs = append(errs, err)
		*o.to = op
	}
	return all, errors.Join(errs...)
}

// venue is what can be seen of the orders.
func (r *run) venue() control.VenueView {
	v := control.VenueView{Name: desk}
	for _, o := range r.snapshotOrders() {
		switch fate, why := o.is(); {
		case fate == Open && why != "":
			v.Unknown++
			if since := r.began.Add(o.since); v.OldestUnknown.IsZero() || since.Before(v.OldestUnknown) {
				v.OldestUnknown = since
			}
		case fate == Unknown:
			v.Parked++
		}
		if o.lost() {
			v.GuardTrips++ // it was asked for, not sent again
		}
	}
	return v
}

// doubted notes when an order's answer was lost, since the demo began.
func (o *order) doubted(since time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.since = max(1, since)
}

func (o *order) lost() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.since > 0
}
