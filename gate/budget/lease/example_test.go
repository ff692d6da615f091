package lease_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/budget/lease"
	"github.com/relent-go/relent/retry"
)

// A process borrows from the coordinator. What lies between the two, here nothing, is somebody else's.
func Example() {
	start := time.Now()
	coordinator := &lease.Coordinator{Budget: "venue", Floor: 20_000} // 20 retries a second for the whole fleet
	coordinator.Start(start)

	l := &lease.Lease{Budget: "venue", Process: "trader-7 4711 1"}
	exchange := func(now time.Time) {
		l.Accept(coordinator.Grant(l.Request(now), now), now)
	}
	exchange(start)                      // learns the epoch
	exchange(start.Add(time.Second))     // nothing yet: leases of another coordinator may still run
	exchange(start.Add(4 * time.Second)) // by now the bucket has filled for two seconds
	fmt.Println(l.Stats().Tokens/1000, "retries")

	a := &retry.Attempt{Number: 2, At: start.Add(4500 * time.Millisecond), Note: new(uint64)}
	fmt.Println(l.Admit(context.Background(), a))
	a.At = start.Add(6 * time.Second) // two seconds after the request
	fmt.Println(l.Admit(context.Background(), a))
	// Output:
	// 1 retries
	// <nil>
	// retry budget spent: lease of "venue": 0 of 1000 milli-tokens
}

// As the gate of a policy. Without a coordinator, a process spends what its own first attempts earn.
func ExampleLease() {
	l := &lease.Lease{Budget: "venue", Process: "trader-7 4711 1"}
	p := &retry.Policy{Name: "venue.fetch_book", Gates: []retry.Gate{l}}
	for range 10 {
		retry.Run(context.Background(), p, func(context.Context) error { return nil })
	}
	for range 2 {
		tries := 0
		err := retry.Run(context.Background(), p, func(context.Context) error {
			if tries++; tries < 2 {
				return retry.Mark(errors.New("busy"), retry.Transient)
			}
			return nil
		})
		fmt.Println(tries, errors.Is(err, budget.ErrSpent))
	}
	// Output:
	// 2 false
	// 1 true
}

func ExampleCoordinator_Stop() {
	now := time.Now()
	c := &lease.Coordinator{}
	c.Start(now)
	c.Stop(now)
	g := c.Grant(lease.Request{Process: "a", Epoch: 1, Seq: 1, Want: 1000}, now)
	fmt.Println("epoch", g.Epoch, "tokens", g.Tokens)
	// Output: epoch 2 tokens 0
}
