package chaos

import (
	"fmt"
	"syscall"
)

// A Fault is what happens to an operation.
type Fault uint8

// The faults. "Cut" is for what has a connection; elsewhere it is as Fail.
const (
	Pass          Fault = iota // nothing unusual
	Fail                       // it does not happen, and fails
	ApplyThenFail              // it happens, and the answer is replaced with an error
	Cut                        // the connection dies before the request has left
	ApplyThenCut               // it happens, and the connection dies before the answer has come
	Hang                       // it does not happen, and waits until its context ends
	ApplyThenHang              // it happens, and the answer never comes
	Slow                       // it happens, after a delay
	Duplicate                  // it happens twice; the second answer counts
)

var faults = [...]string{"pass", "fail", "apply then fail", "cut", "apply then cut", "hang", "apply then hang", "slow", "duplicate"}

// String returns the name in lower case.
func (f Fault) String() string {
	if int(f) < len(faults) {
		return faults[f]
	}
	return fmt.Sprintf("fault(%d)", uint8(f))
}

// An Error is what an operation ends with that was made to fail. Unless a rule has another, it unwraps to
// [syscall.ECONNRESET], so that it looks like a connection that was lost.
type Error struct {
	Op    string
	Fault Fault
	Err   error
}

// Error says what was done to what.
func (e *Error) Error() string { return fmt.Sprintf("chaos: %s: %v: %v", e.Op, e.Fault, e.Err) }

// Unwrap returns what the rule wants the error to be.
func (e *Error) Unwrap() error { return e.Err }

func (h hit) err() error {
	err := h.rule.Err
	if err == nil {
		err = syscall.ECONNRESET
	}
	return &Error{Op: h.op, Fault: h.fault, Err: err}
}
