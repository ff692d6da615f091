// Package retry runs a function again when, and only when, that is safe and may help.
//
//	book, err := retry.Do(ctx, &retry.Policy{Name: "venue.fetch_book", Idempotent: true}, fetchBook)
//
// [Do] is what most callers want. [Run] is for functions that return only an error, [Wrap] turns a
// function into one that retries, [Attempts] is a loop whose body is the attempt, and [Go] makes
// the call asynchronously. All take a [Source] of a [Policy], which is plain data.
//
// # What is retried
//
// Each error has a [Class]. Transient and Throttled say that nothing happened, so the attempt is
// repeated. Ambiguous says that the attempt may have had its effect: it is repeated only if the
// policy says Idempotent. Permanent is never repeated. An error that nobody classified is
// Ambiguous, so the zero policy never sends an order twice. Adapters classify with [Mark] and
// [After]; [DefaultClassify] knows the standard library's errors.
//
// # When a call ends
//
// A call ends at once, without a wait, when the attempts are used up, when the wait would leave
// less time before the deadline than an attempt needs, when the other side asks to be left alone
// for longer than MaxHint, when a gate or Validate refuses, and when the caller's context ends. Its
// error is then an [*Error], which holds both the reason and the last attempt's error.
//
// The steps between two attempts are, in this order:
//
//  1. The gates learn how the attempt went (Settle).
//  2. The context, the class, RetryIf, the number of attempts and the limits of the scope decide.
//  3. The wait is chosen: the backoff, plus what the other side asked for. It is checked against the deadline.
//  4. Validate says whether the retry still makes sense.
//  5. The gates admit the next attempt, in order.
//  6. The call waits. The end of the context and a [Halter] end the wait, Nudge shortens it.
//  7. After a wait, the context and Validate are asked once more, because the world moved.
//  8. The gates say that the attempt may begin: each [Rechecker], after a wait, before Validate is asked, and each
//     [Starter], which may wait for its turn, too. The [Halter] has the last word.
//
// In plain words: whatever would refuse does so before anything is slept, and nothing starts on
// knowledge from before the wait.
//
// # Waits
//
// A hint of the other side is a floor: not even Nudge goes below it. A zero delay is honoured only
// after a Transient failure, where nothing reached the other side; otherwise the wait is at
// least 1 ms.
//
// # Layers
//
// When calls nest, attempts do not multiply. A call inside a retried attempt (or inside the handling of
// a request that is itself a retry, see [WithPreviousAttempts]) makes one attempt; and a call whose function already
// retried below counts those attempts as its own. Policy.Nested opts out.
//
// # Panics
//
// Panics in the caller's functions rise unchanged, after the gates and the observer have been told.
package retry
