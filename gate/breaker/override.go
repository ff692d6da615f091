package breaker

import (
	"errors"
	"time"
)

// An Order is what a person wants of a breaker.
type Order struct {
	Who string        `json:"who"` // gave it
	Why string        `json:"why"`
	At  time.Time     `json:"at"`     // given; the zero time, and any time ahead, means now by the clock of this process
	For time.Duration `json:"for_ns"` // until it expires, from At on; more than 0. A release has no use for it
}

// Isolate refuses everything until the order expires. Before the first attempt, an order without a time holds from that attempt
// on, as with ForceClose. The error names what is missing in the order.
func (b *Breaker) Isolate(o Order) error { return b.override(Isolated, o) }

// ForceClose lets everything pass until the order expires, whatever the evidence. The error names what is missing in the
// order.
func (b *Breaker) ForceClose(o Order) error { return b.override(ForcedClosed, o) }

// Release ends Isolate or ForceClose before its time. As when one expires, b goes to HalfOpen, since nobody knows how the other
// side is. In any other state it does nothing.
func (b *Breaker) Release(o Order) error {
	o.For = max(1, o.For)
	if err := o.check(); err != nil {
		return err
	}
	b.health.mu.Lock()
	defer b.unlock()
	if s := b.own(); s == Isolated || s == ForcedClosed {
		b.order = o
		b.change(HalfOpen, ByRelease, b.health.see(b.health.passed(o.At)))
		b.order = Order{}
	}
	return nil
}

func (b *Breaker) override(to State, o Order) error {
	if err := o.check(); err != nil {
		return err
	}
	h := &b.health
	h.mu.Lock()
	defer b.unlock()
	at := notAhead(o.At)
	b.prepare(at, to) // not as Closed, so that the first attempt may still say when time began
	ns := h.see(h.passed(at))
	b.order = o
	b.until = ns + int64(min(o.For, 1<<61))
	b.change(to, ByPerson, ns)
	return nil
}

// passed is since for the time of an order, in which zero means now: by the process's own clock, if that is the one of the
// attempts. A simulation's times have no monotonic reading; there, as before the first attempt, it is the latest time seen.
func (h *Health) passed(t time.Time) int64 {
	if h.epoch == h.epoch.Round(0) {
		return h.since(notAhead(t))
	}
	now := time.Now()
	if t.IsZero() {
		t = now
	}
	return h.since(now.Add(-max(0, now.Sub(t)))) // as long ago, whatever became of the wall clock
}

// notAhead returns a time that a person or another process named, and now for one that is ahead: it must not take a gate to
// where attempts come only later.
func notAhead(t time.Time) time.Time {
	if now := time.Now(); t.After(now) {
		return now
	}
	return t
}

func (o Order) check() error {
	var errs []error
	if o.Who == "" {
		errs = append(errs, errors.New("Who: missing"))
	}
	if o.Why == "" {
		errs = append(errs, errors.New("Why: missing"))
	}
	if o.For <= 0 {
		errs = append(errs, errors.New("For: an override needs an end"))
	}
	return errors.Join(errs...)
}
