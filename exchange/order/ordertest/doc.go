// Package ordertest checks that a log keeps the promises of [order.Log], for any log there is.
//
//	func TestOrders(t *testing.T) {
//		ordertest.Run(t, func(t *testing.T) order.Log { return openEmpty(t) }, ordertest.Options{
//			Pass: func(t *testing.T, d time.Duration) { time.Sleep(d) }, Lease: 300 * time.Millisecond,
//		})
//	}
//
// Each promise is a subtest whose complaint ends with the reason for the promise. Run the tests with the race
// detector, too. What survives a crash is for the log's own tests.
//
// [Model] is the contract as a program: the simplest log that keeps the promises. It serves the tests of whatever uses
// a log.
package ordertest
