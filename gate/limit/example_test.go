package limit_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/retry"
)

// One slot, and a call within a call.
func ExampleConcurrency() {
	slots := &limit.Concurrency{Name: "venue", Max: 1}
	p := &retry.Policy{Name: "venue.quote", Gates: []retry.Gate{slots}}
	retry.Run(context.Background(), p, func(ctx context.Context) error {
		fmt.Println(slots.Stats().Running, "running")
		fmt.Println(retry.Run(ctx, p, func(context.Context) error { return nil }) != nil)
		return nil
	})
	fmt.Println(slots.Stats().Running, "running,", slots.Stats().Refused, "refused")
	// Output:
	// 1 running
	// true
	// 0 running, 1 refused
}

func ExampleRetries() {
	none := &limit.Retries{Max: -1}
	p := &retry.Policy{Name: "venue.quote", Idempotent: true, Gates: []retry.Gate{none}}
	tries := 0
	err := retry.Run(context.Background(), p, func(context.Context) error {
		tries++
		return errors.New("connection reset")
	})
	fmt.Println(tries, errors.Is(err, limit.ErrBusy))
	// Output: 1 true
}
