package profile_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/budget/profile"
	"github.com/relent-go/relent/retry"
)

// The budget of another library, by name, with its own backoff and attempts.
func ExampleNew() {
	p, err := profile.New("aws-2026", "capacity=20")
	if err != nil {
		fmt.Println(err)
		return
	}
	policy := p.Policy()
	policy.Name = "s3.get_object"
	policy.Rand = func() float64 { return 0 }
	err = retry.Run(context.Background(), policy, func(context.Context) error {
		return retry.Mark(errors.New("http 500"), retry.Transient)
	})
	if failed, ok := errors.AsType[*retry.Error](err); ok {
		fmt.Println(failed.Attempts, "attempts:", failed.Reason)
	}
	fmt.Println(errors.Is(err, budget.ErrSpent))
	// Output:
	// 2 attempts: retry budget spent: aws-2026 by balance: 6 of 14
	// true
}

// All mistakes at once, each with its field.
func ExampleNew_mistakes() {
	_, err := profile.New("finagle", "ttl=2m", "percent=-1")
	fmt.Println(err)
	_, err = profile.New("finnagle")
	fmt.Println(err)
	// Output:
	// TTL: 2m0s is not within 1s to 1m0s
	// Percent: -1 is not within 0 to 1000
	// unknown budget profile "finnagle": want one of relent, finagle, tower, linkerd, envoy, grpc, aws-2025, aws-2026, aws-adaptive, sre, failsafe
}

// Whether a budget can keep an outage going, told before there is one.
func ExampleProfile_funding() {
	load := budget.Load{Offered: 80, Capacity: 100, Clients: 10}
	for _, name := range []string{"finagle", "grpc"} {
		p, _ := profile.New(name)
		fmt.Println(name, load.Check(p.Funding()) == nil)
	}
	// Output:
	// finagle false
	// grpc true
}

func ExampleGRPC_Next() {
	g := &profile.GRPC{}
	n := 1
	wait, n, _ := g.Next(n, 0.5)
	fmt.Println(wait)
	wait, n, _ = g.Next(n, 0.5, "1000") // the server wants a second
	fmt.Println(wait)
	wait, _, _ = g.Next(n, 0.5) // the series begins anew
	fmt.Println(wait)
	_, _, ok := g.Next(n, 0.5, "-1")
	fmt.Println(ok)
	// Output:
	// 100ms
	// 1s
	// 100ms
	// false
}

func ExampleAWS2026_Delay() {
	q := &profile.AWS2026{}
	fmt.Println(q.Delay(1, retry.Transient, 0, 0.5))
	fmt.Println(q.Delay(1, retry.Throttled, 0, 0.5))
	fmt.Println(q.Delay(1, retry.Transient, profile.RetryAfter("1500"), 0.5))
	// Output:
	// 25ms
	// 500ms
	// 1.5s
}

// A transport tells what a gate cannot see.
func ExampleWithCall() {
	policy := (&profile.Linkerd{}).Policy()
	ctx := profile.WithCall(context.Background(), profile.Call{Body: 1 << 20})
	err := retry.Run(ctx, policy, func(context.Context) error {
		return retry.Mark(errors.New("http 503"), retry.Transient)
	})
	if failed, ok := errors.AsType[*retry.Error](err); ok {
		fmt.Println(failed.Attempts, "attempt:", failed.Reason)
	}
	// Output: 1 attempt: retry budget spent: linkerd by body: 65536 of 1048576
}
