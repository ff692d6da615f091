package chaos_test

import (
	"context"
	"fmt"

	"github.com/relent-go/relent/chaos"
)

// The fault that finds duplicates: the order is placed, and its answer is lost.
func ExampleDo() {
	faults := chaos.New(1, chaos.Rule{Op: "place", Script: []chaos.Fault{chaos.ApplyThenFail}})
	orders := 0
	for range 2 {
		_, err := chaos.Do(context.Background(), faults, "place", func(context.Context) (int, error) {
			orders++
			return orders, nil
		})
		fmt.Println(orders, err)
	}
	// Output:
	// 1 chaos: place: apply then fail: connection reset by peer
	// 2 <nil>
}

// Faults can be switched on and off while a program runs.
func ExampleInjector_Set() {
	var faults chaos.Injector
	call := chaos.Func(&faults, "quote", func(_ context.Context, symbol string) (string, error) { return symbol + " 100", nil })
	show := func() { fmt.Println(call(context.Background(), "BTC")) }
	show()
	faults.Set(chaos.Rule{Fault: chaos.Fail, Rate: 1, Err: fmt.Errorf("maintenance")})
	show()
	faults.Set()
	show()
	// Output:
	// BTC 100 <nil>
	//  chaos: quote: fail: maintenance
	// BTC 100 <nil>
}
