// Package failsafegate puts a circuit breaker of failsafe-go in front of retried calls.
//
//	g, cb := failsafegate.New("venue", circuitbreaker.NewBuilder[any]().WithFailureThreshold(3))
//	p := &retry.Policy{Name: "venue.quote", Gates: []retry.Gate{g}}
//
// The breaker keeps its thresholds, delays and handlers, and other code may use it, too: there is one state and one
// set of counts. Each attempt that relent makes is recorded in it at most once: success, failure, panic. What
// says nothing about the other side is not recorded: attempts cancelled by callers, not started, or rejected as the caller's
// fault ([retry.Permanent]), and results of attempts that were admitted before the last transition.
//
// # What failsafe-go lacks
//
// Its permits come back only with a result. So the gate keeps the permit of a probe that ended without one, for the next
// probe; and a probe that hangs longer than its lease is recorded as failed, as soon as another attempt asks, and its
// own result dropped.
//
// Probes are first attempts of policies that say Idempotent, as with [breaker.Breaker]. Other attempts are refused until
// the breaker is closed.
package failsafegate
