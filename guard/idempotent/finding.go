package idempotent

import (
	"context"
	"errors"

	"github.com/relent-go/relent/retry"
)

// An Effect says what became of something whose outcome was open. The zero value is Undetermined.
type Effect uint8

// The effects.
const (
	Undetermined Effect = iota // it may have happened
	Applied                    // it is settled: done, or refused for good
	Absent                     // it did not happen, and it will not happen any more
)

// String returns the name in lower case.
func (e Effect) String() string {
	switch e {
	case Applied:
		return "applied"
	case Absent:
		return "absent"
	}
	return "undetermined"
}

// A Finding is what a reconciling read found out about an earlier call. The zero value says that it
// is still not known. Absent is a proof, not an impression: say it only if the reads are known to be
// current, and nothing that is still on its way can arrive any more.
type Finding[R any] struct {
	Effect Effect
	Value  R     // if Applied: what the call would have returned
	Err    error // if Applied: the error that it would have returned; nil for success
}

// effectOf says what an error of a guarded function means for its claim. A class speaks of what the other
// side did; what a caller's cancellation interrupted may have been done.
func effectOf(err error, class retry.Class) Effect {
	if e, ok := errors.AsType[*retry.Error](err); ok && e != nil && e.Unknown {
		return Undetermined // an earlier attempt, whatever the last one said
	}
	switch class {
	case retry.Transient, retry.Throttled:
		return Absent
	case retry.Permanent:
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return Undetermined
		}
		return Applied
	}
	return Undetermined
}
