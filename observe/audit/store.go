package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relent-go/relent/retry"
)

// A Store keeps chains of records. It is safe for concurrent use, by any number of processes that share it, unless
// it says otherwise.
//
// A chain grows at its end only: its records are numbered from 1 without gaps, and each hash covers the record
// and the hash before it ([Extend]). No method changes or removes what is there.
//
// An error that the store knows to have changed nothing is marked, with [retry.Mark], as Transient, Throttled or
// Permanent. After any other error the same batch is appended again: that is what the ids are for.
type Store interface {
	// Append adds records to the end of a chain, all or none, in their order, and returns the head of the chain
	// afterwards. When it returns without an error the records survive whatever the store promises to survive.
	//
	// Chain and Sequence of the records are set by the store, which takes the links from [Extend]. A record whose ID the
	// chain has already, or an earlier record of the batch has, is left out: appending a batch again gives one copy. A store may forget ids
	// after at least [MinRemembered] further records of the chain, if it says so. An empty batch returns the head.
	//
	// A chain that [CheckChain] refuses, and a batch with a record that [Record.Check] refuses, are errors that match [ErrInvalid], Permanent.
	Append(ctx context.Context, chain string, records []Record) (Head, error)

	// Query returns up to limit records that match f, in ascending order of chain (as bytes) and sequence, beginning
	// after the given cursor, and the cursor from which to go on. An empty result says that there are
	// no more for now; with the same cursor, those appended later are found. A limit that is not positive means [DefaultLimit].
	Query(ctx context.Context, f Filter, after Cursor, limit int) ([]Record, Cursor, error)

	// Links returns up to limit links of a chain exactly as they are stored, whether they are sound or not, in the order
	// in which they are stored, beginning with the first whose sequence is at least from. It is what
	// [Verify] reads. An empty result says that there are no more. A limit that is not positive means [DefaultLimit].
	Links(ctx context.Context, chain string, from uint64, limit int) ([]Link, error)

	// Heads returns the heads of all chains, in ascending order of their names.
	Heads(ctx context.Context) ([]Head, error)

	// Anchor keeps a checkpoint, for chains that this store has or that another one has. Keeping it again changes nothing;
	// another one for the same chain and sequence, with another hash, is refused with [ErrConflict], Permanent.
	Anchor

	// Checkpoints returns up to limit checkpoints that were kept for a chain, in ascending order of sequence,
	// of those whose sequence is above after. A limit that is not positive means [DefaultLimit].
	Checkpoints(ctx context.Context, chain string, after uint64, limit int) ([]Checkpoint, error)
}

// An Anchor keeps checkpoints where whoever can write the store cannot: in another trust domain. A [Store] is one,
// for the chains of another store.
type Anchor interface {
	// Anchor returns when the checkpoint is kept. It is safe for concurrent use.
	Anchor(ctx context.Context, c Checkpoint) error
}

// What every store keeps to.
const (
	DefaultLimit  = 1000
	MinRemembered = 1 << 17 // records of a chain
	MaxBatch      = 10_000  // records; Append refuses more with ErrInvalid
)

// What stores refuse, beside what their medium does.
var (
	ErrInvalid  = errors.New("invalid audit record")
	ErrConflict = errors.New("another checkpoint is kept for this sequence")
)

// A Head is the end of a chain. The hash of an empty chain is [Genesis].
type Head struct {
	Chain    string `json:"chain"`
	Sequence uint64 `json:"sequence"` // of the last record; 0 if there is none
	Hash     Hash   `json:"hash"`
}

// A Link is a record as a store keeps it.
type Link struct {
	Chain    string
	Sequence uint64
	Body     []byte // the record in canonical JSON, RFC 8785
	Hash     Hash   // of the link before and Body
	Record   Record // that Body says; set by Extend, not by Store.Links
}

// A Filter selects records. Empty fields select all; others must match exactly.
type Filter struct {
	Chain     string
	From, To  time.Time // wall time of the record: not before From, and before To
	Operation string
	Call      string
	Parent    string
	Outcome   Outcome
	Actor     string
	Decision  Decision
}

// Match says whether f selects r.
func (f *Filter) Match(r *Record) bool {
	return (f.Chain == "" || f.Chain == r.Chain) &&
		(f.From.IsZero() || !r.Time.Before(f.From)) && (f.To.IsZero() || r.Time.Before(f.To)) &&
		(f.Operation == "" || f.Operation == r.Operation) && (f.Call == "" || f.Call == r.Call) &&
		(f.Parent == "" || f.Parent == r.Parent) && (f.Outcome == "" || f.Outcome == r.Outcome) &&
		(f.Actor == "" || f.Actor == r.Actor) && (f.Decision == "" || f.Decision == r.Decision)
}

// A Cursor is a place between records: behind the one with this sequence in this chain, and all chains whose names
// are less. The zero Cursor is before everything.
type Cursor struct {
	Chain    string `json:"chain"`
	Sequence uint64 `json:"sequence"`
}

// Before says whether the record r comes after c, so that a query that goes on from c finds it.
func (c Cursor) Before(r *Record) bool {
	return c.Chain < r.Chain || c.Chain == r.Chain && c.Sequence < r.Sequence
}

// CheckChain returns nil for the name of a chain, which is also good for a file: 1 to 64 letters, digits and any of
// "._-" but at the beginning. Else it returns an error that matches [ErrInvalid], Permanent.
func CheckChain(name string) error {
	for i, b := range []byte(name) {
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9':
		case i > 0 && (b == '.' || b == '_' || b == '-'):
		default:
			return invalid("Chain: %.80q has the character %q at %d: letters, digits and, but at the beginning, any of ._- are allowed", name, rune(b), i)
		}
	}
	if name == "" || len(name) > maxChain {
		return invalid("Chain: %.80q has %d bytes: 1 to %d are allowed", name, len(name), maxChain)
	}
	return nil
}

const maxChain = 64

// invalid returns a Permanent error that matches ErrInvalid.
func invalid(format string, args ...any) error {
	return retry.Mark(fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...)), retry.Permanent)
}
