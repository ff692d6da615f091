package exchange

import (
	"context"
	"crypto/sha256"
	"time"
)

// A Kind says what a request is for.
type Kind uint8

// The kinds. A request that no rule of the profile knows is a Read if its method is safe, and
// otherwise treated as an Order, the strictest.
const (
	Read    Kind = iota
	Order        // places an order
	Cancel       // takes one back
	Amend        // changes one in place
	Replace      // cancels one and places another
	Verify       // a read that settles the fate of an order
	Repair       // a read that mends a stream: snapshots, gaps
	Token        // asks for a stream's credentials
)

var kindNames = [...]string{"read", "order", "cancel", "amend", "replace", "verify", "repair", "token"}

// String returns the kind's name. A kind that there is not counts as an order.
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return kindNames[Order]
	}
	return kindNames[k]
}

// Guarded says whether requests of this kind may change an order, and so go through the [Desk].
func (k Kind) Guarded() bool {
	switch k {
	case Read, Verify, Repair, Token:
		return false
	}
	return true
}

// A Sending is a request on an order route that is about to leave.
type Sending struct {
	Venue    string
	Kind     Kind
	Account  string // as configured in the Transport
	Symbol   string
	ClientID string            // of the order, as the venue sees it
	Signed   time.Time         // the venue's time in the signature; the zero time if there is none
	Deadline time.Time         // the venue does not accept the request after it, by its own clock; the zero time: no fence
	Hash     [sha256.Size]byte // of the method, path, query and body
}

// A Desk knows the attempts to which the requests on order routes belong. The order machine is
// one. Its methods are called in the goroutine of the request, and concurrently for different
// requests.
type Desk interface {
	// Begin is asked when the rate limit has been granted, directly before the first byte. It makes
	// the attempt durable, and refuses, with an error, a request that belongs to no attempt it
	// knows, that is too old, or that a stop forbids: nothing is sent then.
	Begin(ctx context.Context, s *Sending) error

	// End hands over what the answer proves, exactly once for each Begin that returned nil, and
	// before the SDK sees the answer.
	End(ctx context.Context, s *Sending, v *Verdict)
}
