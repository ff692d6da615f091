// Package audit keeps a record of every decision to retry and of every command, in chains of hashes that show when somebody has tampered
// with them.
//
//	retry.Policy ──gate, observer──▶ Log ──batches──▶ Store       chains: File, store/memory, store/sqldb
//	commands ──────────Record──────▶  │ ╲
//	                                  │   ╲──────────▶ Spool      while the store is away
//	                                  └───────────────▶ Anchor     signed checkpoints, in another trust domain
//
// A [Log] promises, in this order of importance:
//
//   - Before an order is attempted again, the intent is durable. No audit, no order retry.
//   - What Record and Admit returned without an error is never lost, by kill -9 or power failure neither.
//   - What is missing is counted, and the chain says so.
//   - A read that succeeds at once costs a question and no allocation.
//
// In plain words: an order waits for its record, a read never does.
//
// After a crash, [Log.Recover] returns the retries that were about to be sent, or were, and of which nobody knows how they ended. They are
// not sent again by anything here: they have to be found out about first.
//
// # Chains
//
// The hash of a record is SHA-256(hash before || 0x00 || record), with the record in canonical JSON ([Canonical], RFC 8785); before the first one
// come 32 zero bytes. So whoever changes, drops, moves or puts in a record must compute all later hashes anew, and [Verify] names the first that
// does not fit. Who can write the store can do that, or cut off the tail. Against it, a [Checkpoint] goes to an [Anchor] that
// they cannot write: a [File] on a host elsewhere, write-once storage, another company. Each process, or each shard, has a chain of its own. A [Tree] over their heads
// lets one signature vouch for all.
//
// Records hold no payloads and no secrets: what must not be in one goes in as its [Digest].
//
// How long records are kept is the user's to decide: whole segments of a [File] may be removed, the oldest first, and what follows verifies against a
// later checkpoint ([Verification.Start]).
package audit
