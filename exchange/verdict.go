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
	OrderID string        // the venue's, if the answer to an order names it
	EchoID  string        // our id as the answer to an order repeats it: evidence only if it is the one that was sent
}

// A Meaning is the class of an answer in the fact tables: why it is what it is. It is empty for an answer that
// reports no failure.
type Meaning string

// The meanings.
const (
	RateLimited       Meaning = "rate_limited"
	Overloaded        Meaning = "overloaded" // the venue is busy; our quota has nothing to do with it
	Maintenance       Meaning = "maintenance"
	ClockOff          Meaning = "clock" // the signed time or the nonce was refused
	AuthFailed        Meaning = "auth"
	Invalid           Meaning = "invalid"
	InsufficientFunds Meaning = "insufficient_funds"
	OrderNotFound     Meaning = "order_not_found"
	DuplicateID       Meaning = "duplicate_client_id"
	UnknownOutcome    Meaning = "unknown_outcome"
	Rejected          Meaning = "rejected"
	Banned            Meaning = "ban"
	AlreadyDone       Meaning = "already_done"
	InContext         Meaning = "context" // of a status: the code decides
)

var meanings = []Meaning{
	RateLimited, Overloaded, Maintenance, ClockOff, AuthFailed, Invalid, InsufficientFunds, OrderNotFound,
	DuplicateID, UnknownOutcome, Rejected, Banned, AlreadyDone, InContext,
}

// An Advice is what the fact tables recommend after an answer.
type Advice string

// The advices.
const (
	AdviseNever      Advice = "never"
	AdviseWait       Advice = "wait"
	AdviseWaitVerify Advice = "wait_then_verify"
	AdviseVerify     Advice = "verify_first"
	AdviseResync     Advice = "resync_then_resend_same_id"
	AdviseAdopt      Advice = "query_and_adopt"
	AdviseStop       Advice = "stop_all_until"
	AdviseContext    Advice = "context"
)

var advices = []Advice{
	AdviseNever, AdviseWait, AdviseWaitVerify, AdviseVerify, AdviseResync, AdviseAdopt, AdviseStop, AdviseContext,
}

// outcomes are the outcomes in the fact tables. "context" leaves it to the kind of the request.
var outcomes = []string{
	"not_placed", "unknown", "exists", "existed", "partial", "not_proof", "unchanged", "context", "n/a",
}
