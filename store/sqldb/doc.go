// Package sqldb keeps what must survive in a database: idempotency keys, jobs, orders and audit records. One URL says where:
//
//	sqlite:relent.db               a file of this machine, created on first use
//	postgres://user@host/database  a server that several machines share
//
// Both have the same tables and keep the same promises. What a method reported without an error has been synced to the
// disk and survives kill -9 and a power failure. Times are spans that pass on the clock of the store: the server's, or
// that of the machine that has the file.
//
// # SQLite
//
// The file is in WAL mode with synchronous=FULL. One goroutine writes: it commits what many callers ask for
// together, in one transaction with one fsync, so that 256 callers wait hardly longer than one does. Each
// caller's operation succeeds or fails by itself. Up to [QueueLength] operations wait their turn; further callers
// wait for a place, as long as their contexts allow. Several processes of one machine may share a file. Network
// file systems do not keep the promises of a disk: use PostgreSQL there.
//
// # PostgreSQL
//
// Sessions assert synchronous_commit=on, and a server with fsync=off is refused. A pooler between must give each session
// a server connection of its own. Keys are claimed by a plain INSERT; whoever gets 23505 reads the winner in a
// new transaction.
//
// # Errors
//
// Errors of the medium are [*Error]: what happened, to what, and what to do next. Their class ([retry.DefaultClassify]) is
// Ambiguous if the change may have been made, and else says that nothing changed.
package sqldb
