// Package idempotent lets a function have at most one effect per key, over retries, callers, processes and restarts.
//
//	guard := &idempotent.Guard[Order, string]{
//		Name:  "venue.place_order",
//		Store: store,
//		Key:   func(o Order) string { return o.ClientID },
//	}
//	place := guard.Wrap(placeOrder)
//	id, err := place(ctx, order) // the second time: the same id, and nothing is placed
//
// A key stands for one intent. Whoever has the intent makes the key, once, and writes it down before the first use;
// all attempts carry it. After an outcome that is not known a new key is never the answer.
//
// # What happens to a key
//
// Before the function runs, the guard claims the key in its [Store]. One caller wins; the function runs under a lease that is
// renewed until it returns. What its error means decides what is kept: see [Guard.Call]. What others get meanwhile,
// and later:
//
//	the key is                      they get           class      and should
//	running                         ErrInProgress      Transient  call again with the same key
//	done                            the stored result             be content
//	done, another fingerprint       ErrMismatch        Permanent  use a new key for a new intent
//	unknown                         ErrUnknown         Ambiguous  find out, and use no new key
//	done, the retention over        ErrExpired         Ambiguous  ask the other side, and use no new key
//	done, but nothing to show       ErrNoResult        Ambiguous  ask the other side, and use no new key
//	not to be claimed, store away   ErrUnavailable     Transient  call again with the same key
//
// The function was run, and the caller gets its value, with ErrInDoubt (the store could not be told) and
// ErrClaimLost (somebody has taken the claim over).
//
// # What is not known
//
// A key becomes unknown when the function's outcome is, when it panics, and when its process dies and the lease
// ends. Nothing frees it by the passing of time. Guard.Reconcile asks the other side, under a claim of its own: when the
// next caller comes, or when a reaper does ([Guard.Reap]). What it finds is stored; if it proves that nothing
// happened, the caller who asked runs the function.
//
// # With retries
//
// The guard goes outside, the retries inside: one claim covers all attempts.
//
//	place := guard.Wrap(retry.Wrap(policy, placeOrder))
//
// The policy may say Idempotent only if the other side honours the key: take it from [Key], or hand it on in a
// header with [Header]. Otherwise an attempt that may have acted ends the call, and the key is unknown.
// A retry around a guard, with a policy that is not Idempotent, waits for callers in progress; calls of
// package retry inside of it then make one attempt each, unless their policies say Nested.
//
// # What a lease cannot do
//
// A holder that sleeps through the end of its lease, in a long pause of the process or the machine, may wake up and act
// when somebody else has the key. That matters only where Reconcile can say Absent, for otherwise nobody else runs.
// Let the resource refuse him: each claim has a [Fence] that rises, and a resource that remembers
// the largest, as a [Watermark] does, also when it is read by Reconcile, refuses those that are smaller.
//
// # Time
//
// Leases and retentions pass on the store's clock. The guard only measures spans of its own, and only to stop
// earlier: it does not run under a claim whose answer took too long, and ends the function's context when the lease was
// not renewed in time.
package idempotent
