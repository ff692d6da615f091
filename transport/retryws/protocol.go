package retryws

import "time"

// A Topic is what can be subscribed to: a channel, and the symbol if it has one.
type Topic struct {
	Channel string
	Symbol  string
}

// String returns channel.symbol, or the channel alone.
func (t Topic) String() string {
	if t.Symbol == "" {
		return t.Channel
	}
	return t.Channel + "." + t.Symbol
}

// A Protocol is what differs by venue. Its methods do no I/O, are quick, and are safe for concurrent use.
type Protocol interface {
	// Address says where to connect. Some venues want a token in it.
	Address(c Credentials) Address

	// Auth returns the message that authenticates a new link, or nil where none is needed.
	Auth(r *Request) ([]byte, error)

	// Subscribe and Unsubscribe return the message for the topics of r, at least one. Its confirmation is
	// recognised by r.ID, or by the topics that it names.
	Subscribe(r *Request) ([]byte, error)
	Unsubscribe(r *Request) ([]byte, error)

	// Ping returns the message that is the client's ping, or nil where ping frames are used.
	Ping() []byte

	// Classify says what a message is. f is empty but for the capacity of f.Topics. What f refers to may be
	// part of the message, which stays as it is; the message is not to be modified. Only what it costs
	// beyond a parse is paid for each message of a stream, so it should intern the strings of Topic.
	Classify(message []byte, f *Frame)
}

// A Request is a message to the venue that awaits an answer.
type Request struct {
	ID          uint64 // counts up in a session, beginning at 1
	Topics      []Topic
	Credentials Credentials
}

// A Kind says what a frame is.
type Kind uint8

// The kinds of frames. An unknown message is Other: counted, but no sign of life of a subscription.
const (
	Other     Kind = iota
	Data           // Topic and, where the venue has them, First, Last, Key and Time
	Heartbeat      // of the link, or of Topic if that is set
	Pong           // the answer to Protocol.Ping
	Confirmed      // ID, or Topics, or both: what is subscribed or unsubscribed now
	Refused        // as Confirmed; Text says why
	Authed         // the answer to Auth
	Notice         // Text; Closing and Within if a planned close is announced
	Fault          // Sign says what to do; Text
)

// A Frame is a message as [Protocol.Classify] read it.
type Frame struct {
	Kind  Kind
	Topic Topic

	// First and Last are the sequence numbers or trade ids of what the message holds, rising by
	// topic; equal for a single one. 0 where the venue has none.
	First, Last int64

	Key  string    // identifies a message without First and Last, such as an execution id; empty where there is none
	Time time.Time // the venue's; the zero time if the message does not say

	ID     uint64  // of the Request that is answered; 0 if the message does not say
	Topics []Topic // that are answered; none means those of ID

	Answer []byte // to be sent back at once, as to Deribit's test_request; nil for none

	Closing bool          // the venue will close the link
	Within  time.Duration // until then; 0 if it does not say
	Sign    Sign          // of a Fault
	After   time.Duration // how long to wait, with a Fault; 0 if the message does not say
	Text    string
}

// A Sign is how a link ended, or why there was none: it decides what is done.
type Sign uint8

// The signs, with what is done.
const (
	Harmless     Sign = iota // of a Fault: told to the observer, and the link goes on
	Lost                     // reconnect by backoff
	Throttled                // as Lost, with a cap of 60 s, and nothing else to that host before the hint
	Banned                   // nothing to that host until the ban ends
	Unauthorized             // credentials are refreshed once, then the session is STOPPED
	Crowded                  // too many links are open: wait 30 s
	Disallowed               // what we send is not wanted: STOPPED, and tried again a minute later
)

// Credentials are what a private stream needs that does not last: a token, a listen key. What lasts, as
// the keys that sign, the Protocol has by itself.
type Credentials struct {
	Value   string
	Issued  time.Time // the zero time means when they were handed over
	Expires time.Time // the zero time means never
}
