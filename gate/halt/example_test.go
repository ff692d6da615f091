package halt_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

func Example() {
	stops := &halt.Tree{} // with File, it survives a restart
	stops.Mark(halt.Orders, "equities", "binance")
	place := &retry.Policy{
		Name:  "binance.place_order",
		Gates: []retry.Gate{stops.Gate("equities", "binance", "place_order")},
	}
	cancel := &retry.Policy{
		Name:  "binance.cancel_order",
		Gates: []retry.Gate{stops.Gate("equities", "binance", "cancel_order").RiskReducing()},
	}
	send := func(context.Context) error { fmt.Println("sent"); return nil }

	stops.Stop(halt.Command{Scope: "equities", State: halt.RiskReducingOnly, Who: "ops1", Why: "prices look wrong"})

	err := retry.Run(context.Background(), place, send)
	refusal, _ := errors.AsType[*halt.Error](err)
	fmt.Println(refusal)
	fmt.Println(retry.Run(context.Background(), cancel, send))
	// Output:
	// halted: equities is risk-reducing by ops1: prices look wrong
	// sent
	// <nil>
}

func ExampleTree_Stop() {
	stops := &halt.Tree{}
	stops.Gate("equities", "binance", "place_order")

	r, err := stops.Stop(halt.Command{Scope: "equities/binance", Who: "ops1", Why: "prices look wrong"})
	fmt.Println(r.Scope, r.State, "epoch", r.Epoch, "gates", r.Gates, err)

	r, err = stops.Stop(halt.Command{Scope: "equities/binanse", Who: "ops1"})
	fmt.Println(r.Scope, r.State, "epoch", r.Epoch, "gates", r.Gates, err) // no gates: misspelt

	_, err = stops.Stop(halt.Command{State: halt.Stopped, Expires: time.Hour, Who: "ops1"})
	fmt.Println(errors.Is(err, halt.ErrExpiry), errors.Is(err, halt.ErrRefused))
	// Output:
	// equities/binance stopped epoch 1 gates 1 <nil>
	// equities/binanse stopped epoch 1 gates 0 <nil>
	// true true
}

func ExampleTree_Resume() {
	stops := &halt.Tree{}
	stops.Stop(halt.Command{Scope: "equities", Who: "ops1"})
	seen, _ := stops.Look("equities")

	release := halt.Release{Scope: "equities", Epoch: seen.Epoch, Requester: "ops2", Approver: "ops1", Why: "fixed"}
	_, err := stops.Resume(release)
	fmt.Println(err)

	release.Approver = "risk1"
	_, err = stops.Resume(release)
	now, _ := stops.Look("equities")
	fmt.Println(err, now.State, now.Share)
	// Output:
	// command refused: it takes two persons, and the one who approves must not have stopped the scope
	// <nil> running 0.1
}

func ExampleTree_Watch() {
	stops := &halt.Tree{Designated: []string{"head of desk"}}
	place := stops.Gate("equities", "momentum", "place_order")
	momentum, err := stops.Watch("equities/momentum", halt.Limits{Messages: 100, Executions: 1000, Spend: 1_000_000})
	if err != nil {
		fmt.Println(err)
	}
	momentum.Duplicate("order 4711")

	p := &retry.Policy{Name: "place", Gates: []retry.Gate{place}}
	err = retry.Run(context.Background(), p, func(context.Context) error { return nil })
	refusal, _ := errors.AsType[*halt.Error](err)
	fmt.Println(refusal)
	// Output:
	// halted: equities/momentum is risk-reducing by duplicates acknowledged: duplicate 1: order 4711
}

func ExampleGate_Bind() {
	stops := &halt.Tree{}
	gate := stops.Gate("research")
	p := &retry.Policy{Name: "train", Gates: []retry.Gate{gate}}
	err := retry.Run(context.Background(), p, func(ctx context.Context) error {
		ctx, cancel := gate.Bind(ctx)
		defer cancel()
		stops.Stop(halt.Command{Who: "ops1", Cancel: true})
		<-ctx.Done()
		return context.Cause(ctx)
	})
	refusal, _ := errors.AsType[*halt.Error](err)
	fmt.Println(refusal)
	// Output:
	// halted: global is stopped by ops1
}

// Parts do not know each other: what a budget refuses reaches the tree through the caller's own code.
func ExampleTree_Stop_budgets() {
	stops := &halt.Tree{}
	orders := &budget.Parents{Max: 1, OnTrip: func(_ context.Context, t budget.Trip) {
		stops.Stop(halt.Command{Scope: "equities", State: halt.RiskReducingOnly, Who: "parents", Why: t.Parent + " had its attempts", Source: "trip"})
	}}
	money := &budget.Spend{Currency: "USD", Limit: 1_000_000, Estimate: budget.Amount{Micro: 600_000, Currency: "USD"}}
	gates := []retry.Gate{stops.Gate("equities", "binance"), orders, money}
	place := func(parent string) {
		p := &retry.Policy{Name: "place", Gates: gates}
		err := retry.Run(budget.WithParent(context.Background(), parent), p, func(context.Context) error { return nil })
		if e, _ := errors.AsType[*budget.Error](err); e != nil && e.Rule == budget.RuleSpend {
			stops.Stop(halt.Command{Scope: "equities", State: halt.DrainOnly, Who: "spend", Why: "out of money", Source: "trip"})
		}
	}
	state := func() {
		s, _ := stops.Look("equities")
		fmt.Println(s.State)
	}

	place("order 1")
	state()
	place("order 1") // has had its attempt
	state()
	stops.Resume(halt.Release{Scope: "equities", Epoch: 1, Requester: "ops1", Approver: "risk1"})
	for i := range 20 { // a ramp lets a tenth pass
		place(fmt.Sprint("order ", 2+i))
	}
	state()
	// Output:
	// running
	// risk-reducing
	// drain
}
