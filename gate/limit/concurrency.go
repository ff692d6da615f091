package limit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/retry"
)

// DefaultConcurrency is what a zero Concurrency.Max means.
const DefaultConcurrency = 64

// A Concurrency is a [retry.Gate] that lets at most Max attempts run at one time. An attempt takes a slot when it
// begins and gives it back when it has ended, so nobody holds one during a backoff.
//
// Without a free slot an attempt is refused with [ErrBusy], or waits up to MaxWait. The zero value lets 64
// attempts run, and refuses the next. It is safe for concurrent use, and must not be copied once used.
type Concurrency struct {
	Name       string        // in errors
	Max        int           // attempts that run at one time; 0 means 64, negative means 1
	MaxWait    time.Duration // for a slot; 0 and less refuse at once, Forever waits as long as the context allows
	MaxWaiters int           // at one time, beyond which ErrCrowded; 0 means 1024, negative means none

	// Health says whether the other side is in doubt; a breaker and its statistics do. While it is, half of Max
	// may run, and at least one: what runs already ends in its own time. It is asked at every attempt, must be quick
	// and safe for concurrent use; nil means that all is well.
	Health interface{ Suspect() bool }

	state   atomic.Uint64 // slots taken, and in the upper half waiters; the upper half changes only under mu
	waited  atomic.Uint64
	refused atomic.Uint64
	shed    atomic.Uint64

	mu    sync.Mutex
	queue queue // while anybody is in it, all slots are taken
}

var _ retry.Starter = (*Concurrency)(nil)

// oneWaiter is one in the upper half of the state.
const oneWaiter = 1 << 32

// Admit lets every attempt pass, for the slot is taken in Start. Only an attempt without a Note, which
// could not say later whether it had begun, takes its slot now, without a wait.
func (c *Concurrency) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Note != nil || c.take() {
		return nil
	}
	return c.refuse(ErrBusy, 0)
}

// Start takes a slot, and waits for one if it may.
func (c *Concurrency) Start(ctx context.Context, a *retry.Attempt) error {
	if a.Note == nil {
		return nil
	}
	if !c.take() {
		if err := c.wait(ctx, a); err != nil {
			return err
		}
	}
	*a.Note = 1
	return nil
}

// Settle gives the slot back, if the attempt has one.
func (c *Concurrency) Settle(a *retry.Attempt, _ *retry.Outcome) {
	if a.Note == nil || *a.Note != 0 {
		c.release()
	}
}

// take takes a slot if there is one and nobody waits.
func (c *Concurrency) take() bool {
	for most := c.max(); ; {
		s := c.state.Load()
		if s >= most { // a waiter counts for more than all slots
			return false
		}
		if c.state.CompareAndSwap(s, s+1) {
			return true
		}
	}
}

// release frees a slot, or hands it to whose turn it is.
func (c *Concurrency) release() {
	for {
		s := c.state.Load()
		if s < oneWaiter {
			if c.state.CompareAndSwap(s, s-1) {
				return
			}
		} else if c.hand() {
			return
		}
	}
}

// hand gives a taken slot to whose turn it is, and slots that a recovery freed to the next. If more run than may, the
// slot is gone instead. It returns false if nobody waits any more.
func (c *Concurrency) hand() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.queue.first()
	if w == nil {
		return false
	}
	most, running := c.max(), c.state.Load()%oneWaiter // nobody else changes the lower half while somebody waits
	if running > most {
		c.state.Add(^uint64(0))
		return true
	}
	for c.grant(w); running < most; running++ {
		if w = c.queue.first(); w == nil {
			break
		}
		c.state.Add(1)
		c.grant(w)
	}
	return true
}

// grant gives a taken slot to a waiter. c.mu is held.
func (c *Concurrency) grant(w *waiter) {
	c.leave(w)
	w.granted = true
	w.wake()
}

// leave takes a waiter out of the queue. c.mu is held.
func (c *Concurrency) leave(w *waiter) {
	c.queue.remove(w)
	c.state.Add(^uint64(oneWaiter - 1))
}

// wait waits for a slot. A slot that is granted in the moment when the wait ends goes to the next one.
func (c *Concurrency) wait(ctx context.Context, a *retry.Attempt) error {
	if c.MaxWait <= 0 {
		return c.refuse(ErrBusy, 0)
	}
	halted := a.Halted()
	w, err := c.join(class(a))
	if w == nil {
		return err
	}
	var late <-chan time.Time
	if c.MaxWait < Forever {
		timer := time.NewTimer(c.MaxWait)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-w.turn:
	case <-late:
	case <-ctx.Done():
	case <-halted.Done():
	}
	c.mu.Lock()
	granted, shed := w.granted, w.shed
	if !granted && !shed {
		c.leave(w)
	}
	c.mu.Unlock()
	if err := cause(ctx, halted); err != nil {
		if granted {
			c.release()
		}
		return err
	}
	switch {
	case granted:
		c.waited.Add(1)
		return nil
	case shed:
		c.shed.Add(1)
		return c.refuse(ErrCrowded, 0)
	}
	return c.refuse(ErrBusy, c.MaxWait)
}

// join enters the queue. Without a waiter, a nil error means that a slot was free after all.
func (c *Concurrency) join(class int) (*waiter, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for most := c.max(); ; {
		s := c.state.Load()
		if s < most {
			if c.state.CompareAndSwap(s, s+1) {
				return nil, nil
			}
		} else if c.state.CompareAndSwap(s, s+oneWaiter) {
			break // and whoever frees a slot from now on looks into the queue
		}
	}
	w, shed := c.queue.join(class, waiters(c.MaxWaiters))
	if w == nil || shed != nil {
		c.state.Add(^uint64(oneWaiter - 1))
	}
	if w == nil {
		return nil, c.refuse(ErrCrowded, 0)
	}
	if shed != nil {
		shed.wake()
	}
	return w, nil
}

func (c *Concurrency) refuse(reason error, waited time.Duration) error {
	c.refused.Add(1)
	return &Error{Name: c.Name, Reason: reason, Waited: waited}
}

// max is how many may run now.
func (c *Concurrency) max() uint64 {
	most := uint64(DefaultConcurrency)
	if c.Max != 0 {
		most = uint64(max(1, min(c.Max, oneWaiter-1)))
	}
	if c.Health != nil && c.Health.Suspect() {
		most = max(1, most/2)
	}
	return most
}

// Stats returns how things stand. The numbers are each right, but not of one moment.
func (c *Concurrency) Stats() Stats {
	s := c.state.Load()
	return Stats{
		Running: int(s % oneWaiter), Waiting: int(s / oneWaiter),
		Waited: c.waited.Load(), Refused: c.refused.Load(), Shed: c.shed.Load(),
	}
}

// Check returns the mistakes in c's fields, joined, each beginning with the field's name, or nil.
func (c *Concurrency) Check() error {
	errs := checkWait(c.MaxWait, c.MaxWaiters)
	if c.Max < 0 {
		errs = append(errs, fmt.Errorf("Max: %d is negative and counts as 1", c.Max))
	}
	return errors.Join(errs...)
}
