package breaker

import "fmt"

// A State says how much a breaker lets through. The zero value is Closed.
type State uint8

// The states. Their order is not that of severity: see [State.Degraded].
const (
	Closed       State = iota // everything passes
	Suspect                   // retries only with a full budget, no hedges; first attempts pass
	Throttling                // some first attempts are shed; no retries, no hedges
	Open                      // nothing passes
	HalfOpen                  // probes only: first attempts of Idempotent policies, as many as there are permits
	Isolated                  // nothing passes, because a person said so
	ForcedClosed              // everything passes, because a person said so
)

var states = [...]string{"closed", "suspect", "throttling", "open", "half_open", "isolated", "forced_closed"}

// String returns the name in lower case.
func (s State) String() string {
	if int(s) < len(states) {
		return states[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Label is String for metrics and dashboards, which show ForcedClosed as closed, with its cause beside it.
func (s State) Label() string {
	if s == ForcedClosed {
		return Closed.String()
	}
	return s.String()
}

// Degraded says that something is refused, or would be if it were asked for.
func (s State) Degraded() bool { return s != Closed && s != ForcedClosed }

// MarshalText implements [encoding.TextMarshaler].
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *State) UnmarshalText(text []byte) error {
	for i, name := range states {
		if name == string(text) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("unknown state %q", text)
}

// worse orders states by what they let through, for the strictest one on a path.
func (s State) worse(t State) bool { return strictness[s] > strictness[t] }

var strictness = [...]uint8{Closed: 0, ForcedClosed: 0, Suspect: 1, Throttling: 2, HalfOpen: 3, Open: 4, Isolated: 5}
