package profile

import (
	"errors"
	"fmt"
	"time"

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
	b.see(b.moment(o.At))
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
	b.see(b.moment(o.At))
	if b.state == breaker.Isolated {
		b.order = o
		b.change(breaker.HalfOpen, breaker.ByRelease, b.now)
	}
	return nil
}

// moment is the time of an order by the process's own clock, and now for the zero time or one ahead. Attempts of a simulation
// have no monotonic reading; for them, as before the first attempt, the zero time is the latest one seen.
func (b *Breaker) moment(t time.Time) time.Time {
	now := time.Now()
	switch own := b.epoch != b.epoch.Round(0); {
	case own && !t.IsZero():
		return now.Add(-max(0, now.Sub(t))) // as long ago, whatever became of the wall clock
	case own || t.After(now):
		return now
	}
	return t
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
