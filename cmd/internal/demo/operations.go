package demo

import (
	"context"
	"errors"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe/analytics"
	"github.com/relent-go/relent/retry"
)

// Names of the operations.
const (
	readBook    = "binance.read_book"
	readCandles = "binance.read_candles"
	queryOrder  = "binance.query_order"
	cancelOrder = "binance.cancel_order"
	placeOrder  = "binance.place_order"
)

// desk is where the demo's operations stand in the tree of stops.
const desk = "binance"

// operations are the demo's policies, seen and steered by people.
type operations struct{ book, candles, query, cancel, place retry.Source }

// operate makes the operations. Reads of the market have a stop, a circuit and a budget each; what settles the fate of an
// order is not stopped, since who stops wants to know. Orders and cancels are sent once by each call: what follows is
// decided by the order machine, whose gates have the stop.
func (r *run) operate() error {
	reg, stops := r.cfg.Control.Registry, r.cfg.Control.Stops
	read := retry.Policy{
		Idempotent: true, MaxAttempts: 6, MaxElapsed: 15 * time.Second, AttemptTimeout: 2 * time.Second,
		Backoff: backoff.Exponential{Base: 50 * time.Millisecond, Max: 2 * time.Second}, Observer: r.counter,
	}
	once := retry.Policy{MaxAttempts: 1, RetryIf: func(error) bool { return false }, Observer: r.counter}
	book, candles, query, cancel, place := read, read, read, once, once
	book.Name, candles.Name, query.Name, cancel.Name, place.Name = readBook, readCandles, queryOrder, cancelOrder, placeOrder
	candles.MaxAttempts = 4
	query.MaxAttempts, query.MaxElapsed = 3, 4*time.Second // within the time that the machine gives a read
	place.Priority = retry.Critical

	errs := []error{
		stops.Mark(halt.Reads, desk, "read_book"), stops.Mark(halt.Reads, desk, "read_candles"), stops.Mark(halt.Orders, desk, "place_order"),
		reg.AddStops(stops),
		reg.AddComponents(
			control.Component{Name: desk, Critical: true, Check: r.healthy, Interval: time.Second},
			control.Component{Name: desk + "_candles"},
			control.Component{Name: desk + "_books", Check: r.booksHealthy, Interval: time.Second},
			control.Component{Name: desk + "_account", Check: r.accountHealthy, Interval: time.Second},
		),
		reg.AddVenue(desk, r.view),
		reg.AddAnalyzer(r.analyst),
	}
	for _, g := range []struct {
		p      *retry.Policy
		name   string // of the operation below the desk, and of the component
		target string
		rules  breaker.Rules
		purse  *budget.Budget
	}{
		{&book, "read_book", desk + "_books", breaker.Rules{}, &budget.Budget{}},
		// A small purse and a circuit that is tried again soon, so that both can be seen at work within seconds.
		{&candles, "read_candles", desk + "_candles",
			breaker.Rules{Window: 2 * time.Second, MinSamples: 8, OpenFor: 400 * time.Millisecond, MaxOpenFor: 400 * time.Millisecond, Probes: 2}, &budget.Budget{Max: 2}},
	} {
		circuit := &breaker.Breaker{Name: g.target, Rules: g.rules, OnChange: r.circuitChanged(g.p.Name)}
		g.purse.Name = g.name
		g.p.Gates = []retry.Gate{stops.Gate(desk, g.name), g.purse, circuit, &control.Learning{}} // which watches
		errs = append(errs,
			reg.AddCircuit(control.Circuit{Policy: g.p.Name, Target: g.target, Component: g.target, Breaker: circuit}),
			reg.AddBudget(g.name, control.BudgetOf(g.purse, g.p.Name)))
	}
	for _, o := range []struct {
		component string
		p         *retry.Policy
		to        *retry.Source
	}{
		{desk + "_books", &book, &r.ops.book}, {desk + "_candles", &candles, &r.ops.candles},
		{desk, &query, &r.ops.query}, {desk, &cancel, &r.ops.cancel}, {desk, &place, &r.ops.place},
	} {
		op, err := reg.AddOperation(o.component, o.p)
		errs = append(errs, err)
		*o.to = op
	}
	return errors.Join(errs...)
}

// circuitChanged tells of a circuit.
func (r *run) circuitChanged(policy string) func(breaker.Change) {
	opened := false
	return func(c breaker.Change) {
		switch {
		case c.To == breaker.Open && !opened:
			opened = true
			r.tell("circuit of %s: open", policy)
		case c.To == breaker.Closed && opened:
			opened = false
			r.sights.saw(&r.sights.Circuit)
			r.tell("circuit of %s: closed again", policy)
		}
	}
}

// found is told of findings as they come and go.
func (r *run) found(_ context.Context, f analytics.Finding) error {
	if f.Ended.IsZero() {
		r.sights.saw(&r.sights.Finding)
		r.tell("found: %s", f.Text)
	}
	return nil
}
