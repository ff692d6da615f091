package order

import (
	"context"
	"errors"
	"time"
)

// CancelAll asks to cancel every order that is not closed, those in doubt too, and returns when the venue has been asked
// once for each. It is for the second level of a stop; the gates of Reduce are asked for each. The errors are joined.
func (m *Machine) CancelAll(ctx context.Context) error {
	var errs []error
	for _, o := range m.Orders(false) {
		if o.State == Parked || o.State == Breach || o.State.Terminal() {
			continue
		}
		if _, err := m.Cancel(ctx, o.Intent.ID); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// deadMan keeps the venue's dead man's switch armed.
func (m *Machine) deadMan(ctx context.Context) {
	s, ok := m.Adapter.(Switch)
	if !ok || m.DeadMan <= 0 {
		return
	}
	tick := time.NewTicker(max(m.DeadMan/3, time.Millisecond))
	defer tick.Stop()
	failed := false
	for {
		arm, cancel := context.WithTimeout(ctx, m.readTimeout())
		err := s.Arm(arm, m.DeadMan)
		cancel()
		if err != nil && !failed && ctx.Err() == nil {
			m.alarm(ctx, AlarmSwitch, nil, "the venue's dead man's switch cannot be armed: %v. It may cancel all orders in %v", err, m.DeadMan)
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
