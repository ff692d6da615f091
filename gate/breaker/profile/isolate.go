package profile

import (
	"errors"
	"fmt"

	"github.com/relent-go/relent/gate/breaker"
)

// Isolate refuses everything until the order expires; then probes find out how the other side is. The error names
// what is missing in the order.
func (b *Breaker) Isolate(o breaker.Order) error {
	if o.For <= 0 {
		return errors.Join(check(o), fmt.Errorf("For: %v is not positive", o.For))
	}
	if err := check(o); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.unlock()
	b.see(o.At)
	b.order = o // told with the change
	b.change(breaker.Isolated, breaker.ByPerson, b.now)
	b.until, b.order = b.now+int64(min(o.For, far)), o
	return nil
}

// Release ends Isolate before its time, likewise with probes. In any other state it does nothing.
func (b *Breaker) Release(o breaker.Order) error {
	if err := check(o); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.unlock()
	b.see(o.At)
	if b.state == breaker.Isolated {
		b.order = o
		b.change(breaker.HalfOpen, breaker.ByRelease, b.now)
	}
	return nil
}

func check(o breaker.Order) error {
	var errs []error
	if o.Who == "" {
		errs = append(errs, errors.New("Who: missing"))
	}
	if o.Why == "" {
		errs = append(errs, errors.New("Why: missing"))
	}
	return errors.Join(errs...)
}
