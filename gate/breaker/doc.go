// Package breaker refuses attempts on a dependency that fails, and tells other gates how it is.
//
//	venue := &breaker.Breaker{Name: "binance"}
//	p := &retry.Policy{Name: "binance.fetch_book", Idempotent: true, Gates: []retry.Gate{venue}}
//
// A [Breaker] is a [retry.Gate]: it sees first attempts and retries, decides in nanoseconds and never waits. It
// escalates in steps, so that a little trouble costs only retries, and a refusal needs evidence of errors:
//
//	         CUSUM 7            CUSUM 10              open test
//	Closed ───────────▶ Suspect ──────────▶ Throttling ──────────▶ Open ◀──┐ failed
//	  ▲ ◀──── calm ────────┘                    │                    │      │ probe
//	  │ ◀──── calm ─────────────────────────────┘   open time ±20 %  ▼      │
//	  └──────────────── ramp 1, 2, 4 … permits ◀──────────────── HalfOpen ──┘
//	Isolated, ForcedClosed: set by a person, with reason and expiry; then HalfOpen
//
// Steps may be skipped: whatever the evidence bears is taken at once. What passes:
//
//	state         first attempts               retries                  hedges
//	Closed        yes                          yes (the budget's word)  yes (the budget's word)
//	Suspect       yes                          yes, see below           no
//	Throttling    shed with probability p      no                       no
//	Open          no                           no                       no
//	HalfOpen      Idempotent ones, by permit   no                       no
//	Isolated      no                           no                       no
//	ForcedClosed  yes                          yes                      yes
//
// Retries are asked for twice: before their backoff, and after it by [Breaker.Recheck]. One that was let through in Closed does not begin
// if the breaker, or one above it, is in a state without retries by then.
//
// A budget that knows of [Breaker.Suspect] lets retries pass in that state only when it is full. In Throttling,
// p = max(0, (requests − 2·successes)/(requests+1)) over the window: the client-side throttling of the SRE book,
// chapter 21.
//
// # Evidence
//
// A [Health] counts each attempt once. Every breaker has one, which budgets, limits and hedges may read. Where
// there is no breaker, a [Feed] gate fills one. Failures are Transient, Throttled and Ambiguous errors, attempt timeouts
// and panics. A caller's own fault (Permanent), an attempt cancelled by its caller or never begun count for nothing.
//
// # Tests
//
// The detector of change is a Bernoulli CUSUM (Page, "Continuous inspection schemes", Biometrika 41, 1954): each failure
// adds ln(p1/p0), each success takes off a little, and it never falls below zero. It alarms after some failures close
// together, long before a rate over a window moves. It may suspect at 7 (four failures in a row) and throttle at 10
// (five). To open, there must also be enough samples in the window, and the lower bound of the error rate must be above
// the threshold. What Throttling shed counts as samples that are needed, and not for the rate. A client with few samples throttles after five failures in a row, if the failures in the window
// outweigh a uniform prior, and never opens. [Rules.Classic] replaces all this with rates over a window.
//
// Calm is a CUSUM back at 0 that has not come to 5 (three failures in a row) for one open time. A client with few samples is
// calm after five successes in a row and one open time without a failure.
//
// A refusal ends the call. Put a [Patient] in the breaker's place in the policy where calls may rather wait until the
// breaker lets one pass again.
//
// # Probes
//
// A permit in half-open is a lease. It ends at the call's timeout or after one open time, whichever is shorter, and then
// counts as a failure, so that a hung probe blocks nothing. A probe that its caller cancelled gives its permit back.
// Operations that are not Idempotent are never probes: an order does not find out for others whether the venue works again.
// So a breaker in front of orders alone, once open, stays so. The way out is one Idempotent operation through the same breaker, such as a
// query of open orders each few seconds. Without one, a person lets orders pass by [Breaker.ForceClose] for as long as that lasts; then
// comes HalfOpen, which orders alone do not end.
// Results of attempts from before a breaker opened are dropped.
//
// # Cost
//
// In Closed, an attempt that succeeds costs one atomic load of the state and one atomic add on a counter of its own
// processor. Durations are looked at only where [Rules.SlowAfter] or [Rules.Latency] asks for it: then the end of each attempt
// is one reading of the clock and one lock more.
package breaker
