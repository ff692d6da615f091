package retry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/relent-go/relent/backoff"
)

// What zero fields mean.
const (
	DefaultMaxAttempts = 3
	DefaultMaxHint     = 5 * time.Minute
	DefaultExpected    = 50 * time.Millisecond
)

// Unlimited, as MaxAttempts, leaves the end of a call to MaxElapsed or to a gate. Without either
// it counts as [DefaultMaxAttempts]: a call that nothing bounds is how retry storms begin.
const Unlimited = math.MaxInt

// A Policy says how a call may be attempted. It is plain data: derive one by copying another.
// The zero value makes up to three attempts with exponential backoff and never repeats an attempt
// whose outcome is unknown, so it is safe for an order.
//
// A Policy in use is not modified; it is safe for concurrent use. Every value of every field has
// a meaning, and an odd one means fewer attempts; [Policy.Check] names the odd ones.
type Policy struct {
	Name           string           // in errors and events: venue.verb_object, such as binance.place_order
	MaxAttempts    int              // in all, the first included; 0 means 3, negative means 1
	MaxElapsed     time.Duration    // of the whole call, waits included; not positive means no limit
	AttemptTimeout time.Duration    // of each attempt, whose context ends with it; not positive means no limit
	Expected       time.Duration    // of an attempt: a wait that leaves less before the deadline is not begun; 0 means 50 ms, or AttemptTimeout if that is shorter; negative means 0
	Backoff        backoff.Strategy // nil means 100 ms doubling to 30 s, full jitter
	MaxHint        time.Duration    // longest wait that the other side may ask for, beyond which the call ends; 0 means 5 min, negative means that any hint ends it
	Idempotent     bool             // an attempt that may have acted may be made again
	Nested         bool             // retries even inside an attempt of a call that retries, so that attempts multiply
	Priority       Priority         // for gates: who is refused first
	Cost           int64            // for gates: of one retry, in a budget's units; not positive means 1

	Classify func(error) Class                    // what an error means; nil means DefaultClassify
	RetryIf  func(error) bool                     // may only refuse a retry, never allow one; nil refuses none
	Validate func(context.Context, Attempt) error // asked before each retry whether it still makes sense; see the package comment

	Gates    []Gate          // asked in order before each attempt; nil entries are skipped
	Observer Observer        // told of retries and of the end of each call; a Meter is told less, for less
	Nudge    <-chan struct{} // "retry now": a value ends one wait, closing it ends all present ones
	Rand     func() float64  // uniform in [0, 1), for jitter, safe for concurrent use; nil means math/rand/v2
}

// A Priority says who is refused first when retries must be given up.
type Priority int8

// The priorities. The zero value is Normal.
const (
	Sheddable Priority = iota - 1
	Normal
	Critical
)

// String returns the name in lower case.
func (p Priority) String() string {
	switch {
	case p < Normal:
		return "sheddable"
	case p > Normal:
		return "critical"
	}
	return "normal"
}

// A Source yields the policy for a call at its beginning. A *Policy is its own source; one that
// can be changed while the program runs is another. Current must be safe for concurrent use; nil
// stands for the zero policy.
type Source interface{ Current() *Policy }

// Current returns p, or the zero policy if p is nil.
func (p *Policy) Current() *Policy {
	if p == nil {
		return &Policy{}
	}
	return p
}

// current spares the usual source, a *Policy, any call: it is inlined, and resolve is kept out of it.
func current(s Source) *Policy {
	if p, ok := s.(*Policy); ok && p != nil {
		return p
	}
	return resolve(s)
}

//go:noinline
func resolve(s Source) *Policy {
	if s != nil {
		if p := s.Current(); p != nil {
			return p
		}
	}
	return &Policy{}
}

// plain says that the first attempt needs nothing but the function: no gate, observer or clock.
func (p *Policy) plain() bool {
	return len(p.Gates) == 0 && p.Observer == nil && p.AttemptTimeout <= 0 && p.MaxElapsed <= 0
}

// Attempts returns how many attempts a call may make in all: MaxAttempts with its special values
// resolved. It is [Unlimited] only where something else ends the call.
func (p *Policy) Attempts() int {
	switch {
	case p.MaxAttempts == 0:
		return DefaultMaxAttempts
	case p.MaxAttempts < 0:
		return 1
	case p.MaxAttempts == Unlimited && p.MaxElapsed <= 0 && !p.gated():
		return DefaultMaxAttempts
	}
	return p.MaxAttempts
}

func (p *Policy) gated() bool {
	for _, g := range p.Gates {
		if g != nil {
			return true
		}
	}
	return false
}

func (p *Policy) strategy() backoff.Strategy {
	if p.Backoff == nil {
		return backoff.Exponential{}
	}
	return p.Backoff
}

func (p *Policy) maxHint() time.Duration {
	if p.MaxHint == 0 {
		return DefaultMaxHint
	}
	return max(0, p.MaxHint)
}

func (p *Policy) expected() time.Duration {
	switch {
	case p.Expected < 0:
		return 0
	case p.Expected > 0:
		return p.Expected
	case p.AttemptTimeout > 0:
		return min(p.AttemptTimeout, DefaultExpected)
	}
	return DefaultExpected
}

// Check returns all mistakes in p, joined, each beginning with its field's name, or nil. A policy
// with mistakes still works, with fewer attempts or shorter limits than were meant.
func (p *Policy) Check() error {
	var errs []error
	mistake := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if p.MaxAttempts < 0 {
		mistake("MaxAttempts: %d is negative and counts as 1", p.MaxAttempts)
	}
	if p.MaxAttempts == Unlimited && p.Attempts() != Unlimited {
		mistake("MaxAttempts: Unlimited counts as %d: it needs MaxElapsed or a gate to end the call", DefaultMaxAttempts)
	}
	for _, d := range []struct {
		field string
		value time.Duration
		means string
	}{
		{"MaxElapsed", p.MaxElapsed, "no limit"},
		{"AttemptTimeout", p.AttemptTimeout, "no limit"},
		{"Expected", p.Expected, "0"},
		{"MaxHint", p.MaxHint, "that any hint ends the call"},
	} {
		if d.value < 0 {
			mistake("%s: %v is negative and means %s", d.field, d.value, d.means)
		}
	}
	if p.MaxElapsed > 0 && p.AttemptTimeout > p.MaxElapsed {
		mistake("AttemptTimeout: %v is longer than MaxElapsed, %v", p.AttemptTimeout, p.MaxElapsed)
	}
	if p.Priority < Sheddable || p.Priority > Critical {
		mistake("Priority: %d counts as %v", p.Priority, p.Priority)
	}
	if p.Cost < 0 {
		mistake("Cost: %d is negative and counts as 1", p.Cost)
	}
	for i, g := range p.Gates {
		if g == nil {
			mistake("Gates[%d]: nil is skipped", i)
		}
	}
	return errors.Join(errs...)
}
