// Package peer uses relent and other retry libraries for the same work, each as its own
// documentation advises: policies are built once where they may be shared, logging is off, and
// nothing is measured that a user would not write.
package peer

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// A Quote is the value of the calls.
type Quote struct{ Bid, Ask float64 }

// A Func is what is retried.
type Func func(context.Context) (Quote, error)

// A Loop makes n calls of fn, one after the other, and returns how the last one ended. The loop is
// inside, so that measuring adds no indirect call to a call of a few nanoseconds.
type Loop func(ctx context.Context, n int, fn Func) (Quote, error)

// A RunLoop is a [Loop] of calls without a value.
type RunLoop func(ctx context.Context, n int, fn func(context.Context) error) error

// A Call makes one call of fn.
type Call func(ctx context.Context, fn Func) (Quote, error)

// A Send sends a request and returns the last response. body is nil, a []byte or an io.Reader.
type Send func(ctx context.Context, method, url string, body any) (*http.Response, error)

// A Subject is one library. Fields are nil where it has no such feature. All calls make three
// attempts at most.
type Subject struct {
	Name      string
	Module    string // "" for the bare floor and the standard library
	Licence   string
	Fail      error // an error that the subject retries
	Reject    error // an error that it does not
	RunFirst  func() RunLoop
	First     func() Loop // the context is handed to each call
	Shared    func() Loop // there is one context, fixed when the policy is built
	Retry     func() Loop // without a delay
	Stop      func() Loop // with the means that tell Reject from Fail
	Guarded   func() Loop // under a retry, a breaker and a budget; bare, one reading of the clock
	Stoppable func() Loop // Guarded, and under an emergency stop
	Async     func() Loop // submit, then wait for the result

	// Gated is First with a number of gates, or whatever the subject calls them, that do nothing.
	Gated func(gates int) Loop

	// Delays adds up the waits of n schedules of ten failures each, with jitter.
	Delays func() func(n int) time.Duration

	// Waiting makes calls with a constant wait between attempts, all by one policy where that may be
	// shared.
	Waiting func(wait time.Duration) Call

	// Start submits such a call without a goroutine of its own; nil where a call needs one.
	Start func(wait time.Duration) func(ctx context.Context, fn Func)

	// HTTP sends requests over base, with a constant wait between attempts.
	HTTP func(base http.RoundTripper, wait time.Duration) Send
}

// Attempts is how many attempts a call of a [Subject] makes at most.
const Attempts = 3

// The ends of the delay schedules.
const (
	base = 100 * time.Millisecond
	most = 30 * time.Second
)

// failures is the length of a schedule.
const failures = 10

var (
	errBusy     = errors.New("busy")
	errRejected = errors.New("rejected")
)

// Bare is the floor, with the name that ratios refer to.
const Bare = "bare"

// Relent is the name of relent's own subject.
const Relent = "relent"

// All returns the subjects in the order of the tables' columns.
func All() []Subject {
	return []Subject{
		bare(), relent(), failsafeGo(), cenkalti(), avast(), sethvargo(), eapache(), awsRetry(), retryablehttpSubject(),
	}
}
