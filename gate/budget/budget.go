package budget

import (
	"context"
	"math"
	"sync"
	"sync/atomic"

	"github.com/relent-go/relent/retry"
)

// A Budget is a [retry.Gate] that pays for retries out of what successes earned, so that a failing
// dependency sees at most Max retries more than first attempts, however long it fails. It also
// keeps the retries in flight below a ceiling. It never delays, and lets every first attempt pass.
//
// Share one Budget among all policies that call the same dependency. The zero value is ready, and
// full. The fields are read once, at the first use that needs them, and are not modified after that:
// [Budget.Change] replaces them while calls run. Every value has a meaning, and an odd one means fewer retries; [Budget.Check]
// names the odd ones. A Budget is safe for concurrent use and must not be copied.
type Budget struct {
	Name       string  // in errors, such as the dependency
	Ratio      float64 // retries earned by a success, 0 to 1, in steps of 0.001; 0 means 0.1, None earns nothing
	Max        float64 // most retries saved up, at most a billion; 0 means 10, or 2 if Load.Clients is above 20; None allows none
	Costs      Costs   // what a retry takes, by what went wrong
	Ceiling    float64 // most retries in flight, as a share of all requests in flight, 0 to 1, in steps of 0.001; 0 means 0.2, None leaves CeilingMin alone
	CeilingMin int     // retries in flight that the ceiling always allows; 0 means 3, None leaves Ceiling alone
	Floors     Floors  // what is kept for calls of higher priority; nothing by default
	Trickle    float64 // retries per second that nobody need earn, shared evenly by the Load.Clients processes; 0 means none
	Load       Load    // declares the load, for Check and Trickle
	Health     Health  // allows retries only out of a full bucket while it says suspect; nil never does

	missing atomic.Int64 // milli-tokens to a full bucket; 0 is what a first-attempt success looks for
	live    atomic.Pointer[terms]

	_        [128]byte  // what is above is read on every call
	mu       sync.Mutex // a decision about a retry is one step; the fields below are guarded by it
	retries  int64      // in flight
	clock    clock
	consumed [classes]int64
	started  int64
	denied   [rules]int64
	defects  atomic.Int64

	_     [128]byte
	first lanes // first attempts in flight; written on every call
}

var _ retry.Gate = (*Budget)(nil)

// None, as Ratio, Max, Ceiling or CeilingMin, spells zero, as any negative number does.
const None = -1

// Costs is what a retry takes from the bucket, in milli-tokens, by the class of the failure before it. Not
// positive means 1000: one retry. The policy's Cost multiplies it. A lower cost after Throttled is sound
// only where the wait that the other side asks for is obeyed, as package retry does.
type Costs struct{ Transient, Ambiguous, Throttled int64 }

// Floors are the shares of Max that calls may not draw the bucket below, 0 to 1. Critical calls may empty it.
type Floors struct {
	Normal    float64
	Sheddable float64 // at least Normal
}

// Trading returns the floors for a bucket that orders share with less important calls: 20 % of it
// is left to critical calls, and 50 % to critical and normal ones.
func Trading() Floors { return Floors{Normal: 0.2, Sheddable: 0.5} }

// Health is a view of the other side that is shared with other gates. It must be quick and safe for concurrent use.
type Health interface {
	// Suspect says that the other side may be about to fail.
	Suspect() bool
}

// What the note of an attempt says. A retry's note is its cost and unsettled.
const (
	unsettled = 1 // of a first attempt
	settled   = math.MaxUint64
)

// Admit refuses a retry that the bucket cannot pay for, or that would be above the ceiling, with an
// [*Error]. It never waits.
func (b *Budget) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Number > 1 {
		return b.reserve(a)
	}
	b.first.add(a.Lane, 1)
	a.Keep(unsettled)
	return nil
}

// Settle takes notice of how an attempt ended: a success earns, a retry that never started gets back what it
// had reserved.
func (b *Budget) Settle(a *retry.Attempt, o *retry.Outcome) {
	if a.Number > 1 {
		b.conclude(a, o)
		return
	}
	if a.Note != nil {
		if *a.Note != unsettled {
			b.defects.Add(1)
			return
		}
		*a.Note = settled
	}
	b.first.add(a.Lane, -1)
	if o.State == retry.Succeeded && b.missing.Load() != 0 {
		b.refill(b.terms().gain)
	}
}

// reserve takes the cost of a retry and its place below the ceiling, both or neither.
func (b *Budget) reserve(a *retry.Attempt) error {
	health := b.terms().health
	suspect := health != nil && health.Suspect() // not under the lock: it is somebody else's code
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.terms()
	b.refill(b.clock.pass(a.At, t.every))
	e := Error{Cost: t.cost(a)}
	if b.retries >= t.least { // else there is no need to count
		if ceiling := t.ceiling(b.first.sum() + b.retries); b.retries >= ceiling {
			e.Rule, e.Balance, e.Cost, e.Limit = RuleCeiling, 0, 1, b.retries
			return b.refuse(e, a)
		}
	}
	e.Limit = t.capacity
	for {
		missing := b.missing.Load()
		e.Balance = t.capacity - missing
		switch e.Kept = t.floor(a); {
		case e.Balance < e.Cost:
			e.Rule, e.Kept = RuleTokens, 0
			return b.refuse(e, a)
		case e.Balance-e.Cost < e.Kept:
			e.Rule = RuleFloor
			return b.refuse(e, a)
		case suspect && missing > 0:
			e.Rule, e.Kept = RuleSuspect, 0
			return b.refuse(e, a)
		}
		if b.missing.CompareAndSwap(missing, missing+e.Cost) { // a success may have earned meanwhile
			break
		}
	}
	b.retries++
	a.Keep(uint64(e.Cost) + unsettled)
	return nil
}

// refuse counts a refusal. The caller holds mu.
func (b *Budget) refuse(e Error, a *retry.Attempt) error {
	b.denied[e.Rule]++
	e.Budget, e.Policy = b.Name, policy(a).Name
	return new(e)
}

// conclude is Settle for a retry.
func (b *Budget) conclude(a *retry.Attempt, o *retry.Outcome) {
	note := a.Kept()
	if a.Note != nil {
		if note <= unsettled || note == settled {
			b.defects.Add(1)
			return
		}
		*a.Note = settled
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.retries == 0 {
		b.defects.Add(1)
		return
	}
	b.retries--
	switch {
	case o.State != retry.NotStarted:
		cost := int64(note - unsettled)
		if a.Note == nil {
			cost = b.terms().cost(a)
		}
		b.consumed[class(a)] += cost
		b.started++
	case a.Note != nil: // without a note nobody knows what was taken
		b.refill(int64(note - unsettled))
	}
	if o.State == retry.Succeeded {
		b.refill(b.terms().gain)
	}
}

// refill puts milli-tokens into the bucket, as far as they fit.
func (b *Budget) refill(n int64) {
	for n > 0 {
		missing := b.missing.Load()
		if missing == 0 || b.missing.CompareAndSwap(missing, max(0, missing-n)) {
			return
		}
	}
}

// policy is the attempt's, or the zero policy in an attempt made by hand without one.
func policy(a *retry.Attempt) *retry.Policy { return a.Policy.Current() }
