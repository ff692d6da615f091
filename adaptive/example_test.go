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

func ExamplePromotion() {
	var learner adaptive.Learner
	learner.Source(&retry.Policy{Name: "binance.get_balance"}, adaptive.Terms{}).Current()
	promotion := adaptive.Promotion{
		Learner:  &learner,
		May:      func(operation string) bool { return operation == "binance.get_balance" },
		Rehearse: func(context.Context, adaptive.Learned) (gain float64, err error) { return 1.5, nil }, // sim.Rehearse, in a program
	}
	err := promotion.Review(context.Background(), time.Now()) // once a minute
	fmt.Println(err, learner.Mode("binance.get_balance"))     // nothing is proven yet
	// Output: <nil> shadow
}
