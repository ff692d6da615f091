package retry

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Why a call gave up, as the Reason of its [Error]. A gate's refusal, the cause of a cancelled
// context and what Validate returned are reasons, too. Test with errors.Is.
var (
	ErrExhausted      = errors.New("attempts exhausted")
	ErrPermanent      = errors.New("not retryable")
	ErrAmbiguous      = errors.New("outcome unknown, and not repeated because the policy does not say Idempotent: true")
	ErrDeclined       = errors.New("declined by RetryIf")
	ErrInvalid        = errors.New("no longer valid")
	ErrDeadline       = errors.New("no time left for another attempt before the deadline")
	ErrElapsed        = errors.New("MaxElapsed reached")
	ErrHint           = errors.New("asked to wait longer than MaxHint")
	ErrLimited        = errors.New("limited by the scope of the call")
	ErrNested         = errors.New("not repeated because a call above retries")
	ErrUnreported     = errors.New("the loop body did not set the error")
	ErrLeft           = errors.New("the loop was left")
	ErrPanicked       = errors.New("the function panicked or ended its goroutine")
	ErrSaturated      = errors.New("the pool holds as many calls as it may")
	ErrNilFunc        = errors.New("the function is nil")
	ErrNilContext     = errors.New("the context is nil")
	ErrAttemptTimeout = errors.New("attempt timed out") // the cause of an attempt's context, not a reason
)

// An Error is the error of every call that did not succeed. It unwraps to both Reason and Last.
type Error struct {
	Name     string        // of the policy
	Attempts int           // that this call began
	Elapsed  time.Duration // of the call; from its first failure on if the policy has no timeout, gate or observer
	Reason   error         // why there was no further attempt
	Last     error         // of the last attempt; nil if none was made

	// Unknown says that some attempt failed in a way that may have had its effect: find out
	// before doing it again.
	Unknown bool

	class   Class
	partial bool // Elapsed lacks the first attempt
	tries   int  // as a call above must count it: attempts of this call and of those nested in it
}

// Error describes the call, from the general to the particular.
func (e *Error) Error() string {
	if e == nil {
		return "<nil>"
	}
	var b strings.Builder
	b.WriteString(e.Name)
	if e.Name == "" {
		b.WriteString("retry")
	}
	switch e.Attempts {
	case 0:
		b.WriteString(": not attempted")
	case 1:
		b.WriteString(": gave up after 1 attempt")
	default:
		fmt.Fprintf(&b, ": gave up after %d attempts", e.Attempts)
	}
	if e.Elapsed > 0 {
		before, after := " in ", ""
		if e.partial {
			before, after = ", ", " after the first failed"
		}
		b.WriteString(before + e.Elapsed.Round(precision(e.Elapsed)).String() + after)
	}
	if e.Reason != nil {
		fmt.Fprintf(&b, ": %v", e.Reason) // which bears nil pointers with methods, as Error() would not
	}
	if e.Unknown && !errors.Is(e.Reason, ErrAmbiguous) {
		b.WriteString(": outcome unknown")
	}
	if e.Last != nil && !same(e.Last, e.Reason) {
		fmt.Fprintf(&b, ": %v", e.Last)
	}
	return b.String()
}

// same compares two errors, which need not be of a type that can be compared.
func same(a, b error) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).IsValid() && reflect.ValueOf(b).Comparable() && a == b
}

// precision keeps three or four digits of a duration.
func precision(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d >= 10000*unit {
		unit *= 10
	}
	return unit
}

// Unwrap returns the reason and the last attempt's error.
func (e *Error) Unwrap() []error {
	if e == nil {
		return nil
	}
	errs := make([]error, 0, 2)
	if e.Reason != nil {
		errs = append(errs, e.Reason)
	}
	if e.Last != nil {
		errs = append(errs, e.Last)
	}
	return errs
}

// Class says what the whole call means to a caller that might repeat it: Permanent if the last
// attempt was, else Ambiguous if any attempt may have had its effect, else the last one's class.
func (e *Error) Class() Class {
	if e == nil {
		return Permanent
	}
	if e.Unknown && e.class != Permanent {
		return Ambiguous
	}
	return e.class
}
