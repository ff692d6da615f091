package retrysql

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/relent-go/relent/retry"
)

// A Position says how far a database has come: an [LSN], a revision, a sequence, a time in nanoseconds; any
// number that only rises. What a write returns, a later read can ask for. 0 is none.
type Position uint64

// String returns the number.
func (p Position) String() string { return strconv.FormatUint(uint64(p), 10) }

// Seen is what a read knows about how current its answer is. It must be found out before the answer, or
// together with it, so that it promises too little and not too much.
type Seen struct {
	Position Position      // that the answer contains at least; 0 if not known
	Age      time.Duration // how far the answer may lie behind; negative if not known
}

// A Place is where something can be read: a replica, or the primary.
type Place[T any] struct {
	Name string
	Read func(context.Context) (T, Seen, error)
}

// Fresh reads what must not be too old. The zero value has nowhere to read. It is safe for concurrent use.
//
// The first attempt of a call goes to the first place, each further one to the next, and the last that the
// policy allows to the last place, as do all once the places are used up. So a place that is named twice gets the
// time of the policy's backoff to catch up.
type Fresh[T any] struct {
	Places       []Place[T]    // replicas in the order of preference, then the primary
	AtLeast      Position      // what the answer must contain; 0 asks for nothing
	MaxStaleness time.Duration // most age of an answer; 0 asks for nothing, negative allows no age at all
	Checks       []Check[T]    // of an answer that is current enough
	Tally        *Tally        // counts failed attempts; whatever is not stale or invalid is Transport
}

// An Answer is what was read, where, and how current it is.
type Answer[T any] struct {
	Value T
	Place string
	Seen  Seen
}

// A StaleError is how an attempt ends whose answer was too old. It is Transient: another place, or the
// same one later, may know more.
type StaleError struct {
	Place   string
	Seen    Seen
	AtLeast Position      // that was asked for
	Most    time.Duration // that was allowed: Fresh.MaxStaleness
}

// Error says what was asked for and what there was.
func (e *StaleError) Error() string {
	if e.Seen.Position < e.AtLeast {
		return fmt.Sprintf("stale answer of %s: at position %v; want at least %v", e.Place, e.Seen.Position, e.AtLeast)
	}
	if e.Seen.Age < 0 {
		return fmt.Sprintf("stale answer of %s: of unknown age; want at most %v", e.Place, max(0, e.Most))
	}
	return fmt.Sprintf("stale answer of %s: %v old; want at most %v", e.Place, e.Seen.Age, max(0, e.Most))
}

var errNoPlace = retry.Mark(errors.New("no place to read in"), retry.Permanent)

// Read reads until an answer is current and passes the checks, or the policy says to stop; it blocks as [retry.Do]
// does. The error is nil or a [*retry.Error], in which errors.AsType finds the last [*StaleError] with both
// positions.
func (f *Fresh[T]) Read(ctx context.Context, s retry.Source) (Answer[T], error) {
	p := current(s)
	n := 0
	return retry.Do(ctx, p, func(ctx context.Context) (Answer[T], error) {
		n++
		a, err := f.attempt(ctx, n, p.Attempts())
		f.Tally.count(err, true)
		return a, err
	})
}

func (f *Fresh[T]) attempt(ctx context.Context, n, last int) (a Answer[T], err error) {
	if len(f.Places) == 0 {
		return a, errNoPlace
	}
	i := min(n, len(f.Places)) - 1
	if n >= last {
		i = len(f.Places) - 1
	}
	a.Place = f.Places[i].Name
	v, seen, err := f.Places[i].Read(ctx)
	if err != nil {
		return a, err
	}
	a.Value, a.Seen = v, seen
	if f.stale(seen) {
		err := &StaleError{Place: a.Place, Seen: seen, AtLeast: f.AtLeast, Most: f.MaxStaleness}
		return a, retry.Mark(err, retry.Transient)
	}
	return a, verify(v, f.Checks)
}

func (f *Fresh[T]) stale(s Seen) bool {
	if s.Position < f.AtLeast {
		return true
	}
	return f.MaxStaleness != 0 && (s.Age < 0 || s.Age > max(0, f.MaxStaleness))
}
