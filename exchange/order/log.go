package order

import (
	"context"
	"errors"
	"time"
)

// A Scope names a writer: one account at one venue, and the prefix of the client ids that it makes.
type Scope struct {
	Venue   string `json:"venue"`
	Account string `json:"account"`
	Prefix  string `json:"prefix"`
}

// A Lease is the right to write in a scope. A later lease of the same scope has a higher token.
type Lease struct {
	Scope
	Owner string
	Token uint64
}

// A Kind says what an entry of the log is about.
type Kind string

// The kinds.
const (
	KindIntent  Kind = "intent"  // the frozen intent; Key "1": an id is used once
	KindSending Kind = "sending" // an attempt, before its first byte; Key is its number
	KindOutcome Kind = "outcome" // what the answer to an attempt proves
	KindReport  Kind = "report"  // what the venue said of the order: evidence
	KindFill    Kind = "fill"    // Key is the venue's key of it: each is applied once
	KindRead    Kind = "read"    // a read that was to settle the fate
	KindMove    Kind = "move"    // a change of state that nothing else carries
	KindCommand Kind = "command" // a cancel or amend, before it is sent; Key is its own id
	KindResolve Kind = "resolve" // a decision of two persons
	KindClosed  Kind = "closed"  // terminal, and its fills add up; whatever follows opens it again
)

// An Entry is one line of the log.
type Entry struct {
	ID   string    // client id of the intent
	Kind Kind      // what it is about
	Key  string    // unless empty, no two entries of one id and kind have the same
	At   time.Time // when, by the venue's clock; to be given back to the microsecond
	Data []byte    // JSON that only the machine reads, at most 1 MiB; to be given back byte by byte
}

// A Log keeps what happened to intents. It is durable: what Append has accepted survives kill -9 and loss of power.
// It must be safe for concurrent use, and should commit the appends of concurrent callers together.
//
// Ids of one venue and account belong together whatever the prefix of the writer: Load finds them all, and Open those
// that begin with the prefix. Different accounts share nothing.
type Log interface {
	// Acquire takes the lease of a scope for the span, by the log's own clock. The owner that holds it gets it renewed,
	// with the same token. Once a lease has run out or was released anybody may take it, with a higher token. Else the
	// error matches [ErrHeld].
	Acquire(ctx context.Context, s Scope, owner string, span time.Duration) (Lease, error)

	// Release gives a lease back, and nothing can be appended with it any more. One that was lost or released before is no
	// error.
	Release(ctx context.Context, l Lease) error

	// Append adds the entries, all or none, in their order, and returns when they are durable. A lease that has been
	// followed by another one is refused with [ErrFenced], whenever that happened; one that ran out but was not followed
	// still holds. An entry whose Key is taken is refused with [ErrTwice], also by another entry of the same call: so there
	// is no second SENDING(n), and an id is never used again. A context that has ended appends nothing. After any other
	// error nobody knows. Without entries only the lease is checked.
	Append(ctx context.Context, l Lease, entries ...Entry) error

	// Load returns the entries of one intent in the order in which they were appended; none if there are none.
	Load(ctx context.Context, s Scope, id string) ([]Entry, error)

	// Open lists, in ascending order of their bytes, up to limit ids after the given one that begin with the scope's
	// prefix and whose last entry is not of the kind Closed.
	Open(ctx context.Context, s Scope, after string, limit int) ([]string, error)
}

// Why a log refuses. Nothing was written.
var (
	ErrHeld   = errors.New("another process writes orders of this account and prefix")
	ErrFenced = errors.New("the lease to write orders is lost to another process")
	ErrTwice  = errors.New("the log has such an entry already")
)
