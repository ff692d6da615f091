package retry

import (
	"context"
	"time"
)

// An Observer is told what calls do. Observe runs in the caller's goroutine and must be quick and
// safe for concurrent use; one that is slow should buffer, and count what it drops.
type Observer interface {
	Observe(context.Context, Event)
}

// Observers tells each of several observers in turn. Nil entries are skipped.
type Observers []Observer

// Observe implements [Observer].
func (o Observers) Observe(ctx context.Context, e Event) {
	for _, observer := range o {
		if observer != nil {
			observer.Observe(ctx, e)
		}
	}
}

// A Kind says what an event reports.
type Kind uint8

// The kinds. A call that succeeds at once yields one event, Finished.
const (
	Retrying Kind = iota // an attempt failed, and the next was admitted and begins after Wait
	Finished             // the call ended: exactly once per call, panics included
)

// String returns the name in lower case.
func (k Kind) String() string {
	if k == Retrying {
		return "retrying"
	}
	return "finished"
}

// An Event is one fact about a call.
type Event struct {
	Kind         Kind
	Policy       *Policy       // of the call; not to be modified
	Call         uint64        // as in Attempt
	At           time.Time     // of the event
	Attempts     int           // begun so far
	State        State         // how the last attempt ended; NotStarted if it never began
	Err          error         // of the last attempt that ended; nil if it succeeded or none did
	Class        Class         // of Err
	Unclassified bool          // nobody knew Err: Ambiguous by default
	Unknown      bool          // some attempt failed in a way that may have had its effect
	Took         time.Duration // the last attempt that ended; 0 if its beginning was not timed, see Meter
	Wait         time.Duration // before the next attempt, if Retrying
	Elapsed      time.Duration // since the call began
	Partial      bool          // Elapsed lacks the first attempt, whose beginning was not timed; until the second begins, it is 0
	Told         bool          // Finished after a Retrying whose attempt never began: State, Err, Class and Took were told then
	Reason       error         // why the call gave up; nil if it succeeded or goes on
}

// Succeeded says that the event is the good end of a call.
func (e Event) Succeeded() bool { return e.Kind == Finished && e.State == Succeeded }
