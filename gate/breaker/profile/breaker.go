package profile

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

// A Breaker is a [retry.Gate] that follows the rules of its profile. It never waits and never looks at a clock. It
// is safe for concurrent use, and made by the New method of a profile, or by [New].
type Breaker struct {
	// OnChange is told of each transition, in their order and outside the lock, by the attempt that brought it about.
	// It is not modified once the breaker is in use. The failures in a Change are all counted as Ambiguous.
	OnChange func(breaker.Change)

	name   string
	limits limits

	mu         sync.Mutex
	teller     teller
	changes    uint64
	rules      rules
	epoch      time.Time // of the first attempt
	now        int64     // the latest time seen, in ns since epoch
	state      breaker.State
	generation uint64
	until      int64         // the end of Open and Isolated
	order      breaker.Order // that isolated it
	probes     Counts        // of HalfOpen, that count
	leases     []lease
	given      uint64 // leases, ever
}

// A lease is the right of a probe to decide, and its duty to do so in time.
type lease struct {
	id    uint64
	until int64
	given time.Time     // by the process's own clock; the zero time if the attempts are of another, as in a simulation
	term  time.Duration // from then on
}

var _ retry.Rechecker = (*Breaker)(nil)

// far is further than any sensible time, and leaves room to add a few.
const far = 1 << 60

func open(name string, l limits, r rules) *Breaker {
	l.open = min(l.open, far)
	r.clear(0)
	return &Breaker{name: name, limits: l, rules: r, generation: 1}
}

// Admit lets an attempt pass or refuses it with a [*breaker.Error].
func (b *Breaker) Admit(_ context.Context, a *retry.Attempt) error {
	b.mu.Lock()
	defer b.unlock()
	b.see(a.At)
	b.advance()
	switch b.state {
	case breaker.Closed:
		trip, fresh := b.rules.look(b.now)
		if fresh {
			b.generation++
		}
		if trip != "" {
			b.change(breaker.Open, trip, b.now)
			break
		}
		a.Keep(b.generation<<1 | 1)
		return nil
	case breaker.HalfOpen:
		if b.permit() && a.Number <= 1 && a.Note != nil && a.Policy != nil && a.Policy.Idempotent {
			b.given++
			b.leases = append(b.leases, b.lease(a))
			a.Keep(b.given << 1)
			return nil
		}
	}
	return b.refusal(a)
}

// Recheck does not let a retry begin after its backoff unless the breaker is closed.
func (b *Breaker) Recheck(_ context.Context, a *retry.Attempt) error {
	b.mu.Lock()
	defer b.unlock()
	b.see(begins(a))
	b.advance()
	if b.state == breaker.Closed {
		return nil
	}
	return b.refusal(a)
}

// begins is when an attempt is about to begin, or was asked for if that is not known.
func begins(a *retry.Attempt) time.Time {
	if a.Begins.IsZero() {
		return a.At
	}
	return a.Begins
}

// lease gives a lease to a probe.
func (b *Breaker) lease(a *retry.Attempt) lease {
	term := b.term(a.Policy)
	l := lease{id: b.given, until: b.now + int64(term), term: term}
	if ago := time.Since(a.At); ago >= 0 && ago < term {
		l.given = a.At
	}
	return l
}

// permit says that there is room for another probe.
func (b *Breaker) permit() bool {
	taken := int64(len(b.leases))
	if b.limits.total {
		taken += b.probes.Calls
	}
	return taken < b.limits.permits
}

// term is how long a probe may take.
func (b *Breaker) term(p *retry.Policy) time.Duration {
	return min(b.limits.open, or(p.AttemptTimeout, far), or(p.MaxElapsed, far))
}

func (b *Breaker) refusal(a *retry.Attempt) error {
	e := &breaker.Error{Key: b.name, State: b.state, Retry: a.Number > 1, Why: b.order.Why}
	if b.state != breaker.HalfOpen && b.until < far {
		e.Wait = time.Duration(b.until - b.now)
	}
	return e
}

// Settle takes what an attempt says of the other side.
func (b *Breaker) Settle(a *retry.Attempt, o *retry.Outcome) {
	e, counts := judge(o)
	if b.limits.slow > 0 && counts {
		e.slow = o.Elapsed() > b.limits.slow
	}
	b.mu.Lock()
	defer b.unlock()
	b.see(latest(o))
	b.advance()
	note := a.Kept()
	if id := note >> 1; id > 0 && note&1 == 0 {
		b.settle(id, e, counts, o.End.IsZero())
		return
	}
	// Without a note nobody knows when it was admitted, so it counts.
	if counts && b.state == breaker.Closed && (note == 0 || note == b.generation<<1|1) {
		if trip := b.rules.record(b.now, e); trip != "" {
			b.change(breaker.Open, trip, b.now)
		}
	}
}

