// Package control lets people see, steer and stop what retries.
//
//	var parts control.Registry
//	place, err := parts.AddOperation("binance", &retry.Policy{Name: "binance.place_order", Gates: gates})
//	order, err := retry.Do(ctx, place, send)
//
// A [Registry] knows the parts of one process. There is no global one: it is passed to what needs it.
//
//   - An [Operation] is a named policy whose data can be changed while calls run, by an operator ([Registry.Tune]) or
//     by a new configuration ([Registry.Apply]). It counts what its calls do.
//   - A [Component] has operations, dependencies and health. [Registry.Health] and [Endpoint] answer at once, whatever its
//     checks do; a [HealthGate] keeps retries from a dependency that is known to be down.
//   - Breakers ([Circuit]), budgets, the emergency stop, venues, findings and the audit log are registered so that they can be
//     seen.
//
// [Registry.View] shows all of it, as the JSON of API, dashboard and fleet; [Merge] makes one view of many processes.
// [Registry.Subscribe] is the live tail. The registry is a [Commander], too: every command is recorded, refused ones
// included.
//
// # Counting
//
// Each call ends with one [Outcome], what its caller got. Each failed attempt has a class. Where no retry followed there is
// a [Reason], unless the attempts were used up or the caller gave up. For any calls,
//
//   - the outcomes add up to the calls that ended,
//   - attempts that neither succeeded nor were abandoned (by their caller, or by a panic) add up to the failures,
//   - calls in flight are those that began and have no outcome yet.
//
// A call that succeeds at once costs two atomic additions and no allocation; its time is taken where the policy has gates or
// timeouts, and else of one call in 16: see [Timing]. Names beyond a bound are counted as [Other].
//
// # Health
//
//	                                       health     ready
//	all up                                 ok         yes
//	a component down                       degraded   yes
//	a critical component down              failing    no
//	a circuit open                         degraded   yes
//	a critical circuit open                failing    no
//	a stop engaged                         degraded   yes
//	a configuration that was refused       degraded   yes
//	a critical component never checked     degraded   no
//	draining                               degraded   no
//
// A component whose dependency fails is degraded because of it: only the root cause is failing.
//
// # Tuning
//
// What an operator can change is data: [Fields] lists it. Whether a call may run twice, and whether attempts multiply, can
// only be taken away: an order must not become repeatable by a word in a form.
//
// # Learning
//
// An operation whose policy has a [Learning] among its gates is followed by the learner of its registry (package adaptive): in
// the mode shadow, which changes nothing, until an operator makes it active, which needs a budget. The mode is a field like
// others, named adaptive: it is tuned, recorded, configured and sent through a fleet as they are. What was learned is in
// PolicyView.Learning, and outlives the process by [Registry.KeepLearned].
package control
