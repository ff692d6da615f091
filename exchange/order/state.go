package order

// A State is where an intent stands.
type State uint8

// The states.
const (
	Recorded  State = iota // in the log, not sent
	Sending                // an attempt is in the log; bytes may be leaving
	NotSent                // no byte of the attempt left
	Acked                  // the venue has it
	Unknown                // bytes left, and there is no proof either way
	Verifying              // reads are under way
	Absent                 // proven not to exist
	Parked                 // cannot be proven: a person or later evidence decides
	Filled                 // terminal
	Canceled               // terminal
	Expired                // terminal
	Rejected               // terminal: the venue refused it
	Abandoned              // terminal: given up while nothing existed
	Breach                 // two venue orders, other terms, or evidence on an order that was given up

	states
)

var stateNames = [states]string{
	"recorded", "sending", "not_sent", "acked", "unknown", "verifying", "absent", "parked",
	"filled", "canceled", "expired", "rejected", "abandoned", "breach",
}

// String returns the name in lower case.
func (s State) String() string {
	if s >= states {
		return "invalid"
	}
	return stateNames[s]
}

// Terminal says that nothing more is expected. Late evidence may still come.
func (s State) Terminal() bool { return s >= Filled && s <= Abandoned }

// Doubtful says that nobody knows whether the order exists.
func (s State) Doubtful() bool { return s == Sending || s == Unknown || s == Verifying || s == Parked }

// An Event is what moves an intent.
type Event uint8

// The events. Those from SeenWorking on are evidence that the order exists.
const (
	NoEvent         Event = iota // facts only
	GuardsPassed                 // the checks before a send passed: SENDING is being written
	GuardFailed                  // one did not, or the intent is too old
	NothingSent                  // zero bytes left
	Returned                     // after NothingSent: back to where it was sent from
	Refused                      // definitely not placed, for good
	Deferred                     // definitely not placed, because of pace, load, maintenance or the clock
	DuplicateID                  // refused since the id exists already
	Unproven                     // timeout, reset, 5xx, an answer that cannot be read
	ReadDue                      // the first wait after an unknown outcome is over
	ProofComplete                // the six conditions of absence hold
	ProbeAllowed                 // the venue dedupes for ever: sending again is the query
	ProofImpossible              // the reads failed, their budget is spent, or there is no fence
	OperatorAbsent               // two persons say that it does not exist
	SeenWorking                  // an order with our id and terms works
	SeenFilled                   // … is filled
	SeenCanceled                 // … is cancelled
	SeenExpired                  // … has expired
	SeenRejected                 // … was rejected after it had been accepted
	Mismatch                     // a second order, or other terms

	events
)

var eventNames = [events]string{
	"", "guards_passed", "guard_failed", "nothing_sent", "returned", "refused", "deferred", "duplicate_id", "unproven",
	"read_due", "proof_complete", "probe_allowed", "proof_impossible", "operator_absent",
	"seen_working", "seen_filled", "seen_canceled", "seen_expired", "seen_rejected", "mismatch",
}

// String returns the name in lower case.
func (e Event) String() string {
	if e >= events {
		return "invalid"
	}
	return eventNames[e]
}

// Facts are what a transition depends on beside state and event.
type Facts struct {
	Doubt  bool // an attempt before the present one was ever UNKNOWN
	Proven bool // and absence has been proven since
}

// Next returns the state after an event. It is the whole table of transitions; ok is false where the table has no such
// edge, and the state then stays.
func Next(s State, e Event, f Facts) (next State, ok bool) {
	if e == Mismatch && s < states {
		return Breach, true
	}
	if e >= SeenWorking && e < Mismatch {
		return seen(s, e)
	}
	switch s {
	case Recorded, Absent:
		switch e {
		case GuardsPassed:
			return Sending, true
		case GuardFailed:
			return Abandoned, true
		}
	case Sending:
		return answered(e, f)
	case NotSent:
		if e == Returned {
			return origin(f), true
		}
	case Unknown:
		switch e {
		case ReadDue:
			return Verifying, true
		case ProofImpossible:
			return Parked, true
		}
	case Verifying:
		switch e {
		case ProofComplete:
			return Absent, true
		case ProbeAllowed:
			return Sending, true
		case ProofImpossible:
			return Parked, true
		}
	case Parked:
		if e == OperatorAbsent {
			return Abandoned, true
		}
	}
	return s, false
}

// answered is Next for an attempt that is under way.
func answered(e Event, f Facts) (State, bool) {
	switch e {
	case NothingSent:
		return NotSent, true
	case Refused:
		if f.Doubt {
			return Verifying, true // it speaks of this attempt only
		}
		return Rejected, true
	case Deferred:
		if f.Doubt {
			return Verifying, true
		}
		return Recorded, true
	case DuplicateID:
		return Verifying, true
	case Unproven:
		return Unknown, true
	}
	return Sending, false
}

// origin is where an attempt was sent from.
func origin(f Facts) State {
	switch {
	case !f.Doubt:
		return Recorded
	case f.Proven:
		return Absent
	}
	return Verifying // a probe that did not leave has proven nothing
}

// seen is Next for evidence that the order exists.
func seen(s State, e Event) (State, bool) {
	switch s {
	case Rejected, Abandoned:
		if s == Rejected && e == SeenRejected {
			return s, true
		}
		return Breach, true
	case Breach:
		return s, true
	}
	if s >= states || s.Terminal() && e == SeenWorking {
		return s, false // a status moves forward only
	}
	return [...]State{Acked, Filled, Canceled, Expired, Rejected}[e-SeenWorking], true
}
