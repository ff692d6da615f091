package sqldb

import (
	"context"
	"errors"
	"strings"

	"github.com/relent-go/relent/retry"
)

// What may happen to a database. The error is an [*Error] that matches one of these.
var (
	ErrURL         = errors.New("not the URL of a database")
	ErrNewerSchema = errors.New("the tables are those of a newer version")
	ErrNotDurable  = errors.New("the database does not keep what it acknowledges")
	ErrCorrupt     = errors.New("the database is damaged")
	ErrReadOnly    = errors.New("the database cannot be written")
	ErrFull        = errors.New("no space is left for the database")
	ErrBusy        = errors.New("the database is in use by others")
	ErrUnreachable = errors.New("the database cannot be reached")
	ErrClosed      = errors.New("the database was closed")
	ErrUnknown     = errors.New("whether the change was made is unknown")
	ErrFailed      = errors.New("the database refused")
)

// An Error is what happened to a database. It unwraps to What and to Err.
type Error struct {
	Where string // the file or the server, without a password
	What  error  // one of the errors above
	Err   error  // the driver's own; may be nil
	Next  string // what to do next
}

// Error says all four.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Where != "" {
		b.WriteString(e.Where + ": ")
	}
	b.WriteString(e.What.Error())
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String() + ": " + e.Next
}

// Unwrap returns What and Err.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.What}
	}
	return []error{e.What, e.Err}
}

// next says what to do about each, and classes what the error means for a retry.
var next = map[error]struct {
	text  string
	class retry.Class
}{
	ErrURL:         {"write sqlite:FILE or postgres://USER@HOST/DATABASE", retry.Permanent},
	ErrNewerSchema: {"run the version of relent that made them, or a newer one", retry.Permanent},
	ErrNotDurable:  {"switch fsync and synchronous_commit on, and let no pooler share sessions", retry.Permanent},
	ErrCorrupt:     {"stop all processes that use it, keep a copy, and restore it from a backup", retry.Permanent},
	ErrReadOnly:    {"let this user write the file and its folder, or connect to the primary server", retry.Permanent},
	ErrFull:        {"free some space; nothing was changed, and it goes on by itself", retry.Transient},
	ErrBusy:        {"try again; nothing was changed", retry.Transient},
	ErrUnreachable: {"start the server or look at the network; nothing was changed, and it goes on by itself", retry.Transient},
	ErrClosed:      {"open it again; nothing was changed", retry.Transient},
	ErrUnknown:     {"read back before anything else is done", retry.Ambiguous},
	ErrFailed:      {"this is a mistake in relent or in the tables: report it", retry.Permanent},
}

// fault returns an *Error with its class.
func fault(where string, what, err error) error {
	n := next[what]
	return retry.Mark(&Error{where, what, err, n.text}, n.class)
}

// badURL refuses a URL.
func badURL(where, why string) error { return fault(where, ErrURL, errors.New(why)) }

// left is the error for a caller whose context ended before anything was done.
func left(ctx context.Context) error { return retry.Mark(context.Cause(ctx), retry.Transient) }

func ambiguous(err error) bool { return retry.DefaultClassify(err) == retry.Ambiguous }
