// Package profile holds circuit breakers that open and close by the rules of well-known ones, for a move to
// relent without a change of thresholds.
//
//	b, err := profile.New("resilience4j")
//	b := profile.Gobreaker{Failures: 3, Timeout: 10 * time.Second}.New("venue")
//
//	name          opens when                                           open for            half-open
//	hystrix       20 calls in 10 s, 50 % failed, looked at each 0.5 s  5 s, strictly       1 probe decides
//	resilience4j  of 100 calls 50 % failed or all were slower than 60 s  60 s, strictly    10 probes decide together
//	polly         100 calls in 30 s, 10 % failed, looked at on failures  5 s               1 probe decides
//	failsafe      1 failure; or m of n, m in a period, a rate          60 s                as many as to close or open
//	gobreaker     6 failures in a row                                  60 s, strictly      1 failure opens, all successes close
//	envoy         5 failures in a row, or far below the other hosts    30 s × ejections    none
//
// Strictly means: not yet when the time is just over, but after it.
//
// # What is not copied
//
// Some of these breakers get stuck behind a probe that hangs, and some are opened, or closed, by a caller who
// gives up. Here:
//
//   - A probe has a lease: until the call's timeout, and at most for the open time. Then it counts as failed.
//   - What callers cancel, and what the other side rejects as their fault, counts as nothing; a probe's permit is free again.
//   - A result of an attempt that was admitted before the last transition is dropped.
//   - Probes are first attempts of policies that say Idempotent, as with [breaker.Breaker]: an unsafe call is no
//     means to find out whether a dependency works. A breaker in front of such calls alone stays open until
//     another policy probes it, or a person releases it.
//
// # Choosing
//
// [breaker.Breaker] is the better breaker: it sees a failure coming, and costs a healthy call a few nanoseconds. These
// take a mutex for each attempt.
package profile
