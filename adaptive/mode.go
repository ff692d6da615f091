package adaptive

import (
	"errors"
	"fmt"
)

// A Mode is what a learner may do with an operation. The zero value is Shadow.
type Mode uint32

// The modes.
const (
	Shadow Mode = iota // predicts, scores itself, and changes nothing
	Active             // also chooses waits, parks callers in outages, and ends calls whose retries do not pay
	Off                // sees nothing
)

// String returns the name in lower case.
func (m Mode) String() string {
	switch m {
	case Shadow:
		return "shadow"
	case Active:
		return "active"
	}
	return "off"
}

// Why a mode was refused.
var (
	ErrUnknown = errors.New("no operation of this name has been called yet")
	ErrShared  = errors.New("the model that operations share is never active")
)

// A Notice is a change that belongs into a log.
type Notice struct {
	Operation string
	What      string // such as "mode active", "fallback on", "guard off"
}

// Mode returns the mode of an operation: Off if it is not known.
func (l *Learner) Mode(operation string) Mode {
	if m := l.known(operation); m != nil {
		return Mode(m.mode.Load())
	}
	return Off
}

// SetMode changes the mode of an operation, for calls that begin from now on; those under way see Active come and go at
// their next retry. The error is nil or wraps [ErrUnknown] or [ErrShared].
func (l *Learner) SetMode(operation string, mode Mode) error {
	m := l.known(operation)
	mode = min(mode, Off)
	switch {
	case m == nil:
		return fmt.Errorf("adaptive: set %s to %v: %w", operation, mode, ErrUnknown)
	case mode == Active && operation == Others:
		return fmt.Errorf("adaptive: set %s to %v: %w", operation, mode, ErrShared)
	}
	if m.set(mode) {
		l.tell(m, fmt.Sprint("mode ", mode))
	}
	return nil
}

// set changes the mode, and says whether it was another one. A change begins the proof anew, so that no promotion takes it back at once.
func (m *model) set(mode Mode) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.promoted = false
	if Mode(m.mode.Swap(uint32(mode))) == mode {
		return false
	}
	m.score.restart()
	return true
}

// ProveAnew begins the proof of an operation anew, as each change of its mode does.
func (l *Learner) ProveAnew(operation string) {
	if m := l.known(operation); m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.score.restart()
	}
}

// tell passes a notice on. No lock is held.
func (l *Learner) tell(m *model, what string) {
	if l.Notice != nil && what != "" {
		l.Notice(Notice{m.name, what})
	}
}

// ErrStopped is the reason of a call that was ended because its retry does not pay. In the error it is a [Stopped].
var ErrStopped = errors.New("adaptive: the retry does not pay")

// A Stopped says why a call was ended.
type Stopped struct {
	Operation string
	Net       float64 // what going on was worth, in successes
	PDown     float64 // how likely the operation was down
}

// Error says so in words.
func (s *Stopped) Error() string {
	return fmt.Sprintf("%v: worth %.2f, and %s is down by %.0f %%", ErrStopped, s.Net, s.Operation, 100*s.PDown)
}

// Unwrap returns [ErrStopped].
func (s *Stopped) Unwrap() error { return ErrStopped }
