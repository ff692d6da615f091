package retry_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/relent-go/relent/retry"
)

// A read that may be repeated: the policy says so in one word.
func ExampleDo() {
	fetchBook := &retry.Policy{Name: "venue.fetch_book", Idempotent: true, Rand: func() float64 { return 0 }}
	tries := 0
	book, err := retry.Do(context.Background(), fetchBook, func(context.Context) (string, error) {
		if tries++; tries < 3 {
			return "", errors.New("connection reset")
		}
		return "100.1 @ 100.2", nil
	})
	fmt.Println(book, err, tries)
	// Output: 100.1 @ 100.2 <nil> 3
}

// An order is not repeated when its outcome is unknown. That is the zero policy.
func ExampleRun() {
	place := &retry.Policy{Name: "venue.place_order"}
	err := retry.Run(context.Background(), place, func(context.Context) error {
		return errors.New("connection reset")
	})
	fmt.Println(err)
	if failed, ok := errors.AsType[*retry.Error](err); ok && failed.Unknown {
		fmt.Println("ask the venue whether the order exists")
	}
	// Output:
	// venue.place_order: gave up after 1 attempt: outcome unknown, and not repeated because the policy does not say Idempotent: true: connection reset
	// ask the venue whether the order exists
}

func ExampleWrap() {
	price := func(_ context.Context, symbol string) (float64, error) { return 100.5, nil }
	price = retry.Wrap(&retry.Policy{Name: "venue.price", Idempotent: true}, price)
	fmt.Println(price(context.Background(), "BTCUSDT"))
	// Output: 100.5 <nil>
}

func ExampleAttempts() {
	p := &retry.Policy{Name: "venue.fetch_book", Idempotent: true}
	fetch := func(context.Context) (string, error) { return "100.1 @ 100.2", nil }

	var book string
	var err error
	for ctx := range retry.Attempts(context.Background(), p, &err) {
		book, err = fetch(ctx) // = and not :=
	}
	fmt.Println(book, err)
	// Output: 100.1 @ 100.2 <nil>
}

func ExampleGo() {
	p := &retry.Policy{Name: "venue.fetch_book", Idempotent: true}
	future := retry.Go(context.Background(), p, func(context.Context) (string, error) { return "100.1 @ 100.2", nil })
	fmt.Println(future.Wait(context.Background()))
	// Output: 100.1 @ 100.2 <nil>
}

func ExampleMark() {
	refused := errors.New("connection refused") // nothing was sent
	err := fmt.Errorf("place order: %w", retry.Mark(refused, retry.Transient))
	fmt.Println(retry.DefaultClassify(err), retry.DefaultClassify(refused))
	// Output: transient ambiguous
}

func ExampleWithLimit() {
	ctx := retry.WithLimit(context.Background(), retry.Limit{MaxAttempts: 1}) // a user is waiting
	err := retry.Run(ctx, &retry.Policy{Name: "venue.price", Idempotent: true}, func(context.Context) error {
		return errors.New("busy")
	})
	fmt.Println(err)
	// Output: venue.price: gave up after 1 attempt: limited by the scope of the call: outcome unknown: busy
}

func ExampleWithPolicy() {
	ctx := retry.WithPolicy(context.Background(), &retry.Policy{Name: "job.reads", Idempotent: true, MaxAttempts: 5})
	fmt.Println(retry.FromContext(ctx).Current().Attempts())
	// Output: 5
}
