// Package limit holds gates that keep the number of attempts within bounds.
//
//	slots := &limit.Concurrency{Name: "venue", Max: 8, MaxWait: time.Second}
//	rate := &limit.Rate{Name: "venue", Tokens: 1200, Per: time.Minute, Burst: 50, MaxWait: time.Second}
//	p := &retry.Policy{Gates: []retry.Gate{rate, slots}}
//
// [Concurrency] bounds the attempts that run at one time. A slot is taken when the attempt begins and given
// back when it has ended: nobody holds one during a backoff. [Retries] bounds the retries under way, those
// that still wait for their backoff included, because they are load that is promised already. [Rate] bounds
// attempts per time. Each counts first attempts and retries of all the policies that share it; Retries
// counts retries only.
//
// # Order
//
// Rate comes before Concurrency in the list. Gates are asked in reverse order when an attempt begins, so the token is
// then taken last, with the slot in hand. The other way round, attempts that have their tokens wait for slots, and may begin together when
// slots become free: more at once than the rate allows.
//
// # Waiting
//
// Concurrency and Rate refuse at once, or wait up to MaxWait when the attempt is about to begin. A wait also
// ends with the context of the call and with a stop. Who waits is served by priority, Critical first, and in
// the order of arrival within one priority: a steady stream of Critical attempts keeps all others waiting
// until their MaxWait. At most MaxWaiters wait. When they do, a newcomer takes the place of the latest one of
// the lowest priority below its own, which is refused, and else is refused itself.
//
// A wait holds the goroutine that would run the attempt: the caller's, or a worker's of [retry.Pool].
//
// # Errors
//
// Refusals are of type [*Error] and wrap [ErrBusy], [ErrRate] or [ErrCrowded]. They say that nothing was done:
// Transient, or Throttled with the time to wait where that is known.
package limit
