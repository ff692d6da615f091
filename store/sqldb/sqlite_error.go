package sqldb

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteFault returns err with what it means, if SQLite returned it. committing says that COMMIT did, so that
// after an error of the disk nobody knows what is on it.
func sqliteFault(where string, err error, committing bool) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	what := ErrFailed
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_NOMEM:
		what = ErrBusy
	case sqlite3.SQLITE_FULL:
		what = ErrFull
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		what = ErrCorrupt
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		what = ErrReadOnly
	case sqlite3.SQLITE_CANTOPEN:
		what = ErrUnreachable
	case sqlite3.SQLITE_IOERR:
		what = ErrUnreachable
		if committing {
			what = ErrUnknown
		}
	}
	return fault(where, what, err)
}

// spoils says that an error may have ended the whole transaction, not only the statement.
// https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction
func spoils(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH:
		return false
	}
	return true
}

// duplicate says that a row with the same key is there already.
func duplicate(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "23505"
}
