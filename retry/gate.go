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
//
// What the pointers refer to belongs to the engine, which uses it again: a gate reads it during
// the call and copies what it wants to keep. (By value, the copies would cost more than the gates.)
// Only [Attempt.Wait] may be set, and only as it says.
type Gate interface {
	// Admit lets an attempt start by returning nil. Any other error ends the call, and can be
	// found with errors.Is in the error of the call. Admit may wait, as long as ctx allows.
	Admit(ctx context.Context, a *Attempt) error

	// Settle is called exactly once for each admitted attempt, whatever happens to it: success,
	// failure, a call that ends before the attempt starts, a panic.
	Settle(a *Attempt, o *Outcome)
}

// A Rechecker is a Gate whose leave may lapse while a call sleeps, as when a breaker opens meanwhile.
type Rechecker interface {
	Gate

	// Recheck says, after the wait before a retry, whether what Admit allowed still holds. An error
	// ends the call, and the attempt is settled as [NotStarted]. It must not wait. An attempt that
	// did not wait is not asked about. One whose [Attempt.Wait] a gate raises waits again, and is asked about again.
	Recheck(ctx context.Context, a *Attempt) error
}

// A Starter is a Gate that also has a word when an attempt begins. Admit comes before the wait
// between two attempts; Start comes after it, directly before the function is called, for the
// first attempt too. Starters are asked in reverse order, and the [Halter] last, wherever it
// stands: whatever others waited for, a stop is judged after it.
type Starter interface {
	Gate

	// Start lets an admitted attempt begin by returning nil. Any other error ends the call, and
	// the attempt is settled as [NotStarted]. Start may wait, as long as ctx and
	// [Attempt.Halted] allow.
	Start(ctx context.Context, a *Attempt) error
}

// A Halter is a Starter that can end calls while they wait: a stop switch. The first one among the
// gates of a policy is heard; any others are asked, but cannot wake a call.
type Halter interface {
	Starter

	// Halted returns a context that ends when a call that waits with a now must end, with the reason
	// as its cause. A gate that goes on after a stop returns a new one from then on.
	Halted(a *Attempt) context.Context
}

// An Attempt is what a gate or validator learns about an attempt before it starts.
//
// A gate that knows better when a retry should begin may set Wait. In Admit, the retry then waits that long, but never
// less than the other side asked; a wait that does not fit into the time of the call is not taken over. In Recheck, raising
// Wait by d makes the call sleep for d once more, without a goroutine or a timer of the gate's; if that does not fit into the time
// of the call, the call ends. A nudge ends each of these waits.
type Attempt struct {
	Policy  *Policy       // of the call; not to be modified
	Call    uint64        // identifies the call in this process; calls elsewhere hardly ever share it
	Number  int           // 1 is the first
	At      time.Time     // when it was asked for, before the wait
	Wait    time.Duration // that is to lie between admission and start; a nudge may shorten it, a gate that waits lengthen it; see below
	Begins  time.Time     // the moment at which Start is asked; the zero time before
	Err     error         // of the attempt before; nil for the first
	Class   Class         // of Err
	Unknown bool          // an earlier attempt of the call may have had its effect
	Lane    uint32        // calls on one processor mostly share it: the index of a sharded counter; fixed for a call
	Note    *uint64       // what this gate wants to know again: see Keep; may be nil

	of *extra // the call's; nil in an Attempt made by hand
}

// Keep remembers v for the gate that was handed a, until it settles the attempt. It does nothing if
// there is no room, as in an Attempt made by hand without a Note.
func (a *Attempt) Keep(v uint64) {
	if a.Note != nil {
		*a.Note = v
	}
}

// Kept returns what the gate kept in Admit or Start of this attempt; 0 if nothing.
func (a *Attempt) Kept() uint64 {
	if a.Note == nil {
		return 0
	}
	return *a.Note
}

// Halted is for gates that wait: a stop ends the context that it returns, and the gate should then
// return its cause. It is never nil.
func (a *Attempt) Halted() context.Context {
	if a.of == nil {
		return context.Background()
	}
	for _, g := range a.Policy.Gates { // the halter may stand behind the gate that asks, and not be known yet
		if h, ok := g.(Halter); ok {
			return h.Halted(a)
		}
	}
	return context.Background()
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
