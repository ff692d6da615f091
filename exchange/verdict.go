package exchange

import (
	"time"

	"github.com/relent-go/relent/retry"
)

// An Outcome says what an answer proves about the order that a request was to place.
type Outcome uint8

// The outcomes. The zero value is the careful one.
const (
	Unknown   Outcome = iota // it may exist: bytes left, and nothing proves either way
	NotSent                  // no byte of the request left this process
	NotPlaced                // the venue refused it for good reason: it does not exist
	Exists                   // the venue has it, and says so
	Existed                  // the venue had it: filled, cancelled or expired by now
	Partial                  // half of a two-legged request took effect
	NotProof                 // an answer that says nothing about an order, such as a not-found read
	Unchanged                // a cancel or amend that changed nothing
	NoOrder                  // the request was none that places or changes an order
)

var outcomeNames = [...]string{
	"unknown", "not_sent", "not_placed", "exists", "existed", "partial", "not_proof", "unchanged", "n/a",
}

// String returns the name that the fact tables use.
func (o Outcome) String() string {
	if int(o) >= len(outcomeNames) {
		return outcomeNames[Unknown]
	}
	return outcomeNames[o]
}

// A Verdict is what one answer means by the facts of its venue. It travels beside the SDK's error,
// which often has lost the status or the code.
type Verdict struct {
	Kind    Kind          // of the request
	Outcome Outcome       // decides for orders
	Class   retry.Class   // decides for reads, and for pacing
	Meaning Meaning       // why, in the words of the fact tables
	Advice  Advice        // what the fact tables recommend
	Status  int           // of HTTP; 0 without an answer
	Code    string        // the venue's own; empty if there was none
	Message string        // the venue's own, at most 1 KiB
	After   time.Duration // how long the venue asks to wait; 0 if it does not say
	Err     error         // of the transport, if there was no whole answer
	Body    []byte        // of an answer on an order route, at most 1 MiB; not to be modified
}

// A Meaning is the class of an answer in the fact tables: why it is what it is.
type Meaning string

// An Advice is what the fact tables recommend after an answer.
type Advice string
