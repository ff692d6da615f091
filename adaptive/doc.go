// Package adaptive learns, for each operation and kind of failure, whether a retry pays and when, and says so.
//
//	var learner adaptive.Learner // one for the process
//
//	source := learner.Source(&retry.Policy{Name: "binance.get_balance", Idempotent: true}, adaptive.Terms{})
//	balance, err := retry.Do(ctx, source, getBalance)
//	...
//	explanation, ok := learner.Explain("binance.get_balance")
//
// A [Learner] sees attempts through one more gate at the end of the policy. In the mode [Shadow], which is the beginning, it predicts
// how each retry will end, scores itself, and changes nothing. Set to [Active] by an operator, it chooses the waits, ends calls whose retries do
// not pay, and lets callers that wait for the same outage act as one. Attempts, deadlines, hints and what other gates say stay as configured, and what
// those gates reserved for a retry that is not made goes back to them. What it would advise, and how good its forecasts are, is in [Explanation].
// [Congestion] is a gate of its own, for policies that stay as they are.
//
// # What it knows
//
//   - A belief that the operation is down, shared by all its callers and moved by every result. First attempts are free probes.
//     Throttling has a belief of its own.
//   - How long outages last: a hazard over octaves from 20 ms, with a scale-free prior, and the phase of recoveries that come
//     on the clock, as when a rate limit resets.
//   - How likely the first to fourth retry succeeds while the operation is up, for each kind of failure. An item that can never
//     succeed shows there, and not in the belief.
//
// In plain words: a call that fails while all others succeed is its own problem; calls that fail together share one. Where calls are so few
// that no other succeeds between two retries, the model cannot tell these apart, and the fallback finds that out.
//
// # What it advises
//
// A call is worth 1 if it succeeds, less a cost for each attempt and for each second. Of twenty waits from 10 ms to 75 s
// the one with the lowest price of a success is advised, or giving up, if no wait is worth it. In good times it is never
// longer than the policy's own, and while the operation may be down never shorter than half of it.
//
// In an outage, a retry whose wait is over begins only if nothing was heard for as long as a probe is worth. The others look again, about four times
// a second, and when it is over they begin one after another, over the time that the usual rate of calls suggests.
//
// The configured policy serves ([Explanation.By]) before 50 results and 10 retries, without 10 results in the last ten minutes, below one
// call in two seconds, and
//
//   - for one call in ten, the control arm
//   - while the forecasts are found worse than the base rate's: the fallback
//   - after a hint, as when the other side names the time in Retry-After: it knows better
//
// One of five stops is carried out, and the others go on as configured, until their retries are found not to pay, or the outage has lasted for
// 30 s. While they are found to pay, none is: the guard.
//
// In plain words: a model that is wrong about chances, and one that is right about them and stops the wrong calls, are both found
// out by what the retries earn that it advised against. Those that wait in an outage at the same time end together, so one of them counts for
// all. In Shadow all are watched, so what stops would cost is known before they begin.
//
// # Promotion
//
// An operator sets modes ([Learner.SetMode]). A [Promotion] does it by itself for operations that may be promoted, once their forecasts are proven and a
// rehearsal in a simulator does not lose:
//
//	promotion := adaptive.Promotion{
//		Learner: &learner,
//		May:     func(operation string) bool { return automatic[operation] },
//		Rehearse: func(ctx context.Context, x adaptive.Learned) (float64, error) {
//			gain, err := sim.Rehearse(ctx, x, policies[x.Operation])
//			return gain.Mean, err
//		},
//	}
//	err := promotion.Review(ctx, time.Now()) // once a minute
//
// The guard takes a promotion back, at once. Each change is told to [Learner.Notice].
//
//	          500 forecasts in 24 h, 10 % better than the base rate,
//	          calibrated to 0.1, guard and fallback off, rehearsal ≥ 0
//	┌────────┐ ─────────────────────────────────────────────────────▶ ┌────────┐
//	│ Shadow │                                                        │ Active │
//	└────────┘ ◀───────────────────────────────────────────────────── └────────┘
//	                      the guard trips: proven anew
//
// # Bounds
//
// A model takes about 2 kB. There are at most 256; operations beyond that share one. An attempt that the caller cancelled,
// that a gate refused, or that failed for good says nothing and is not counted. Times that go back by more than a second or jump by more
// than an hour are ignored and counted, and the belief begins anew: no outage is recorded. Times come from the attempts,
// so a simulator can replay them, with the same result bit for bit.
package adaptive
