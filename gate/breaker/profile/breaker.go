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
	name   string
	limits limits

	mu         sync.Mutex
	rules      rules
	epoch      time.Time // of the first attempt
	now        int64     // the latest time seen, in ns since epoch
	state      breaker.State
	generation uint64
	until      int64 // the end of Open and Isolated
	why        string
	probes     Counts // of HalfOpen, that count
	leases     []lease
	given      uint64 // leases, ever
}

// A lease is the right of a probe to decide, and its duty to do so in time.
type lease struct {
	id    uint64
	until int64
}

var _ retry.Gate = (*Breaker)(nil)

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
	defer b.mu.Unlock()
	b.see(a.At)
	b.advance()
	switch b.state {
	case breaker.Closed:
		trip, fresh := b.rules.look(b.now)
		if fresh {
			b.generation++
		}
		if trip {
			b.change(breaker.Open, b.now)
			break
		}
		a.Keep(b.generation<<1 | 1)
		return nil
	case breaker.HalfOpen:
		if b.permit() && a.Number <= 1 && a.Note != nil && a.Policy != nil && a.Policy.Idempotent {
			b.given++
			b.leases = append(b.leases, lease{b.given, b.now + int64(b.term(a.Policy))})
			a.Keep(b.given << 1)
			return nil
		}
	}
	return b.refusal(a)
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
	e := &breaker.Error{Key: b.name, State: b.state, Retry: a.Number > 1, Why: b.why}
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
	defer b.mu.Unlock()
	b.see(latest(o))
	b.advance()
	note := a.Kept()
	if id := note >> 1; id > 0 && note&1 == 0 {
		b.settle(id, e, counts)
		return
	}
	// Without a note nobody knows when it was admitted, so it counts.
	if counts && b.state == breaker.Closed && (note == 0 || note == b.generation<<1|1) && b.rules.record(b.now, e) {
		b.change(breaker.Open, b.now)
	}
}

// settle ends a probe, unless its lease has ended.
func (b *Breaker) settle(id uint64, e evidence, counts bool) {
	for i, l := range b.leases {
		if l.id == id {
			b.leases = append(b.leases[:i], b.leases[i+1:]...)
			if counts {
				b.probed(e, b.now)
			}
			return
		}
	}
}

// probed counts a probe.
func (b *Breaker) probed(e evidence, at int64) {
	b.probes.add(e, 1)
	switch b.rules.judge(b.probes) {
	case toClosed:
		b.change(breaker.Closed, at)
	case toOpen:
		b.change(breaker.Open, at)
	}
}

// advance does what the time alone brings about.
func (b *Breaker) advance() {
	if b.state == breaker.HalfOpen {
		b.expire()
	}
	if b.state != breaker.Open && b.state != breaker.Isolated {
		return
	}
	if b.now > b.until || b.now == b.until && !(b.limits.strict && b.state == breaker.Open) {
		b.change(breaker.HalfOpen, b.now)
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
		b.probed(evidence{failed: true}, until)
	}
}

// change goes to another state, at a time.
func (b *Breaker) change(to breaker.State, at int64) {
	b.state, b.why = to, ""
	b.generation++
	b.leases, b.probes = b.leases[:0], Counts{}
	switch to {
	case breaker.Open:
		b.until = at + int64(b.limits.open)
	case breaker.Closed:
		b.rules.clear(b.now)
	}
}

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
