// Package gatetest checks that a gate keeps the promises of [retry.Gate], for any gate there is.
//
//	func TestGate(t *testing.T) {
//		gatetest.Run(t, func() retry.Gate { return &budget.Budget{} })
//	}
//
// Each promise is a subtest whose complaint ends with the reason for the promise. Run the tests with
// the race detector, too: one of them hands the gate to many goroutines at once.
//
// A [Suite] is for gates that need to say something about themselves: that they wait, that they
// judge by how long an attempt took, that a library beneath them reads the clock.
//
// The suite gives a gate attempts of a policy named gatetest.call that says Idempotent, unless told otherwise.
// Its time is that of [testing/synctest], so hours pass in no time.
package gatetest
