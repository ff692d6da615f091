package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relent-go/relent/retry"
)

// Why nothing was sent. Test with errors.Is.
var (
	ErrLimited = retry.Mark(errors.New("rate limit of the venue"), retry.Throttled)
	ErrCrowded = retry.Mark(errors.New("too many are waiting for the venue's rate limit"), retry.Transient)
	ErrBanned  = retry.Mark(errors.New("banned by the venue"), retry.Throttled)
)

// A LimitError is the refusal of a request that would have gone beyond a limit, or waited too long for it. Nothing was
// sent. It unwraps to ErrLimited or ErrCrowded.
type LimitError struct {
	Venue  string
	Limit  string        // its ID
	Reason error         // ErrLimited or ErrCrowded
	After  time.Duration // when there may be room; 0 if nobody knows
}

// Error says which limit refused.
func (e *LimitError) Error() string {
	s := fmt.Sprintf("%s: %v: %s", e.Venue, e.Reason, e.Limit)
	if e.After > 0 {
		s += fmt.Sprintf(", room in %v at the earliest", e.After)
	}
	return s
}

// Unwrap returns the reason.
func (e *LimitError) Unwrap() error { return e.Reason }

// RetryAfter returns After, for [retry.Hint].
func (e *LimitError) RetryAfter() time.Duration { return e.After }

// refuse returns an error if a wait must be longer than it may.
func (l *Limits) refuse(ctx context.Context, m moment, short *ledger, wait, most time.Duration) error {
	deadline, ok := ctx.Deadline()
	if wait <= most && (!ok || deadline.Sub(m.local) >= wait) {
		return nil
	}
	return l.limited(short, wait)
}

// limited is the refusal for want of room in a ledger.
func (l *Limits) limited(short *ledger, wait time.Duration) error {
	return &LimitError{
		Venue: l.Profile.Exchange, Limit: l.Profile.draws[short.key.draw].limit.ID, Reason: ErrLimited, After: min(wait, maxWait),
	}
}
