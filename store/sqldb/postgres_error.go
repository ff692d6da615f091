package sqldb

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
)

// A moment is when something went wrong.
type moment int

const (
	before moment = iota // nothing can have been committed
	during               // while a commit was on its way
)

// A wireError is what the server or the way to it returned, and not an operation's own.
type wireError struct{ error }

func (e wireError) Unwrap() error { return e.error }

func wire(err error) error {
	if err == nil {
		return nil
	}
	return wireError{err}
}

// fault returns err with what it means, if the server or the way to it is the reason.
// Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
func (e *postgresEngine) fault(err error, m moment) error {
	var w wireError
	if !errors.As(err, &w) || errors.As(err, new(*Error)) {
		return err
	}
	err = w.error
	if errors.Is(err, puddle.ErrClosedPool) {
		return fault(e.where, ErrClosed, nil)
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fault(e.where, refused(pg.Code, m), err)
	}
	var dial *pgconn.ConnectError
	if m == before || errors.As(err, &dial) || pgconn.SafeToRetry(err) || errors.Is(err, pgx.ErrTxCommitRollback) {
		return fault(e.where, ErrUnreachable, err)
	}
	return fault(e.where, ErrUnknown, err)
}

// refused says what the server's error means.
func refused(code string, m moment) error {
	switch code {
	case "40001", "40P01", "55P03", "57014", "55006": // serialization, deadlock, lock not available, canceled, in use
		return ErrBusy
	case "25006": // read-only transaction: a standby
		return ErrReadOnly
	case "53100": // disk full
		return ErrFull
	case "28000", "28P01", "3D000", "3F000":
		return ErrURL
	}
	switch {
	case strings.HasPrefix(code, "57P03"), strings.HasPrefix(code, "53"), strings.HasPrefix(code, "08001"), strings.HasPrefix(code, "08004"):
		return ErrUnreachable // it takes no sessions
	case strings.HasPrefix(code, "57P"), strings.HasPrefix(code, "08"), strings.HasPrefix(code, "58"):
		if m == during {
			return ErrUnknown // the session ended, perhaps after the commit
		}
		return ErrUnreachable
	case strings.HasPrefix(code, "XX001"), strings.HasPrefix(code, "XX002"):
		return ErrCorrupt
	}
	return ErrFailed
}
