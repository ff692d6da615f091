package retrysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/relent-go/relent/retry"
)

// Test with errors.Is.
var (
	ErrFailed = errors.New("not sent, because the transaction failed before")
	ErrOver   = retry.Mark(errors.New("not sent, because the transaction is over"), retry.Permanent)
)

// A Stage is a part of a transaction's life.
type Stage uint8

// The stages.
const (
	Beginning  Stage = iota
	Running          // before COMMIT was sent: whatever failed, nothing has happened
	Committing       // COMMIT was sent
)

// String says what was done.
func (s Stage) String() string {
	switch s {
	case Beginning:
		return "begin"
	case Running:
		return "statement"
	}
	return "commit"
}

// An Error is a failure of a transaction that the database or its driver reported, with what that means.
type Error struct {
	Stage Stage
	Code  string // that the database gave it: a SQLSTATE or a number; "" if none was found
	Keyed bool   // Committing: an idempotency row makes it safe to run the transaction again
	Err   error  // of the driver

	class retry.Class
}

// Error says what failed, and how.
func (e *Error) Error() string {
	if e == nil {
		return "<nil>"
	}
	return fmt.Sprintf("%v: %v", e.Stage, e.Err)
}

// Unwrap returns the driver's error.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Class says what the failure means.
func (e *Error) Class() retry.Class {
	if e == nil {
		return retry.Permanent
	}
	return e.class
}

// An open error is a keyed COMMIT whose outcome is not known. It may be attempted again although the policy is
// not Idempotent, so for the engine it is Transient; what it holds tells the engine that it is still
// Unknown, for as long as no attempt finds out.
type open struct{ err *Error }

func (o open) Error() string   { return o.err.Error() }
func (o open) Unwrap() []error { return []error{&retry.Error{Unknown: true}, o.err} }

// ours returns the Error in err, or nil.
func ours(err error) *Error {
	e, _ := errors.AsType[*Error](err)
	return e
}

// newError judges an error by its code, and by whether COMMIT was sent.
func newError(s Stage, d Dialect, code string, err error) *Error {
	e := &Error{Stage: s, Code: code, Err: err}
	if s == Committing {
		e.class = answered(d, code)
	} else {
		e.class = undone(d, code, err)
	}
	return e
}

// mark makes the class known to the engine. The mark stands outside, because what the driver's
// error holds must not speak for the transaction.
func (e *Error) mark() error { return retry.Mark(e, e.class) }

// answered classifies what became of COMMIT: only an answer that says so proves that it did not
// happen. (A driver's ErrBadConn should, and does not always.)
func answered(d Dialect, code string) retry.Class {
	switch d.meaning(code) {
	case again:
		return retry.Transient
	case refused:
		return retry.Permanent
	}
	return retry.Ambiguous
}

// undone classifies a failure before COMMIT was sent: nothing has happened, and what is left to
// ask is whether it may work later.
func undone(d Dialect, code string, err error) retry.Class {
	if code != "" {
		switch d.meaning(code) {
		case again, unsent, lost:
			return retry.Transient
		case doubtful:
			return retry.Ambiguous
		}
		return retry.Permanent
	}
	switch class := retry.DefaultClassify(err); {
	case class != retry.Ambiguous:
		return class
	case disconnected(err):
		return retry.Transient
	}
	return retry.Permanent
}

// disconnected tells errors of a connection, and of time, from those of what was asked for.
func disconnected(err error) bool {
	for _, known := range []error{
		driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone, io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe,
		net.ErrClosed, context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	if _, ok := errors.AsType[net.Error](err); ok { // also syscall.Errno
		return true
	}
	e, ok := errors.AsType[interface {
		error
		SafeToRetry() bool
	}](err)
	return ok && !isNil(e) && e.SafeToRetry() // pgx: nothing was sent, for the connection was closed
}
