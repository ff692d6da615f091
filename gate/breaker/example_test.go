package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

func Example() {
	venue := &breaker.Breaker{
		Name:     "binance",
		OnChange: func(c breaker.Change) { fmt.Printf("%s: %v, after %v by %s\n", c.Key, c.To, c.From, c.Cause) },
	}
	fetchBook := &retry.Policy{Name: "binance.fetch_book", Idempotent: true, MaxAttempts: 1, Gates: []retry.Gate{venue}}

	down := false
	fetch := func(context.Context) error {
		if down {
			return retry.Mark(errors.New("http 503"), retry.Transient)
		}
		return nil
	}
	for range 30 {
		retry.Run(context.Background(), fetchBook, fetch)
	}
	down = true
	for venue.State() != breaker.Open {
		retry.Run(context.Background(), fetchBook, fetch)
	}

	err := retry.Run(context.Background(), fetchBook, fetch)
	fmt.Println(errors.Is(err, breaker.ErrOpen), retry.Hint(err) > 3*time.Second)
	// Output:
	// binance: suspect, after closed by cusum
	// binance: throttling, after suspect by cusum
	// binance: open, after throttling by open test
	// true true
}

func ExampleBreaker_Isolate() {
	venue := &breaker.Breaker{Name: "binance"}
	fmt.Println(venue.Isolate(breaker.Order{Who: "ann", At: time.Now(), For: time.Hour}))
	fmt.Println(venue.Isolate(breaker.Order{Who: "ann", Why: "upgrade", At: time.Now(), For: time.Hour}))

	p := &retry.Policy{Name: "binance.fetch_book", Gates: []retry.Gate{venue}}
	err := retry.Run(context.Background(), p, func(context.Context) error { return nil })
	var refusal *breaker.Error
	fmt.Println(errors.As(err, &refusal), refusal.State, refusal.Why)
	// Output:
	// Why: missing
	// <nil>
	// true isolated upgrade
}

func ExampleTree() {
	venues := &breaker.Tree{}
	btc := venues.Gate("binance", "orders", "BTC")
	eth := venues.Gate("binance", "orders", "ETH")

	venues.Group("binance").Isolate(breaker.Order{Who: "ann", Why: "upgrade", At: time.Now(), For: time.Hour})
	fmt.Println(btc.State(), eth.State(), venues.Gate("okx", "orders", "BTC").State())
	// Output: isolated isolated closed
}

func ExampleKeyed() {
	venues := &breaker.Tree{}
	gates := []retry.Gate{breaker.Keyed{Tree: venues}} // by the name of the operation
	for _, name := range []string{"binance.fetch_book", "binance.place_order", "okx.fetch_book"} {
		retry.Run(context.Background(), &retry.Policy{Name: name, Gates: gates}, func(context.Context) error { return nil })
	}
	for name := range venues.All() {
		fmt.Println(name)
	}
	// Output:
	// binance
	// binance/fetch_book
	// binance/place_order
	// okx
	// okx/fetch_book
}

func ExampleFeed() {
	health := &breaker.Health{}
	p := &retry.Policy{Name: "binance.fetch_book", MaxAttempts: 1, Gates: []retry.Gate{breaker.Feed{Health: health}}}
	for i := range 10 {
		retry.Run(context.Background(), p, func(context.Context) error {
			if i < 4 {
				return errors.New("connection reset")
			}
			return nil
		})
	}
	n := health.Counts()
	fmt.Printf("%d of %d failed, at least %.0f %%; CUSUM %.1f\n", n.Failures(), n.Total(), 100*n.LowerBound(), health.CUSUM())
	// Output: 4 of 10 failed, at least 17 %; CUSUM 8.6
}

func ExampleBreaker_Merge() {
	here, there := &breaker.Breaker{Name: "binance", Rules: breaker.Rules{Quorum: 1}}, &breaker.Breaker{Name: "binance"}
	p := &retry.Policy{Name: "binance.fetch_book", MaxAttempts: 1, Gates: []retry.Gate{there}}
	for range 30 {
		retry.Run(context.Background(), p, func(context.Context) error { return nil })
	}
	for there.State() != breaker.Open {
		retry.Run(context.Background(), p, func(context.Context) error { return errors.New("connection reset") })
	}
	here.Merge(time.Now(), there.Deltas("process-7", 1)...)
	fmt.Println(here.State())
	// Output: throttling
}
