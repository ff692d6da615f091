package job

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/relent-go/relent/backoff"
)

// A crew is a runner while it runs.
type crew struct {
	*Runner
	kinds   []string
	worker  string
	lease   time.Duration
	poll    time.Duration
	workers int
	free    chan struct{} // holds one for each job that there is room for
	group   sync.WaitGroup

	mu    sync.Mutex
	panic *Panic // the first
	quit  context.CancelFunc
}

func (c *crew) run(ctx context.Context) error {
	steps, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	ctx, c.quit = context.WithCancel(ctx)
	defer c.quit()
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(c.grace(), func() { end(ErrStopping) })
	})()
	c.look(ctx, steps)
	c.group.Wait()
	if c.panic != nil {
		panic(c.panic)
	}
	return nil
}

func (c *crew) grace() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.panic != nil {
		return 0
	}
	return max(0, c.Grace)
}

// look takes jobs until ctx ends.
func (c *crew) look(ctx, steps context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var failures int
	var wait time.Duration
	for ctx.Err() == nil {
		next := c.poll
		if room := c.room(); room > 0 {
			sent := time.Now()
			taken, err := c.take(ctx, room)
			for _, record := range taken.Jobs {
				c.group.Go(func() { c.work(steps, record, sent) })
			}
			for range room - len(taken.Jobs) {
				c.free <- struct{}{}
			}
			if err != nil {
				failures++
				wait = backoff.Exponential{Max: c.poll}.Delay(failures, wait, rand.Float64())
				next = wait
				c.observe(ctx, Event{Kind: StoreFailed, Err: err, Wait: wait})
			} else {
				failures = 0
				if taken.Next > 0 {
					next = min(next, taken.Next)
				}
			}
		}
		timer.Reset(next)
		select {
		case <-ctx.Done():
		case <-c.waker():
		case <-timer.C:
		}
	}
}

// room empties c.free, and returns how many were in it.
func (c *crew) room() (n int) {
	for {
		select {
		case <-c.free:
			n++
		default:
			return n
		}
	}
}

// take asks the store for jobs. Once asked, the store is heard to the end, lest jobs are leased to nobody.
func (c *crew) take(ctx context.Context, n int) (Taken, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.lease)
	defer cancel()
	return c.Store.Take(ctx, Want{Worker: c.worker, Kinds: c.kinds, Max: n, Lease: c.lease})
}

// work does one job, taken by asking at sent.
func (c *crew) work(ctx context.Context, r Record, sent time.Time) {
	defer func() {
		c.free <- struct{}{}
		c.Wake() // there is room, and the job may be due again soon
	}()
	a := newAttempt(ctx, c, r, sent)
	defer a.hold.release()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(a.hold.lost, func() { cancel(context.Cause(a.hold.lost)) })()
	returned := false
	defer func() {
		if !returned {
			c.fell(ctx, a, recover())
		}
	}()
	v := a.run(ctx)
	returned = true
	a.report(ctx, v)
}

// fell deals with a step, or another part of the user's, that panicked with value or ended its goroutine: the attempt is
// reported, and Run panics.
func (c *crew) fell(ctx context.Context, a *attempt, value any) {
	p := &Panic{Job: a.record.ID, Value: value, Stack: debug.Stack()}
	c.mu.Lock()
	if c.panic == nil {
		c.panic = p
	}
	c.mu.Unlock()
	c.quit()
	a.report(ctx, a.panicked(p))
}

// A Panic is what [Runner.Run] panics with when a step did.
type Panic struct {
	Job   string
	Value any    // nil if the step ended its goroutine
	Stack []byte // of the step
}

// Error describes it with the stack, for it is printed when the program dies of it.
func (p *Panic) Error() string { return fmt.Sprintf("%s\n\n%s", p.short(), p.Stack) }

func (p *Panic) short() string {
	if p.Value == nil {
		return fmt.Sprintf("job %q ended its goroutine", p.Job)
	}
	return fmt.Sprintf("job %q panicked: %v", p.Job, p.Value)
}
