package retry

import (
	"context"
	"time"
)

// A Gate may refuse or delay an attempt, and learns from its outcome. Budgets, breakers, limits
// and stop switches are gates.
//
// The gates of a policy are asked in order, before the first attempt and before the wait that
// precedes each further one. If one refuses, those before it get the attempt back as
// [NotStarted], in reverse order, and the call ends. Gates run in the caller's goroutine and must be
// safe for concurrent use. They do not read the clock: the times in Attempt and Outcome are
// theirs, so that a simulator can replay them.
type Gate interface {
	// Admit lets an attempt start by returning nil. Any other error ends the call, and can be
	// found with errors.Is in the error of the call. Admit may wait, as long as ctx allows.
	Admit(ctx context.Context, a Attempt) error

	// Settle is called exactly once for each admitted attempt, whatever happens to it: success,
	// failure, a call that ends before the attempt starts, a panic.
	Settle(a Attempt, o Outcome)
}

// An Attempt is what a gate or validator learns about an attempt before it starts.
type Attempt struct {
	Policy  *Policy       // of the call; not to be modified
	Call    uint64        // random number that identifies the call in this process
	Number  int           // 1 is the first
	At      time.Time     // when it was asked for, before the wait
	Wait    time.Duration // between admission and start
	Err     error         // of the attempt before; nil for the first
	Class   Class         // of Err
	Unknown bool          // an earlier attempt of the call may have had its effect
}

// A State says how an admitted attempt ended.
type State uint8

// The states.
const (
	NotStarted State = iota // refused by a later gate, cancelled or out of time before it began
	Succeeded
	Failed
	Canceled // the caller gave up while it ran: says nothing about the other side
	Panicked // the function panicked or ended its goroutine
)

// String returns the name in lower case.
func (s State) String() string {
	switch s {
	case NotStarted:
		return "not started"
	case Succeeded:
		return "succeeded"
	case Failed:
		return "failed"
	case Canceled:
		return "canceled"
	}
	return "panicked"
}

// An Outcome is how an attempt ended.
type Outcome struct {
	State State
	Err   error     // nil unless Failed or Canceled
	Class Class     // of Err
	Start time.Time // when the attempt began; the zero time if it never did
	End   time.Time // when it ended; the zero time until somebody has asked
}

// Elapsed returns how long the attempt ran. It reads the clock only if End is not known yet.
func (o Outcome) Elapsed() time.Duration {
	switch {
	case o.Start.IsZero():
		return 0
	case o.End.IsZero():
		return time.Since(o.Start)
	}
	return o.End.Sub(o.Start)
}
