// Package batch does many items, and retries the ones that failed.
//
//	report, err := batch.Do(ctx, policy, orders, place, &batch.Options[Order, Ack]{Key: "close-2026-03-01"})
//
// [Do] calls a function for each item. [Bulk] is for an API that takes many at once and answers for each: only the
// failed ones go into the next call. [Atomic] is for all or nothing: one transaction, which is yours.
//
// # What becomes of an item
//
// Each item is a call of its own in the sense of package retry: its class decides, it has its own attempts and waits,
// and the gates (budget, breaker, limit, halt) are asked for it. An item that goes on failing is set aside when its attempts are used up;
// the others do not wait for it.
//
// An item whose outcome is not known is not sent again unless the policy is Idempotent. It goes to Options.Reconcile, and
// stays Unknown if that cannot tell.
//
// # Order
//
// Results are in the order of the items. Items for which Options.Order returns the same text are done one after the other,
// in their order; the next begins when the one before has ended, well or badly. It does not begin if the one before
// is Unknown, for then nobody could say in which order they happened.
//
// # Panics
//
// When a function of the caller's panics, the items under way come to their end, no further ones are begun, and Do panics with
// a [*Panic] in the caller's goroutine.
package batch
