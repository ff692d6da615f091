package sim_test

import (
	"context"
	"fmt"
	"time"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/sim"
)

func ExampleRehearse() {
	var learner adaptive.Learner
	policy := &retry.Policy{Name: "binance.get_balance", MaxElapsed: 10 * time.Second}
	learner.Source(policy, adaptive.Terms{}).Current()
	known, _ := learner.Learned("binance.get_balance", time.Now())
	gain, err := sim.Rehearse(context.Background(), known, policy)
	fmt.Println(gain.Mean, err) // it knows nothing yet, so it changes nothing
	// Output: 0 <nil>
}
