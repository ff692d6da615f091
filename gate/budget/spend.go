package budget

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/relent-go/relent/retry"
)

var (
	errNoEstimate = errors.New("no estimate: set Estimate or Costs, or use budget.WithBill")
	errNoLimit    = errors.New("no limit is set, so nothing may be spent")
	errNegative   = errors.New("the estimate is negative")
)

// A Spend is a [retry.Gate] that bounds what attempts may cost, first attempts included. An attempt is admitted
// if spent + reserved + its estimate <= limit, under each limit that is set. When it ends, its real cost
// takes the place of the estimate, in full even if it is higher; an attempt that never began costs nothing.
//
// The estimate is that of [WithBill], or else that of the operation in Costs, or else Estimate; the real cost is what
// the function reports with [Charge]. All amounts are millionths of one currency. An amount in another is a mistake that Check names
// and Admit refuses: nothing is converted.
//
// The zero value admits nothing, because there is no limit that would be right for all. The fields are not
// modified while in use. A Spend is safe for concurrent use, never waits, and must not be copied.
type Spend struct {
	Name     string // in errors
	Currency string // of all amounts

	Limit        int64         // micro-units in each window; 0 means no limit, negative that nothing may be spent
	PerOperation int64         // the same for each policy name
	PerParent    int64         // the same for each parent, but over its whole life: see WithParent
	Window       time.Duration // not positive means that there is one, without end

	Estimate   Amount            // of an attempt; must be positive where nothing else gives an estimate
	Costs      map[string]Amount // estimates by policy name
	Loose      bool              // with PerParent, calls without a parent pass; otherwise they are refused
	Remembered int               // operations, and parents, beyond which new ones are refused; 0 means 65536, negative means none

	mu       sync.Mutex
	began    time.Time // the window
	total    account
	names    map[string]*account // by policy name; nil unless PerOperation is set
	parents  map[string]*account // nil unless PerParent is set
	held     []hold              // by the attempts in flight
	free     []int               // places in held
	denied   int64
	defects  int64
	overruns int64
}

var _ retry.Gate = (*Spend)(nil)

// Admit reserves the estimate of an attempt, or refuses it with an [*Error] marked [retry.Permanent].
func (s *Spend) Admit(ctx context.Context, a *retry.Attempt) error {
	h := hold{bill: billOf(ctx)}
	parent := Parent(ctx)
	e := Error{Budget: s.Name, Policy: policy(a).Name, Rule: RuleSpend, Currency: s.Currency}
	if h.before, h.charges, e.Err = h.bill.open(s.Currency); e.Err == nil {
		h.estimate, e.Err = s.estimate(h.bill, e.Policy)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roll(a.At)
	if e.Err == nil {
		e.Err = s.accounts(&h, e.Policy, parent)
	}
	if e.Err != nil {
		return s.refuse(e)
	}
	e.Cost = h.estimate
	for i, limit := range []int64{s.Limit, s.PerOperation, s.PerParent} {
		if x := h.accounts[i]; x != nil && x.left(limit) < h.estimate {
			e.Balance, e.Limit = max(0, x.left(limit)), limit
			if i == 2 {
				e.Parent = parent
			}
			return s.refuse(e)
		}
	}
	for _, x := range h.accounts {
		if x != nil {
			x.reserved = plus(x.reserved, h.estimate)
		}
	}
	if a.Note == nil { // nobody will know at the end what was reserved
		h.book(h.estimate)
		return nil
	}
	*a.Note = uint64(s.hold(h)) + 1
	return nil
}

// estimate is what an attempt may cost.
func (s *Spend) estimate(b *bill, operation string) (int64, error) {
	var m Amount
	if b != nil {
		m = b.estimate
	}
	if m.Micro == 0 {
		m = s.Costs[operation]
	}
	if m.Micro == 0 {
		m = s.Estimate
	}
	switch {
	case s.Limit == 0 && s.PerOperation == 0 && s.PerParent == 0:
		return 0, errNoLimit
	case m.Micro == 0:
		return 0, errNoEstimate
	case m.Micro < 0:
		return 0, errNegative
	}
	return m.Micro, m.same(s.Currency)
}

// refuse counts a refusal. The caller holds mu.
func (s *Spend) refuse(e Error) error {
	s.denied++
	return retry.Mark(new(e), retry.Permanent)
}

// Settle books what an attempt cost.
func (s *Spend) Settle(a *retry.Attempt, o *retry.Outcome) {
	if a.Note == nil {
		return // booked already
	}
	note := *a.Note
	*a.Note = settled
	s.mu.Lock()
	defer s.mu.Unlock()
	if note == 0 || note == settled {
		s.defects++
		return
	}
	i := int(note - 1)
	h := s.held[i]
	s.held[i] = hold{}
	s.free = append(s.free, i)
	if o.State == retry.NotStarted {
		h.book(0)
		return
	}
	cost := h.estimate
	if total, charges := h.bill.read(); charges > h.charges {
		cost = total - h.before
	}
	if cost > h.estimate {
		s.overruns = plus(s.overruns, cost-h.estimate)
	}
	h.book(cost)
}
