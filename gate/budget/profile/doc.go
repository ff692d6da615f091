// Package profile holds other people's retry budgets, each with the arithmetic that its makers published, for
// migration and for comparison. A new system wants [budget.Budget] of the folder above, whose worst case is
// smaller than that of most of these.
//
//	p, err := profile.New("grpc", "ratio=0.2")
//	policy := p.Policy() // the gate with its own backoff and attempts
//
// or, in Go, where a zero field means the published default:
//
//	g := &profile.GRPC{Ratio: 0.2}
//
// # The profiles
//
//	name          type         funded by      what it does                                            sound at 80 % load, 1 / 100 clients
//	relent        Relent       successes      the budget of the folder above                                   see budget.Load
//	finagle       Finagle      requests       a fifth of the requests of 10 s, and 10/s               no / no
//	tower         Tower        requests       the same in coarser integers                            no / no
//	linkerd       Linkerd      non-failures   Tower's arithmetic, fed by responses                    not established
//	envoy         Envoy        concurrency    a fifth of what is active, at least 3; one retry        no / no
//	grpc          GRPC         successes      while more than half of 10 tokens are there             yes / yes
//	aws-2025      AWS2025      successes      500 tokens, 5 or 10 each                                yes / slow
//	aws-2026      AWS2026      successes      500 tokens, 14 or 5 each                                yes / slow
//	aws-adaptive  AWSAdaptive  rate           a cubic curve limits all attempts, first ones, too      not established
//	sre           SRE          requests       retries below a tenth, and throttling of all attempts   yes / not established
//	failsafe      Failsafe     concurrency    a fifth of what is in flight, at least 3                no / no
//
// What requests or concurrency fund goes on when nothing succeeds, and can keep an outage going that has
// otherwise ended. [budget.Load] tells before it happens: load.Check(p.Funding()).
//
// # What is not as published
//
//   - A retry that was admitted but never began (a later gate refused it, the caller gave up) takes nothing.
//     The originals, which decide closer to the wire, keep the price.
//   - Checking and taking is one step: no profile can overshoot because two callers checked at once.
//   - Windows have slots of fixed length. Those of Finagle and Tower grow while nothing happens.
//   - The class of an error decides what failed, as everywhere in relent, not a list of status codes. Where
//     a call may not repeat an Ambiguous failure, that failure asked for no retry.
//   - A refusal is a [*Refusal], and ends the call with the last attempt's error beside it.
//
// Gates see neither the body nor the kind of a request; see [WithCall].
//
// # Times
//
// All times come from the attempts, so a profile can be simulated and replayed, and the wall clock does not matter.
// Numbers are floating point where they are in the original.
package profile
