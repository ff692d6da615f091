package halt

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/relent-go/relent/retry"
)

// Why an attempt did not start. Every refusal of a gate is an [*Error] that matches one of them. Nothing was
// sent, and whoever called should not try again on his own: their class is retry.Permanent.
var (
	ErrHalted   = retry.Mark(errors.New("halted"), retry.Permanent)
	ErrDraining = retry.Mark(errors.New("draining"), retry.Permanent) // the scope is DrainOnly
)

// An Error is a refusal by a gate: the reason of the [retry.Error] with which the call ends, and the cause of
// the contexts that a stop ended. It matches [ErrHalted], or [ErrDraining] if State is DrainOnly.
type Error struct {
	Scope  Scope     // where it was stopped: that of the gate, or one above
	State  State     // there; Running while a scope is let go again, step by step
	Who    string    // stopped it
	Why    string    // in their words
	Ticket string    // if they gave one
	Epoch  uint64    // of the scope after the command
	Since  time.Time // of the command
	Until  time.Time // when it expires; the zero time for never
	Share  float64   // of attempts that pass, 0 to 1; above 0 only while State is Running
	Err    error     // what the library itself found wrong; nil for a command
}

// Error says who stopped what, and why.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.reason().Error() + ": " + string(e.Scope))
	if e.State == Running {
		fmt.Fprintf(&b, " is let go again, and %.0f %% of attempts pass", 100*e.Share)
	} else {
		fmt.Fprintf(&b, " is %v by %s", e.State, e.Who)
	}
	if e.Why != "" {
		b.WriteString(": " + e.Why)
	}
	if e.Ticket != "" {
		b.WriteString(" (" + e.Ticket + ")")
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

func (e *Error) reason() error {
	if e.State == DrainOnly {
		return ErrDraining
	}
	return ErrHalted
}

// Unwrap returns ErrHalted or ErrDraining, and Err.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.reason()}
	}
	return []error{e.reason(), e.Err}
}

// graver says which of two refusals is named when both hold: the more severe, then the later.
func (e *Error) graver(than *Error) bool {
	if than == nil || e.State != than.State {
		return than == nil || e.State > than.State
	}
	return e.Epoch > than.Epoch
}
