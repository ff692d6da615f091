package halt

import "fmt"

// A State says what a scope still lets through. The zero value, for a command, means Stopped: a stop that
// forgot to say what it wants gets all of it.
type State uint8

// The states, by severity.
const (
	Running          State = iota
	NoRetries              // first attempts pass, nothing is attempted twice
	RiskReducingOnly       // only what reduces risk passes, retries of it included
	DrainOnly              // what runs may finish; no new calls and no retries
	Stopped                // nothing starts; what runs may finish, or is cancelled if asked; never expires

	states = iota
)

var stateNames = [states]string{"running", "no-retries", "risk-reducing", "drain", "stopped"}

// String returns the name that commands and files use.
func (s State) String() string { return stateNames[min(s, Stopped)] }

// MarshalText returns the name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name, exactly as String writes it.
func (s *State) UnmarshalText(text []byte) error {
	got, err := ParseState(string(text))
	if err == nil {
		*s = got
	}
	return err
}

// ParseState reads a state's name.
func ParseState(name string) (State, error) {
	for s, known := range stateNames {
		if name == known {
			return State(s), nil
		}
	}
	return Stopped, fmt.Errorf("state %q is none of running, no-retries, risk-reducing, drain and stopped", name)
}

// A Kind says what happens to a scope whose operators cannot be heard. It is set with [Tree.Mark] and holds for
// the scopes below, too, unless they have one of their own.
type Kind uint8

// The kinds, from the most cautious on.
const (
	Orders Kind = iota + 1 // sends what may change a position
	Other                  // everything that nobody marked
	Reads                  // changes nothing on the other side

	kinds = iota + 1
)

// String returns the name in lower case.
func (k Kind) String() string {
	switch k {
	case Orders:
		return "orders"
	case Reads:
		return "reads"
	}
	return "other"
}

// doors is a set of ways in that are closed: one for each kind of attempt that states tell apart. The
// strictest of several states, column by column, is the union of what they close.
type doors uint8

// The four ways in, as indices. Adding riskReducing to the first two gives the others.
const (
	first = iota
	again
	riskReducing

	ways = 2 * riskReducing
)

// closed returns the ways in that a state closes: the columns of the table in the package comment.
func (s State) closed() doors {
	switch s {
	case Running:
		return 0
	case NoRetries:
		return 1<<again | 1<<(riskReducing+again)
	case RiskReducingOnly:
		return 1<<first | 1<<again
	}
	return 1<<ways - 1
}

func (d doors) has(way int) bool { return d&(1<<way) != 0 }

// An Admission says which attempts of one sort a scope lets through.
type Admission uint8

// The admissions, by strictness.
const (
	All Admission = iota
	ReducingOnly
	Nothing
)

// String returns the name in lower case.
func (a Admission) String() string {
	return [...]string{"all", "risk-reducing only", "nothing"}[min(a, Nothing)]
}

// column returns what the ways first or again let through.
func (d doors) column(way int) Admission {
	switch {
	case d.has(riskReducing + way):
		return Nothing
	case d.has(way):
		return ReducingOnly
	}
	return All
}
