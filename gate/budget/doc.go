// Package budget decides whether a retry may be sent, so that a dependency that fails sees only a
// bounded surplus over first attempts, however long it fails and however many callers there are.
//
//	var binance budget.Budget // one for all policies that call the same dependency
//
//	policy := &retry.Policy{Name: "binance.fetch_book", Gates: []retry.Gate{&binance}}
//
// A [Budget] is what most policies want: successes fill a bucket, retries draw from it.
//
//	                      success: + Ratio
//	                            │
//	                            ▼          Max: full, and what comes on top is lost
//	                     ┌─────────────┐
//	attempt fails        │▒▒▒▒▒▒▒▒▒▒▒▒▒│   Floors: what is below is for calls of
//	      │              │▒▒▒▒▒▒▒▒▒▒▒▒▒│   higher priority
//	      ▼              └──────┬──────┘
//	may I retry? ── in flight < ceiling? ── balance ≥ cost + floor? ── no ──▶ the call ends, ErrSpent
//	                            │
//	                            ▼ yes: cost and place are reserved, in the same step
//	                         backoff ── cancelled, stopped, refused ──▶ both are given back
//	                            │
//	                            ▼
//	                  the retry begins: the cost is gone; its place is free when it ends
//
// The bucket is funded by successes, not by requests: when everything fails, nothing is earned, and
// the load falls back to first attempts alone. A budget that requests fund goes on adding its share
// to an outage that retries keep alive (Bronson et al., "Metastable Failures in Distributed
// Systems", HotOS 2021; package sim shows it). [Load] finds budgets that could do that.
//
// # What holds at every instant
//
//   - retries begun ≤ (Max + Ratio·successes + Trickle·time) / smallest cost
//   - retries in flight ≤ ceiling, when one is admitted
//   - an attempt that another layer makes below the gate, such as a resend by net/http, is not seen
//   - permanent failures neither earn nor cost
//   - a first attempt is in flight from its admission on, so one that waits in a limiter's queue counts: the ceiling grows with that
//     queue. What bounds the retries then is CeilingMin and Ceiling of the queue's length, and Max
//
// In plain words: when every call fails, there are Max retries and then no more until calls succeed again.
//
// # Caps
//
// Three further gates bound what no feedback from the other side can raise, first attempts included
// where that is the point. They go into the same list of gates; each gives back what another refuses:
//
//   - [Parents]: attempts per parent, such as the order for which they are made, over its life
//   - [Spend]: money per window, operation and parent
//   - [Window]: retries per window, of all policies that share it
//
// They exist because of Knight Capital, whose router turned 212 parent orders into more than four
// million executions in 45 minutes of August 2012 since it did not see that the parents were filled
// (SEC, Release No. 34-70694, 2013).
//
// All times come from the attempts, which carry the monotonic clock: setting the wall clock changes no decision.
package budget
