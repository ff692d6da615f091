package demo

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/exchange"
)

// A clock is the venue's, for the order machine and for what signs: asked for at the start, every few seconds, and whenever the
// venue refuses a request because of it.
type clock struct {
	exchange.Clock
	ask   func(context.Context) (time.Time, error)
	tell  func(format string, args ...any)
	steps atomic.Int64 // times that the venue's clock was not where it was believed to be
}

const (
	resync   = 2 * time.Second
	sameTime = 500 * time.Millisecond // a difference that is no step
)

// Venue is of order.Clock.
func (c *clock) Venue() (now time.Time, bound time.Duration, ok bool) { return c.Now() }

// offset is what to add to the local clock.
func (c *clock) offset() time.Duration {
	local := time.Now()
	at, _, _ := c.At(local)
	return at.Sub(local)
}

// Sync is of order.Syncer.
func (c *clock) Sync(ctx context.Context) error {
	before, _, known := c.Now()
	sent := time.Now()
	at, err := c.ask(ctx)
	if err != nil {
		return err
	}
	c.Observe(sent, time.Now(), at, time.Millisecond)
	if step := at.Sub(before); known && step.Abs() > sameTime+time.Since(sent) {
		c.steps.Add(1)
		c.tell("the venue's clock has moved by %v: signed by the new time from now on", step.Round(100*time.Millisecond))
	}
	return nil
}

// keep asks until ctx ends.
func (c *clock) keep(ctx context.Context) {
	for ctx.Err() == nil {
		once, cancel := context.WithTimeout(ctx, 2*time.Second)
		_ = c.Sync(once) // told by the operation that reads; asked again in a moment
		cancel()
		sleep(ctx, resync)
	}
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
