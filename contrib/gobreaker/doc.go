// Package gobreakergate puts a breaker of sony/gobreaker in front of retried calls.
//
//	g := gobreakergate.New(gobreaker.Settings{Name: "venue"})
//	p := &retry.Policy{Name: "venue.quote", Gates: []retry.Gate{g}}
//
// The breaker keeps its settings. Other code may use it, too, through [Gate.Breaker]: there is one state and one set
// of counts. Each attempt that relent makes is reported to it exactly once: success, failure, panic, or,
// as an exclusion, what says nothing about the other side: attempts cancelled by callers, not started, or rejected as
// the caller's fault ([retry.Permanent]).
//
// # What gobreaker lacks
//
// A probe that hangs holds gobreaker half-open for ever, since nobody calls back. The gate gives each attempt a lease:
// when half-open has no room, those whose lease has ended are reported as failed, and their results dropped.
//
// Probes are first attempts of policies that say Idempotent, as with [breaker.Breaker]. Other attempts are refused while
// the breaker is half-open.
//
// # Statistics
//
// [Gate.State] and [Gate.Counts] say in relent's words what gobreaker knows. Gate.Health, if it is set, is told of each
// attempt as well, and is what budgets, limits and dashboards of relent read.
package gobreakergate
