package adaptive_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

func ExampleLearner() {
	var learner adaptive.Learner
	source := learner.Source(&retry.Policy{Name: "binance.get_balance", Backoff: backoff.Constant{Wait: time.Nanosecond}}, adaptive.Terms{})
	calls := 0
	err := retry.Run(context.Background(), source, func(context.Context) error {
		if calls++; calls == 1 {
			return retry.Mark(errors.New("503"), retry.Transient)
		}
		return nil
	})
	e, _ := learner.Explain("binance.get_balance")
	fmt.Println(err, e.Kind, e.By, e.Results, e.Retries)
	// Output: <nil> unavailable cold 2 1
}

func ExampleCongestion() {
	gate := &adaptive.Congestion{}
	policy := &retry.Policy{Name: "binance.get_balance", Gates: []retry.Gate{gate}}
	err := retry.Run(context.Background(), policy, func(context.Context) error { return nil })
	fmt.Println(err, gate.Open())
	// Output: <nil> 1
}
