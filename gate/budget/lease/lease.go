package lease

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/retry"
)

// A Lease is the budget of one process in a fleet: a [retry.Gate] that pays for retries out of what a
// coordinator lent. Admit never asks anybody: whoever looks after the network calls [Lease.Request] at the time
// that [Lease.Next] names, sends the result to the coordinator, and hands the answer to [Lease.Accept].
//
// Messages may be lost, repeated and late. What cannot be accounted for is burnt, never counted twice.
//
// Every first attempt that began earns Ratio. This travels to the coordinator with the next request. A process
// that has not been answered for twice Valid, or never, is cut off: it then spends by itself what its own
// first attempts earned in the last while, and Floor.
//
// It is safe for concurrent use; the fields are not modified while in use. All amounts are integers.
type Lease struct {
	Budget  string        // name of the bucket, as the coordinator has it
	Process string        // a name that no other process has or had; the host, the process and its start, for one
	Ratio   int64         // milli-tokens that a first attempt earns, up to 1000; 0 means 100, negative means none
	Floor   int64         // milli-tokens per second while cut off, up to 1 000 000; 0 means 100, negative means none
	History time.Duration // how far back first attempts earn, up to an hour; not positive means 5 s
	Valid   time.Duration // longest use of a lease, up to an hour; not positive means 2 s
	Want    int64         // least to ask for, in milli-tokens; not positive means 10 000. It asks for twice the last demand, if that is more

	first  atomic.Pointer[first] // set at the first time seen
	earned deposits

	mu      sync.Mutex
	latest  time.Duration // since the first time; the fields below are guarded by mu
	epoch   uint64
	seq     uint64
	pending Request       // not answered yet; Seq 0 for none
	sent    time.Duration // the first time that pending, or the last one answered, was sent
	asked   time.Duration // the last time
	greeted bool          // the epoch is new, and nothing was asked for in it yet

	contact time.Duration // when the last request that was answered was sent
	heard   bool          // there was one

	tokens int64         // left of the lease
	until  time.Duration // when it runs out
	serial uint64        // of the lease, so that nothing goes back into another
	demand int64         // since the last request

	pot      int64         // of the floor
	flowed   time.Duration // up to which the floor has come in
	fraction int64         // of a milli-token, in billionths

	spent, local, burnt int64
}

var _ retry.Gate = (*Lease)(nil)

// Admit pays for a retry: out of the lease, or, cut off, by itself. It never waits.
func (l *Lease) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Number <= 1 {
		return nil
	}
	c := cost(a)
	now := l.time(a.At)
	l.mu.Lock()
	defer l.mu.Unlock()
	now = l.advance(now)
	l.demand = min(l.demand+c, mostTokens)
	if l.tokens >= c {
		l.tokens -= c
		l.spent += c
		a.Keep(l.serial)
		return nil
	}
	r := &Refusal{Budget: l.Budget, Left: l.tokens, Cost: c, CutOff: l.cutOff(now)}
	if r.CutOff {
		earned := l.earned.sum(l.slot(now))
		r.Left = earned + l.pot
		if r.Left >= c {
			l.pot -= c - l.earned.take(l.slot(now), min(c, earned))
			l.local += c
			return nil
		}
	}
	return r
}

// Settle earns for a first attempt that began, and takes back what a retry that never did had taken, unless
// that lease is over.
func (l *Lease) Settle(a *retry.Attempt, o *retry.Outcome) {
	if a.Number <= 1 {
		if o.State != retry.NotStarted {
			now := l.time(end(a, o))
			if f := l.first.Load(); f != nil { // nil: no time is known yet
				l.earned.add(a.Lane, f.slot(now), f.ratio)
			}
		}
		return
	}
	if o.State != retry.NotStarted || a.Kept() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := cost(a)
	l.spent -= c
	if a.Kept() == l.serial {
		l.tokens += c
	} else {
		l.burnt += c
	}
	a.Keep(0)
}

// void ends the lease, and burns what is left of it. The caller holds mu.
func (l *Lease) void() {
	l.burnt += l.tokens
	l.tokens = 0
	l.serial++
}

// advance goes forward to t, burns a lease that has run out, and lets the floor come in. It returns the
// time, which never goes back. The caller holds mu.
func (l *Lease) advance(t time.Duration) time.Duration {
	l.latest = max(l.latest, t)
	if l.tokens > 0 && l.latest >= l.until {
		l.void()
	}
	if floor := l.floor(); l.cutOff(l.latest) {
		if l.heard {
			l.flowed = max(l.flowed, l.contact+2*valid(l.Valid))
		}
		most := max(price, floor*int64(l.history()/time.Second))
		d := min(l.latest-l.flowed, time.Duration(most/max(floor, 1)+1)*time.Second)
		l.flowed = l.latest
		l.fraction += int64(d%time.Second) * floor
		l.pot = min(l.pot+int64(d/time.Second)*floor+l.fraction/int64(time.Second), most)
		l.fraction %= int64(time.Second)
	}
	return l.latest
}

// cutOff says that nobody has answered for so long that the process is on its own. The caller holds mu.
func (l *Lease) cutOff(now time.Duration) bool {
	return !l.heard || now >= l.contact+2*valid(l.Valid)
}

// A first is what every call needs to know of the lease.
type first struct {
	time  time.Time
	width time.Duration // of a slot
	ratio int64
}

// time turns a time into one since the first seen. An unknown one is the first.
func (l *Lease) time(t time.Time) time.Duration {
	f := l.first.Load()
	if f == nil {
		if t.IsZero() {
			return 0
		}
		l.first.CompareAndSwap(nil, &first{t, max(l.history()/slots, 1), l.ratio()})
		f = l.first.Load()
	}
	return max(0, t.Sub(f.time))
}

// slot is the part of the history in which now lies.
func (f *first) slot(now time.Duration) int64 { return int64(now / f.width) }

func (l *Lease) slot(now time.Duration) int64 {
	if f := l.first.Load(); f != nil {
		return f.slot(now)
	}
	return 0
}

// cost of a retry.
func cost(a *retry.Attempt) int64 {
	return price * min(max(1, a.Policy.Current().Cost), mostCost/price)
}

// end is the latest time that is known of an attempt.
func end(a *retry.Attempt, o *retry.Outcome) time.Time {
	switch {
	case !o.End.IsZero():
		return o.End
	case !o.Start.IsZero():
		return o.Start
	}
	return a.At
}

// Stats are what a lease has done, in milli-tokens.
type Stats struct {
	Tokens int64 // left of what was lent
	Spent  int64 // of what was lent, on retries
	Local  int64 // spent by itself while cut off
	Burnt  int64 // neither spent nor returned, as far as is known here
	Epoch  uint64
	CutOff bool // the coordinator does not answer
}

// Stats returns what the lease has done, as of the latest time it has seen.
func (l *Lease) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Stats{l.tokens, l.spent, l.local, l.burnt, l.epoch, l.cutOff(l.latest)}
}
