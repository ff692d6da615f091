package retrysql

import (
	"context"
	"database/sql"
)

// A Beginner begins transactions. [DB] is one for database/sql; the package example shows one for pgx.
// It is safe for concurrent use.
type Beginner interface {
	// Begin begins a transaction. When it fails, none is open, and no connection is held.
	Begin(ctx context.Context, o Options) (Session, error)

	// Dialect says what kind of database it is.
	Dialect() Dialect
}

// A Coder is a Beginner that finds the codes in its driver's errors, if [Dialect.Code] does not.
type Coder interface {
	Beginner

	// CodeOf returns the code in err, as that of [Error], or "".
	CodeOf(err error) string
}

// A Session is a transaction under way, on a connection of its own.
type Session interface {
	// Exec runs a statement.
	Exec(ctx context.Context, query string, args ...any) (sql.Result, error)

	// Query runs a statement that yields rows.
	Query(ctx context.Context, query string, args ...any) (Cursor, error)

	// Commit sends COMMIT. Only nil and [sql.ErrTxDone], which says that COMMIT was not sent, are certain.
	Commit(ctx context.Context) error

	// Rollback is called unless Commit has returned nil; after a Commit that failed, too. It must end
	// the transaction or the connection: nobody else may get a connection with an open transaction.
	Rollback(ctx context.Context) error
}

// A Cursor yields rows. [*sql.Rows] is one.
type Cursor interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close() error
}

// A Querier reads: a [*Tx] and a [*DB] do.
type Querier interface {
	// QueryRow runs a statement that yields one row.
	QueryRow(ctx context.Context, query string, args ...any) *Row
}
