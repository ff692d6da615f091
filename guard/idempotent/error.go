package idempotent

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/relent-go/relent/retry"
)

// Why a call has no fresh outcome, as the Reason of its [Error]. Test with errors.Is. Each is marked with
// its class, which is also that of the Error, and says what to do next. [ErrNoKey], [ErrLongKey] and
// [ErrClaimLost] are reasons, too.
var (
	ErrInProgress  = retry.Mark(errors.New("a call with this key is running: call again later with the same key"), retry.Transient)
	ErrMismatch    = retry.Mark(errors.New("the key belongs to another request: a new intent needs a new key"), retry.Permanent)
	ErrUnknown     = retry.Mark(errors.New("a call with this key may have had its effect: find out before doing it again, and do not use a new key"), retry.Ambiguous)
	ErrExpired     = retry.Mark(errors.New("done earlier, and the outcome is no longer kept: ask the other side for it, and do not use a new key"), retry.Ambiguous)
	ErrNoResult    = retry.Mark(errors.New("done earlier, but the result cannot be given again: ask the other side for it, and do not use a new key"), retry.Ambiguous)
	ErrInDoubt     = retry.Mark(errors.New("done, but the store could not be told: the value is good, and the key must be reconciled"), retry.Ambiguous)
	ErrUnavailable = retry.Mark(errors.New("the key could not be claimed, so nothing was run: call again with the same key"), retry.Transient)
	ErrFingerprint = retry.Mark(errors.New("the request has no fingerprint, so nothing was run"), retry.Permanent)
)

// An Error is how a call ends that did not run its function, or whose function may have had an effect
// that nobody could establish. Its class is that of the Reason; of ErrUnavailable it is that of the store's error.
type Error struct {
	Name   string        // of the guard
	Key    string        // as the caller knows it
	Reason error         // one of the errors of this package
	Err    error         // what led to it: the function's error or the store's; may be nil
	Left   time.Duration // of the lease of the call that runs, by the store's clock; 0 unless ErrInProgress
}

// Error says which key of which guard, and why.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Name)
	if e.Name == "" {
		b.WriteString("idempotent")
	}
	if key := e.Key; key != "" {
		if len(key) > shownKey {
			key = key[:shownKey] + "…"
		}
		fmt.Fprintf(&b, ": key %q", key)
	}
	fmt.Fprintf(&b, ": %v", e.Reason)
	if e.Left > 0 {
		fmt.Fprintf(&b, ", its lease ends in %v", e.Left.Round(time.Millisecond))
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// shownKey is how many bytes of a key an error shows.
const shownKey = 64

// Unwrap returns the reason and what led to it.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Err}
}

// fail returns an Error with its class. The mark stands outside, for what led to the error must not
// speak for the whole.
func (t *terms) fail(key string, reason, err error) error {
	class := retry.DefaultClassify(reason)
	if reason == ErrUnavailable && err != nil {
		class = retry.DefaultClassify(err)
	}
	return retry.Mark(&Error{Name: t.name, Key: key, Reason: reason, Err: err}, class)
}