// settle ends a probe, unless its lease has ended. Where nobody asked for the time of the end, as with a success, the clock has
// to say whether it came too late.
func (b *Breaker) settle(id uint64, e evidence, counts, timeless bool) {
	for i, l := range b.leases {
		if l.id == id {
			b.leases = append(b.leases[:i], b.leases[i+1:]...)
			switch late := timeless && !l.given.IsZero() && time.Since(l.given) > l.term; {
			case late:
				b.now = max(b.now, l.until)
				b.probed(evidence{failed: true}, breaker.ByLease, l.until)
			case counts:
				b.probed(e, breaker.ByProbe, b.now)
			}
			return
		}
	}
}

// probed counts a probe. If it failed, cause says how.
func (b *Breaker) probed(e evidence, cause breaker.Cause, at int64) {
	b.probes.add(e, 1)
	switch b.rules.judge(b.probes) {
	case toClosed:
		b.change(breaker.Closed, breaker.ByRamp, at)
	case toOpen:
		b.change(breaker.Open, cause, at)
	}
}

// advance does what the time alone brings about.
func (b *Breaker) advance() {
	if b.state == breaker.HalfOpen {
		b.expire()
	}
	switch b.state {
	case breaker.Open:
		if b.now > b.until || b.now == b.until && !b.limits.strict {
			b.change(breaker.HalfOpen, breaker.ByTime, b.now)
		}
	case breaker.Isolated:
		if b.now >= b.until {
			b.change(breaker.HalfOpen, breaker.ByExpiry, b.now)
		}
	}
}

// expire counts probes as failed whose lease has ended.
func (b *Breaker) expire() {
	for len(b.leases) > 0 {
		first := 0
		for i, l := range b.leases {
			if l.until < b.leases[first].until {
				first = i
			}
		}
		until := b.leases[first].until
		if until > b.now {
			return
		}
		b.leases = append(b.leases[:first], b.leases[first+1:]...)
		b.probed(evidence{failed: true}, breaker.ByLease, until)
	}
}

// change goes to another state, at a time.
func (b *Breaker) change(to breaker.State, cause breaker.Cause, at int64) {
	if b.OnChange != nil {
		b.report(to, cause, at)
	}
	b.state, b.order = to, breaker.Order{}
	b.generation++
	b.leases, b.probes = b.leases[:0], Counts{}
	switch to {
	case breaker.Open:
		b.until = at + int64(b.limits.open)
	case breaker.Closed:
		b.rules.clear(b.now)
	}
}

// report leaves a change to be told of.
func (b *Breaker) report(to breaker.State, cause breaker.Cause, at int64) {
	counts := b.probes
	if b.state == breaker.Closed {
		counts, _ = b.rules.counts(at)
	}
	b.changes++
	c := breaker.Change{
		Key: b.name, From: b.state, To: to, At: b.epoch.Add(time.Duration(at)), Generation: b.changes, Cause: cause,
		Counts: counts.evidence(), LowerBound: counts.evidence().LowerBound(), Who: b.order.Who, Why: b.order.Why,
	}
	if to == breaker.Open {
		c.Wait = b.limits.open
	}
	b.teller.leave(c)
}

func (b *Breaker) unlock() { b.teller.unlock(&b.mu, b.OnChange) }

// see takes notice of a time.
func (b *Breaker) see(t time.Time) {
	if t.IsZero() {
		return
	}
	if b.epoch.IsZero() {
		b.epoch = t
	}
	b.now = max(b.now, min(int64(t.Sub(b.epoch)), far))
}

// judge says whether an outcome counts, and as what.
func judge(o *retry.Outcome) (e evidence, counts bool) {
	switch o.State {
	case retry.Succeeded:
		return evidence{}, true
	case retry.Panicked:
		return evidence{failed: true}, true
	case retry.Failed:
		// Permanent says that the other side works, but not when it is our own timeout that someone marked so.
		return evidence{failed: true}, o.Class != retry.Permanent || errors.Is(o.Err, retry.ErrAttemptTimeout)
	}
	return evidence{}, false
}

// latest is the latest time known of an attempt, without a look at a clock.
func latest(o *retry.Outcome) time.Time {
	if o.End.IsZero() {
		return o.Start
	}
	return o.End
}

// State returns the state as of the last attempt seen.
func (b *Breaker) State() breaker.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// Counts returns what the window holds, as of the last attempt seen.
func (b *Breaker) Counts() Counts {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, _ := b.rules.counts(b.now)
	return c
}

// FailurePercent returns the share of failures in the window, or -1 while there are too few calls to say.
func (b *Breaker) FailurePercent() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, enough := b.rules.counts(b.now)
	if !enough || c.Calls == 0 {
		return -1
	}
	return 100 * float64(c.Failed) / float64(c.Calls)
}
