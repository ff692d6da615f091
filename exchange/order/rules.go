package order

import (
	"errors"
	"fmt"
	"time"
)

// A Resend says when an order may be sent again with the same client id.
type Resend uint8

// The rules of resends. The zero value is the careful one.
const (
	ResendNever      Resend = iota // an order of unknown fate is proven absent and given up, or parked
	ResendAfterProof               // after the fence and the proof of absence
	ResendIsQuery                  // the id protects for ever: sending the same again is the query
)

// String returns the name in lower case.
func (r Resend) String() string {
	switch r {
	case ResendAfterProof:
		return "after_proof"
	case ResendIsQuery:
		return "is_query"
	}
	return "never"
}

// Rules are what a venue allows. [RulesOf] makes them of a profile; weak facts count as the strict value there. The zero
// value is the strictest: nothing is ever sent again, and what is in doubt is parked.
type Rules struct {
	Venue string // its name

	// The fence: after an attempt's deadline plus Residual, by its own clock, the venue cannot accept the attempt any
	// more. If Fence is false there is no such moment, and absence is never proven.
	Fence    bool
	Residual time.Duration

	Resend       Resend
	ResendTaking bool          // also of orders that can fill at once
	ResendWithin time.Duration // since the first send, for ResendIsQuery: how long the venue surely remembers; 0 means no limit

	// What the read by client id shows.
	QueryClosed bool          // it sees closed orders, so lists are not needed
	FirstWait   time.Duration // before the first read; not positive means 500 ms
	Spacing     time.Duration // between reads; not positive means 2 s
	Reads       int           // at least, where there is no fence; not positive means 3
	MinTotal    time.Duration // at least, where there is no fence; not positive means 15 s
	Budget      time.Duration // for the proof, once the fence has passed; not positive means 1 min
	Lookback    time.Duration // by which lists and fills are read from before the send; not positive means 5 s

	AckIsEngine bool // a 2xx is what the engine did; else it says only that the request was taken
	AmendKeepID bool // an amend keeps the client id, so that it may be sent again

	IDPrefix  string // what the venue wants in front of a client id
	IDInteger bool   // the venue's client ids are integers

	MaxAges MaxAges
}

// MaxAges are how old intents may be when they are sent, by kind. Zero fields mean defaults. Orders that wait for a
// trigger and those that only reduce a position have no limit.
type MaxAges struct {
	Immediate  time.Duration // market, IOC, FOK: 1 s
	Marketable time.Duration // a limit that may fill at once: 3 s
	Resting    time.Duration // a limit that rests: 30 s
}

// Of returns the most age of an intent; 0 means no limit.
func (m MaxAges) Of(i *Intent) time.Duration {
	switch {
	case i.MaxAge > 0:
		return i.MaxAge
	case i.triggered() || i.ReduceOnly:
		return 0
	case i.immediate():
		return positive(m.Immediate, time.Second)
	case i.Taking:
		return positive(m.Marketable, 3*time.Second)
	}
	return positive(m.Resting, 30*time.Second)
}

func positive(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

func (r *Rules) firstWait() time.Duration { return positive(r.FirstWait, 500*time.Millisecond) }
func (r *Rules) spacing() time.Duration   { return positive(r.Spacing, 2*time.Second) }
func (r *Rules) minTotal() time.Duration  { return positive(r.MinTotal, 15*time.Second) }
func (r *Rules) budget() time.Duration    { return positive(r.Budget, time.Minute) }
func (r *Rules) lookback() time.Duration  { return positive(r.Lookback, 5*time.Second) }

func (r *Rules) reads() int {
	if r.Reads > 0 {
		return r.Reads
	}
	return 3
}

// permits says whether an intent that is proven absent may be sent again.
func (r *Rules) permits(i *Intent) bool {
	return r.Resend != ResendNever && (r.ResendTaking || !i.Taking)
}

// Check returns all mistakes, joined, each beginning with its field's name, or nil. Rules with mistakes still work,
// and send less.
func (r *Rules) Check() error {
	var errs []error
	mistake := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if r.Residual < 0 {
		mistake("Residual: %v is negative and counts as no fence", r.Residual)
	}
	if r.Resend > ResendIsQuery {
		mistake("Resend: %d is unknown and counts as never", r.Resend)
	}
	if r.Resend == ResendAfterProof && !r.Fence {
		mistake("Resend: after_proof needs a Fence; nothing will be sent again")
	}
	if len(r.IDPrefix) > 8 {
		mistake("IDPrefix: %q is longer than 8 bytes", r.IDPrefix)
	}
	if r.IDInteger && r.IDPrefix != "" {
		mistake("IDPrefix: an integer has none")
	}
	return errors.Join(errs...)
}
