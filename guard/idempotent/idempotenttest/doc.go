// Package idempotenttest checks that a store keeps the promises of [idempotent.Store], for any store there is.
//
//	func TestStore(t *testing.T) {
//		idempotenttest.Run(t, func(t *testing.T) idempotent.Store { return openEmpty(t) }, idempotenttest.Options{
//			Pass: func(t *testing.T, d time.Duration) { time.Sleep(d) }, Lease: 300 * time.Millisecond,
//		})
//	}
//
// Each promise is a subtest whose complaint ends with the reason for the promise. Run the tests with the
// race detector, too: several promises are about many callers at once. What survives a crash is for the store's
// own tests.
//
// [Model] is the contract as a program: the simplest store that keeps the promises. It serves the tests of
// whatever uses a store.
package idempotenttest
