package retryws

import "time"

// An EventKind says what an [Event] is.
type EventKind uint8

// The kinds of events.
const (
	// Message is a message of the topic.
	Message EventKind = iota

	// Live is where messages of the topic begin on a link. What came before may lack some, up to here:
	// books start anew, and trades fill the gap.
	Live

	// Broken is where they end: the link or the subscription is lost. Nothing more comes before the next Live.
	Broken

	// Hole is where messages are missing that the consumer was too slow for: Missed of them, from First to
	// Last if the topic has sequence numbers.
	Hole
)

// An Event is what a consumer gets. Data is shared among consumers and not to be modified.
type Event struct {
	Kind        EventKind
	Topic       Topic
	First, Last int64
	Key         string
	Time        time.Time     // the venue's; the zero time if it does not say
	At          time.Time     // when it was read
	Lag         time.Duration // At, on the venue's clock, minus Time; 0 without Time
	Data        []byte        // of a Message
	Missed      int           // of a Hole; of a Message, how many older ones it stands for in a conflating queue
	Link        uint64        // on which it came: counts the connections of the session
}

// A State is that of a session.
type State uint8

// The states.
//
//	IDLE ─▶ DIALING ─▶ AUTH ─▶ SUBSCRIBING ◀─▶ READY ─▶ DRAINING ─▶ CLOSED
//	  ▲        │         │          │            │
//	  └────────┴─────────┴──────────┴────────────┘ any failure, link lost
//	STOPPED: authentication refused twice (the end), disallowed (a minute), halted (as long as it lasts)
const (
	Idle        State = iota // not begun, or waiting before the next dial
	Dialing                  // the budget has granted it
	Auth                     // connected, and not authenticated yet
	Subscribing              // something wanted is not confirmed, or the account is not reconciled
	Ready                    // everything wanted is confirmed, and a message or heartbeat has come since
	Draining                 // the session is being closed
	Closed                   // the end
	Stopped                  // see above
)

var stateNames = [...]string{"IDLE", "DIALING", "AUTH", "SUBSCRIBING", "READY", "DRAINING", "CLOSED", "STOPPED"}

// String returns the name in capitals.
func (s State) String() string {
	if int(s) >= len(stateNames) {
		return "UNKNOWN"
	}
	return stateNames[s]
}

// A Reason is the label under which the end of a link is counted.
type Reason uint8

// The reasons.
const (
	EOF           Reason = iota // closed by the other side or the network
	Timeout                     // no answer to pings, or to the dial
	Heartbeats                  // silent
	RefusedReason               // the dial, the handshake or what we sent was refused
	AuthReason                  // authentication refused, or credentials expired
	Gap                         // events were or would be lost
	Requested                   // a planned turnover, or Reconnect
	reasons
)

var reasonNames = [reasons]string{"eof", "timeout", "heartbeat", "refused", "auth", "gap", "requested"}

// String returns the label.
func (r Reason) String() string {
	if r >= reasons {
		return "unknown"
	}
	return reasonNames[r]
}

// A ChangeKind says what a [Change] is.
type ChangeKind uint8

// The kinds of changes.
const (
	StateChanged   ChangeKind = iota // State
	LinkEnded                        // Reason and Err; Wait until the next dial
	Alerted                          // Err: a person should look
	Resubscribed                     // Topic was silent too long and is subscribed again
	TopicFailed                      // Topic was refused, or not confirmed when asked four times; it is asked again in a minute
	Noticed                          // the venue's Text
	TurnoverBegan                    // a second link is opened beside the first
	TurnoverEnded                    // Err is nil if it took over
	LagChanged                       // Late says whether Lag is above the limit now
	LostFound                        // a re-read found Count events that the stream had not brought
	AccountDirty                     // the account is not known until the next AccountClean
	AccountClean                     // it is
	ReconcileError                   // Err; tried again in Wait
)

// A Change is what an observer is told.
type Change struct {
	Kind    ChangeKind
	At      time.Time
	Session string
	Link    uint64
	State   State
	Reason  Reason
	Err     error
	Wait    time.Duration
	Topic   Topic
	Text    string
	Late    bool
	Lag     time.Duration
	Count   int
}
