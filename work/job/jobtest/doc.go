// Package jobtest checks that a store keeps the promises of [job.Store], for any store there is.
//
//	func TestJobs(t *testing.T) {
//		jobtest.Run(t, func(t *testing.T) job.Store { return openEmpty(t) }, jobtest.Options{
//			Pass: func(t *testing.T, d time.Duration) { time.Sleep(d) }, Lease: 300 * time.Millisecond,
//		})
//	}
//
// Each promise is a subtest whose complaint ends with the reason for the promise. Run the tests with the race
// detector, too: several promises are about many workers at once. What survives a crash is for the store's own
// tests.
package jobtest
