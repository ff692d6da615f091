package control_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

func Example() {
	parts := &control.Registry{Instance: "host:1"}
	fetch, err := parts.AddOperation("binance", &retry.Policy{Name: "binance.fetch_book", Idempotent: true, Backoff: backoff.Constant{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	tries := 0
	retry.Run(context.Background(), fetch, func(context.Context) error {
		if tries++; tries == 1 {
			return retry.Mark(errors.New("busy"), retry.Transient)
		}
		return nil
	})
	v := parts.View().Policies[0]
	fmt.Println(v.Name, "with", v.Policy)
	fmt.Println(v.Attempts, "attempts,", v.Failures["transient"], "failed,", v.Outcomes["success_after_retry"], "call recovered")
	// Output:
	// binance.fetch_book with 3 attempts, constant(0s, full), idempotent
	// 2 attempts, 1 failed, 1 call recovered
}

func ExampleRegistry_Tune() {
	parts := &control.Registry{}
	parts.AddOperation("binance", &retry.Policy{Name: "binance.place_order"})
	v, err := parts.Tune(context.Background(), control.Tune{
		Operation: "binance.place_order", Version: 1, Actor: "ann", Reason: "venue is slow",
		Fields: map[string]string{"max_attempts": "2", "attempt_timeout": "5s"},
	})
	fmt.Println(v.Override, "at version", v.Version, err)
	_, err = parts.Tune(context.Background(), control.Tune{
		Operation: "binance.place_order", Version: 2, Actor: "ann", Reason: "be bold", Fields: map[string]string{"idempotent": "true"},
	})
	fmt.Println(err)
	// Output:
	// map[attempt_timeout:5s max_attempts:2] at version 2 <nil>
	// tune binance.place_order: idempotent: can only be taken away while the program runs: whether a call may run twice is for its code to say
}

func ExampleRegistry_Apply() {
	parts := &control.Registry{Logger: slog.New(slog.DiscardHandler)}
	apply := func(policies map[string]*retry.Policy) {
		d, err := parts.Apply(context.Background(), control.Set{Policies: policies, Actor: "ann", Source: "file"})
		fmt.Println(d, err)
	}
	apply(map[string]*retry.Policy{"a": {}, "b": {MaxAttempts: 2}})
	apply(map[string]*retry.Policy{"b": {MaxAttempts: 4}, "c": {}})
	apply(map[string]*retry.Policy{"b": {MaxAttempts: 5}, "c": {MaxAttempts: -1}})
	fmt.Println(parts.View().Policies[0].Policy)
	// Output:
	// +a, +b <nil>
	// +c, -a, b.max_attempts: 2 -> 4 <nil>
	// nothing changes configuration: c: max_attempts: -1 is negative and counts as 1
	// 4 attempts, exponential(100ms, x2, max 30s, full), never twice when the outcome is unknown
}

func ExampleRegistry_Stop() {
	stops := &halt.Tree{}
	parts := &control.Registry{Logger: slog.New(slog.DiscardHandler)}
	parts.AddStops(stops)
	place := &retry.Policy{Name: "binance.place_order", Gates: []retry.Gate{stops.Gate("binance", "place_order")}}

	ctx := context.Background()
	stop := control.Stop{Scope: "binance", Reason: "prices look wrong", Actor: "ann", Key: "4711"}
	for range 2 { // the button was pressed twice
		v, err := parts.Stop(ctx, stop)
		fmt.Println(v.Scope, v.State, "epoch", v.Epoch, err)
	}
	err := retry.Run(ctx, place, func(context.Context) error { return nil })
	fmt.Println(errors.Is(err, halt.ErrHalted))
	_, err = parts.Resume(ctx, control.Resume{Scope: "binance", Epoch: 1, Actor: "bob", Approver: "ann"})
	fmt.Println(err)
	v, err := parts.Resume(ctx, control.Resume{Scope: "binance", Epoch: 1, Actor: "bob", Approver: "cid"})
	fmt.Println(v.Scope, v.State, "ramp", v.Ramp, err)
	// Output:
	// binance stopped epoch 1 <nil>
	// binance stopped epoch 1 <nil>
	// true
	// resume binance: command refused: it takes two persons, and the one who approves must not have stopped the scope
	// binance running ramp 0.1 <nil>
}

func ExampleRegistry_HealthGate() {
	parts := &control.Registry{Logger: slog.New(slog.DiscardHandler)}
	parts.AddComponents(control.Component{Name: "binance", Check: func(context.Context) error { return errors.New("maintenance") }})
	gate, err := parts.HealthGate("binance", false)
	if err != nil {
		fmt.Println(err)
		return
	}
	parts.Health(context.Background()) // or by Run, every five seconds
	err = retry.Run(context.Background(), &retry.Policy{Name: "binance.fetch_book", Gates: []retry.Gate{gate}}, func(context.Context) error {
		return retry.Mark(errors.New("busy"), retry.Transient)
	})
	fmt.Println(errors.Is(err, control.ErrDown))
	// Output: true
}

func ExampleRegistry_Subscribe() {
	parts := &control.Registry{}
	fetch, _ := parts.AddOperation("binance", &retry.Policy{Name: "binance.fetch_book", MaxAttempts: 1, Idempotent: true})
	tail := parts.Subscribe(control.Filter{Outcomes: []string{"exhausted"}}, 100)
	defer tail.Close()
	retry.Run(context.Background(), fetch, func(context.Context) error { return errors.New("get https://venue/book?key=secret: EOF") })
	notes, dropped := tail.Next(context.Background())
	fmt.Println(notes[0].Kind, notes[0].Policy, notes[0].Class, notes[0].Text, dropped)
	// Output: failed binance.fetch_book ambiguous get https://venue/book?... EOF 0
}

func ExampleBudgetOf() {
	parts := &control.Registry{}
	orders := &budget.Budget{Max: 20}
	parts.AddBudget("orders", control.BudgetOf(orders, "binance.place_order"))
	b := parts.View().Budgets[0]
	fmt.Println(b.Name, b.Level, "of", b.Max, "for", b.Policies)
	// Output: orders 20 of 20 for [binance.place_order]
}
