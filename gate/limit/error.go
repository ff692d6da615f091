package limit

import (
	"errors"
	"fmt"
	"time"

	"github.com/relent-go/relent/retry"
)

// Why a limit refused. Test with errors.Is.
var (
	ErrBusy    = retry.Mark(errors.New("all slots are taken"), retry.Transient)
	ErrRate    = retry.Mark(errors.New("rate reached"), retry.Throttled)
	ErrCrowded = retry.Mark(errors.New("too many are waiting"), retry.Transient)
)

// An Error is a refusal.
type Error struct {
	Name   string        // of the limit
	Reason error         // ErrBusy, ErrRate or ErrCrowded
	Waited time.Duration // before the refusal
	After  time.Duration // when there may be room, from the refusal on; 0 if nobody knows
}

// Error says which limit refused, and why.
func (e *Error) Error() string {
	s := "limit"
	if e.Name != "" {
		s += " " + e.Name
	}
	s += ": " + e.Reason.Error()
	if e.Waited > 0 {
		s += fmt.Sprintf(" after a wait of %v", e.Waited)
	}
	if e.After > 0 {
		s += fmt.Sprintf(", room in %v", e.After)
	}
	return s
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Reason }

// RetryAfter returns After, for [retry.Hint].
func (e *Error) RetryAfter() time.Duration { return e.After }

// Stats are what a limit did so far, and how things stand.
type Stats struct {
	Running int    // attempts, or for Retries also those that still wait for their backoff; 0 for Rate
	Waiting int    // attempts about to begin
	Waited  uint64 // attempts that began after a wait
	Refused uint64 // attempts
	Shed    uint64 // those among Refused that gave up their place to a more urgent one
}
