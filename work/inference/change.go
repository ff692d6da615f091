package inference

import (
	"fmt"
	"time"
)

// A State says whether a model is asked.
type State uint8

// The states. See the package comment for what leads from one to another.
const (
	Normal   State = iota // it is asked
	Degraded              // only probes ask it
	Ramp                  // it is asked for a share of the keys
	Held                  // an operator keeps it out
)

var states = [...]string{"normal", "degraded", "ramp", "held"}

// String returns the name in lower case.
func (s State) String() string { return name(states[:], s, "state") }

// MarshalText implements [encoding.TextMarshaler].
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func name[T ~uint8](names []string, i T, what string) string {
	if int(i) < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s(%d)", what, uint8(i))
}

// A Change is one step of a model from one state, or from one share of the ramp, to another.
type Change struct {
	At       time.Time
	Ladder   string
	Model    string
	From, To State
	Percent  int           // of the keys for which it is asked from now on
	Cause    string        // such as "3 failed calls in a row"
	Failures int           // failed calls in a row that led to it
	Probes   int           // good probes in a row that led to it
	Span     time.Duration // over which good probes must be spread for the next return
	Err      error         // the last failure; nil if there was none
	Dropped  int           // changes before this one that nobody was told of, because the listener was too slow
}

// A Status is how a model is at present.
type Status struct {
	Model, Version, Quality string

	State     State
	Percent   int           // of the keys for which it is asked
	Since     time.Time     // of State; the zero time if it was always Normal
	Failures  int           // failed calls in a row
	Probes    int           // good probes in a row
	NextProbe time.Time     // not before; the zero time in Normal and Held
	Span      time.Duration // over which good probes must be spread
	Why       string        // the cause of the last change
	Err       error         // the last failure, which may be long ago; nil if there was none
}

// mostTold is how many changes may wait for a slow listener.
const mostTold = 64

// A teller hands changes on in their order, outside of locks. One that comes about while the listener is busy, be it
// by the listener's own doing, is left to whoever tells. It is guarded by the ladder's lock.
type teller struct {
	queue   []Change
	busy    bool
	dropped int
}

func (t *teller) add(c Change) {
	if len(t.queue) >= mostTold {
		t.dropped++
		return
	}
	c.Dropped, t.dropped = t.dropped, 0
	t.queue = append(t.queue, c)
}

// tell hands on what is in the queue. The lock must not be held.
func (l *Ladder[In, Out]) tell() {
	if l.OnChange == nil {
		return
	}
	l.mu.Lock()
	if l.teller.busy {
		l.mu.Unlock()
		return
	}
	l.teller.busy = true
	defer func() { // the lock is held here, even if the listener panicked
		l.teller.busy = false
		l.mu.Unlock()
	}()
	for len(l.teller.queue) > 0 {
		c := l.teller.queue[0]
		l.teller.queue = l.teller.queue[1:]
		l.unlocked(func() { l.OnChange(c) })
	}
}

// unlocked calls f without the lock, which is held before and after, even if f panics.
func (l *Ladder[In, Out]) unlocked(f func()) {
	l.mu.Unlock()
	defer l.mu.Lock()
	f()
}
