package breaker

import (
	"errors"
	"fmt"
	"time"

	"github.com/relent-go/relent/retry"
)

// ErrOpen is what every refusal of a breaker is, in any state: test with errors.Is. It is marked Transient, since the other
// side saw nothing.
var ErrOpen = retry.Mark(errors.New("circuit open"), retry.Transient)

// An Error is a refusal. A call that comes upon one in an inner call's error may try again: it is Transient, and
// [retry.Hint] finds its RetryAfter.
type Error struct {
	Key   string // of the breaker that refused
	State State
	Wait  time.Duration // until it may be worth asking again, see RetryAfter
	Retry bool          // a first attempt might have passed
	Why   string        // what a person said when isolating
}

// Error describes the refusal.
func (e *Error) Error() string {
	what := "attempt"
	if e.Retry {
		what = "retry"
	}
	s := fmt.Sprintf("breaker %s: %s refused while %s", e.Key, what, e.State)
	if e.Why != "" {
		s += " (" + e.Why + ")"
	}
	if e.Wait > 0 {
		s += ", retry after " + e.Wait.Round(time.Millisecond).String()
	}
	return s
}

// RetryAfter is how long the breaker stays as it is, at least: until the first probe when open, until the override
// expires when isolated. It is 0 where nobody knows.
func (e *Error) RetryAfter() time.Duration { return e.Wait }

// Unwrap returns [ErrOpen].
func (e *Error) Unwrap() error { return ErrOpen }
