// Package relent is the root of a retry system for trading platforms: retries that know when to stop. It holds no code.
//
// Below any HTTP client it takes one line, and repeats what is safe to repeat:
//
//	client := retryhttp.Client(&retry.Policy{Name: "binance.fetch_book", MaxAttempts: 5})
//
// Around a function of any kind, another one:
//
//	book, err := retry.Do(ctx, &retry.Policy{Name: "binance.fetch_book", Idempotent: true}, fetch)
//
// A failure that nobody classified may have had its effect, so it ends the call unless the policy says Idempotent.
//
// # Where to look
//
//	retry, backoff                              the engine, and how long to wait
//	transport/retryhttp, retrysql, retryws      HTTP, transactions, streams
//	gate/budget, breaker, limit, halt           what may refuse an attempt; the emergency stop
//	guard/idempotent                            at most one effect per key
//	exchange, exchange/order, exchange/market   venues; orders that are never sent twice; books without gaps
//	work/batch, job, inference                  many items; work that outlives a crash; model calls
//	observe, observe/audit, observe/analytics   a log, a record that cannot be altered unseen, findings
//	control, dashboard                          what operators see and steer
//	store/memory, store/sqldb                   where it is kept
//	chaos, sim, adaptive                        faults on purpose; a policy tried out; retries that learn
//
// Adapters to other people's libraries are in contrib, the program is in cmd/relent. docs/guides/first-hour.md is the way in, and
// README.md has the map.
package relent
