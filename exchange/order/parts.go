package order

import (
	"context"
	"time"
)

// A Clock estimates the venue's time by an offset on the monotonic clock, never by the wall clock.
type Clock interface {
	// Venue returns the venue's time now and a bound of its error. ok is false as long as there is no estimate:
	// nothing is sent then, and nothing proven.
	Venue() (now time.Time, bound time.Duration, ok bool)
}

// A Syncer is a Clock that can be told to ask the venue for its time, as after a refusal because of the clock.
type Syncer interface {
	Sync(ctx context.Context) error
}

// A Quote is the best of a book.
type Quote struct {
	Bid, Ask Decimal
	Age      time.Duration
	Synced   bool // the book is whole: sequence clean, and its age known
}

// A Book knows prices, and whether the market is open.
type Book interface {
	// Quote returns the best prices of a symbol. ok is false if there is no book.
	Quote(symbol string) (q Quote, ok bool)

	// Open says why the symbol cannot be traded now; nil if it can.
	Open(symbol string) error
}

// A Risk knows what the account may do. It is asked before each send, and on attempt 2 and later must read position, open
// exposure and balance again. An error refuses the send.
type Risk interface {
	Permit(ctx context.Context, i *Intent, attempt int) error
}

// A Stream is the account's private stream.
type Stream interface {
	// Gapless says that nothing was missed since a moment of the venue's clock: the link held, and every gap since was
	// filled by reading. It must be false while in doubt.
	Gapless(since time.Time) bool
}

// A Ban knows until when nothing may be sent to the venue's host.
type Ban interface {
	// Banned returns the end of the ban, or the zero time.
	Banned() time.Time
}

// An Alarm is what an operator must hear of.
type Alarm struct {
	Kind   AlarmKind
	Scope  Scope
	ID     string // of the intent; empty if it is about the whole machine
	Symbol string
	Side   Side
	State  State
	Text   string // what happened, and what to do
	At     time.Time
}

// An AlarmKind says what an alarm is about.
type AlarmKind string

// The kinds of alarms.
const (
	AlarmParked   AlarmKind = "parked"   // an order's fate cannot be proven
	AlarmBreach   AlarmKind = "breach"   // the account is closed
	AlarmFills    AlarmKind = "fills"    // fills are missing and cannot be read
	AlarmCancel   AlarmKind = "cancel"   // an order could not be cancelled
	AlarmAmend    AlarmKind = "amend"    // nobody knows whether an amend took effect
	AlarmBypass   AlarmKind = "bypass"   // an order was sent past the desk
	AlarmSwitch   AlarmKind = "switch"   // the venue's dead man's switch cannot be armed
	AlarmLog      AlarmKind = "log"      // the log cannot be written
	AlarmResolved AlarmKind = "resolved" // persons or evidence decided a parked order
)

// An Alert is told what needs a person. Raise must be quick and safe for concurrent use. After a restart alarms of orders
// that are still parked or in breach are raised again. [LogAlert] is one, and [Alerts] are several.
type Alert interface {
	Raise(ctx context.Context, a Alarm)
}
