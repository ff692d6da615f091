package idempotent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relent-go/relent/retry"
)

// A Store remembers which keys are claimed, and what came of them. It is safe for concurrent use,
// by any number of processes that share it.
//
// The life of a key, with the methods that move it and the times that pass:
//
//	New ──Claim──▶ Running ──Complete──▶ Done ──retention ends──▶ Lapsed ──Forget──▶ New
//	 ▲                │  ▲                 ▲
//	 └────Release─────┤  └─Claim (Over)─┐  │
//	                  │                 │  │
//	       lease ends, Renew(0)         │  │
//	                  └─────────────▶ Unknown ──Complete (late)
//
// In plain words: a key is won once. It becomes free again only when the winner says, while its lease
// runs, that nothing happened. When the lease ends first, nobody knows whether it happened: the key is
// Unknown until its owner completes it after all, or somebody takes the claim over in order to find out.
//
// All changes are decided in the store by compare-and-set, and all times are spans that pass on the
// store's clock, so that a caller whose clock is wrong changes nothing. A span that is not positive has
// passed at once; one may be as long as a [time.Duration] can be.
//
// An error that the store knows to have changed nothing is marked, with [retry.Mark], as Transient,
// Throttled or Permanent. Any other error leaves open whether the change was made. What a method
// reported without an error survives whatever the store promises to survive.
//
// Keys are any bytes, from 1 to [MaxKey]; the methods refuse others with the error of [CheckKey]. Results are any
// bytes, also none, up to [MaxResult]; Complete refuses longer ones with [ErrLongResult].
type Store interface {
	// Claim tries to win a key and returns its record as it then is. The bid has won if [Record.Won]
	// says so, and else the record shows what stands in the way. A bid wins
	//
	//   - a New key, whatever was released or forgotten before;
	//   - an Unknown key, if Over is its fence and the fingerprints are equal: the bid takes the claim over.
	//
	// The winner's Owner, Fingerprint, Lease and Retain replace those of the record. Its fence is higher
	// than any that the key had before, released ones included; only Forget may let it begin anew.
	Claim(ctx context.Context, b Bid) (Record, error)

	// Renew lets the lease of a running claim end after the given span from now. A span that is not
	// positive gives the claim up with its outcome open: the key is Unknown.
	// [ErrClaimLost] says that the key is not Running, or not under this claim.
	Renew(ctx context.Context, c Claim, lease time.Duration) error

	// Complete makes a key Done, with its result, for the retention that the bid asked for. It does so
	// even when the lease has ended, as long as nobody has taken the claim over: that something happened
	// stays true. Completing a claim again changes nothing and returns nil, so that it can be repeated
	// when the answer got lost. [ErrClaimLost] says that the key is not under this claim.
	Complete(ctx context.Context, c Claim, result []byte) error

	// Release makes a key New, because what was claimed did not happen. The record is remembered, for the
	// sake of its fence, at least for the retention. Releasing a claim again changes nothing and
	// returns nil. [ErrClaimLost] says that the key is not Running under this claim: once the lease has ended,
	// others may have acted on what they saw.
	Release(ctx context.Context, c Claim) error

	// Get returns the record of a key. It is linearizable: it sees every change that was acknowledged
	// before it was called. A key without a record is New.
	Get(ctx context.Context, key string) (Record, error)

	// Unresolved returns up to limit records that are Unknown, in ascending order of their keys' bytes,
	// beginning after the key given. Their results are left out.
	Unresolved(ctx context.Context, after string, limit int) ([]Record, error)

	// Forget removes up to limit records that are Lapsed, or New, and whose retention ended at least
	// the given span ago. It returns how many it removed. From then on such a key can be won again, so
	// the span must be longer than any caller may still repeat a call.
	Forget(ctx context.Context, ago time.Duration, limit int) (int, error)
}

// The limits of every store.
const (
	MaxKey    = 1 << 10 // bytes of a key
	MaxResult = 4 << 20 // bytes of a result
)

// What stores refuse, beside what their medium does. All but ErrClaimLost are Permanent: whoever lost a claim may
// have had his effect.
var (
	ErrNoKey      = retry.Mark(errors.New("idempotency key is missing"), retry.Permanent)
	ErrLongKey    = retry.Mark(errors.New("idempotency key is too long"), retry.Permanent)
	ErrLongResult = retry.Mark(errors.New("result is too long to store"), retry.Permanent)
	ErrClaimLost  = errors.New("claim lost: somebody else has the key, or its lease ended")
)

// CheckKey returns nil for a key that a store accepts, else an error that wraps [ErrNoKey] or [ErrLongKey].
func CheckKey(key string) error {
	switch {
	case key == "":
		return ErrNoKey
	case len(key) > MaxKey:
		return fmt.Errorf("%w: %d bytes; the limit is %d", ErrLongKey, len(key), MaxKey)
	}
	return nil
}

// CheckResult returns nil for a result that a store accepts, else an error that wraps [ErrLongResult].
func CheckResult(result []byte) error {
	if len(result) > MaxResult {
		return fmt.Errorf("%w: %d bytes; the limit is %d", ErrLongResult, len(result), MaxResult)
	}
	return nil
}

// A Bid is an attempt to win a key.
type Bid struct {
	Key         string
	Owner       Nonce         // a new one for each bid
	Fingerprint Fingerprint   // of the request: the same key with another one is a mistake
	Lease       time.Duration // how long the claim holds unless renewed
	Retain      time.Duration // how long the outcome is kept, counted from Complete or Release

	// Over is the fence of the Unknown claim that the bid may take over; 0 for none. Whoever takes one
	// over must find out whether it had its effect before doing anything.
	Over uint64
}

// A Claim is what the winner of a key shows to change it.
type Claim struct {
	Key   string
	Owner Nonce
	Fence uint64 // rises with each claim that is won on a key; resources refuse what comes with a smaller one
}

// A Record is what the store knows about a key.
type Record struct {
	Key         string
	Status      Status
	Owner       Nonce         // of the last claim; as all that follows, zero for a key without a record
	Fingerprint Fingerprint   // of the last claim
	Fence       uint64        // of the last claim
	Left        time.Duration // of the lease if Running, of the retention if Done; else 0
	Result      []byte        // if Done; the caller's to keep
}

// Won says that the record is that of a running claim by the owner of b. It is how a winner is told, and how
// one whose answer got lost finds out by reading back.
func (r *Record) Won(b *Bid) bool { return r.Status == Running && r.Owner == b.Owner }

// Claim returns what its owner shows to change the record.
func (r *Record) Claim() Claim { return Claim{r.Key, r.Owner, r.Fence} }

// A Status is the state of a key.
type Status uint8

// The states. The numbers are fixed: stores may keep them.
const (
	New     Status = iota // free: never claimed, or released, or forgotten
	Running               // claimed, and the lease runs
	Unknown               // claimed, and the lease ended: it may have had its effect
	Done                  // the result is stored
	Lapsed                // was done; the retention ended, and the result may be gone
)

// String returns the name in lower case.
func (s Status) String() string {
	switch s {
	case New:
		return "new"
	case Running:
		return "running"
	case Unknown:
		return "unknown"
	case Done:
		return "done"
	case Lapsed:
		return "lapsed"
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}
