package breaker

import (
	"errors"
	"time"
)

// An Order is what a person wants of a breaker.
type Order struct {
	Who string        `json:"who"` // gave it
	Why string        `json:"why"`
	At  time.Time     `json:"at"`     // now; the zero time means the time of the last attempt seen
	For time.Duration `json:"for_ns"` // until it expires; more than 0. A release has no use for it
}

// Isolate refuses everything until the order expires. The error names what is missing in the order.
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
		b.change(HalfOpen, ByRelease, b.health.see(b.health.since(o.At)))
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
	b.prepare(o.At, to) // not as Closed, so that the first attempt may still say when time began
	ns := h.see(h.since(o.At))
	b.order = o
	b.until = ns + int64(min(o.For, 1<<61))
	b.change(to, ByPerson, ns)
	return nil
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
