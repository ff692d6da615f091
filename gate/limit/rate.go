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

// DefaultTokens is what a zero Rate.Tokens means.
const DefaultTokens = 10

// A Rate is a [retry.Gate] that lets Tokens attempts begin per time Per, evenly spaced, and after a quiet time
// up to Burst of them at once. In any span of time d at most Burst + d·Tokens/Per begin, as long as no gate waits after
// this one: see the package comment for the order.
//
// An attempt beyond the rate is refused with [ErrRate], which says when there is room, or waits up to MaxWait. A wait that
// would not end before MaxWait, or before the deadline of the context, is refused at once. The zero value
// allows 10 attempts per second, one at a time, and refuses others. It is safe for concurrent use, and must not be
// copied once used.
//
// The moment of an attempt is [retry.Attempt.Begins], or in one made by hand when it was asked for and the wait before
// it; only the length of real waits is measured. The space between two attempts is a whole number of nanoseconds, rounded up.
type Rate struct {
	Name       string        // in errors
	Tokens     int           // attempts per Per; 0 means 10, negative means 1
	Per        time.Duration // 0 means a second; negative means as much without the sign, but at least a second
	Burst      int           // attempts at once after a quiet time; 0 and less mean 1
	MaxWait    time.Duration // for a token; 0 and less refuse at once, Forever waits as long as the context allows
	MaxWaiters int           // at one time, beyond which ErrCrowded; 0 means 1024, negative means none

	pace    atomic.Pointer[pace]
	full    atomic.Int64 // when the bucket is full again, on the pace's clock
	waiting atomic.Int64 // the length of queue
	waited  atomic.Uint64
	refused atomic.Uint64
	shed    atomic.Uint64

	mu    sync.Mutex
	queue queue
}

var _ retry.Starter = (*Rate)(nil)

// A pace is a Rate's fields in nanoseconds, and where its clock begins.
type pace struct {
	epoch time.Time     // of the first attempt
	space time.Duration // between two attempts
	ahead time.Duration // how far full may lie ahead of an attempt that is let pass
}

// far is further than any sensible time, and leaves room to add a few.
const far = 1 << 60

// Admit lets every attempt pass: the token is taken in Start.
func (r *Rate) Admit(context.Context, *retry.Attempt) error { return nil }

// Start takes a token, and waits for one if it may.
func (r *Rate) Start(ctx context.Context, a *retry.Attempt) error {
	p := r.pace.Load()
	if p == nil {
		p = r.begin(a.At)
	}
	at := p.moment(a)
	if r.waiting.Load() == 0 && r.take(p, a, at) {
		return nil
	}
	return r.wait(ctx, p, a, at)
}

// Settle gives the token of an attempt that never began back, unless another one was taken since: what was
// full again by then cannot be filled.
func (r *Rate) Settle(a *retry.Attempt, o *retry.Outcome) {
	mine := int64(a.Kept())
	if o.State != retry.NotStarted || mine == 0 {
		return
	}
	if r.full.CompareAndSwap(mine, mine-int64(r.pace.Load().space)) && r.waiting.Load() > 0 {
		r.mu.Lock()
		r.next()
		r.mu.Unlock()
	}
}

// begin fixes the pace when the first attempt comes.
func (r *Rate) begin(epoch time.Time) *pace {
	tokens, per, burst := int64(r.Tokens), int64(positive(r.Per)), int64(max(1, r.Burst))
	if tokens == 0 {
		tokens = DefaultTokens
	}
	tokens, per = max(1, tokens), min(per, far)
	p := &pace{epoch: epoch, space: time.Duration((per-1)/tokens + 1)}
	p.ahead = times(p.space, burst-1)
	r.pace.CompareAndSwap(nil, p)
	return r.pace.Load()
}

// positive is Per with its default. Of the readings that a negative one could have it is the slowest.
func positive(per time.Duration) time.Duration {
	switch {
	case per == 0:
		return time.Second
	case per < 0:
		return max(time.Second, -max(per, -far))
	}
	return per
}

// moment is when an attempt is about to begin, on the pace's clock.
func (p *pace) moment(a *retry.Attempt) time.Duration {
	at := a.Begins.Sub(p.epoch)
	if a.Begins.IsZero() { // made by hand
		at = min(a.At.Sub(p.epoch), far) + min(max(0, a.Wait), far)
	}
	return max(0, min(at, far))
}

// times is d·n, or far.
func times(d time.Duration, n int64) time.Duration {
	if n > 0 && d > far/time.Duration(n) {
		return far
	}
	return d * time.Duration(n)
}

// take takes a token if there is one at the moment at.
func (r *Rate) take(p *pace, a *retry.Attempt, at time.Duration) bool {
	for {
		full := r.full.Load()
		from := max(full, int64(at))
		if from-int64(at) > int64(p.ahead) {
			return false
		}
		if then := from + int64(p.space); r.full.CompareAndSwap(full, then) {
			a.Keep(uint64(then))
			return true
		}
	}
}

// due is when the next token is there.
func (r *Rate) due(p *pace) time.Duration { return time.Duration(r.full.Load()) - p.ahead }

// wait waits for a token. Only who is first in the queue has its eye on the bucket.
func (r *Rate) wait(ctx context.Context, p *pace, a *retry.Attempt, at time.Duration) error {
	r.mu.Lock()
	class := class(a)
	need := r.due(p) + times(p.space, int64(r.queue.ahead(class))) - at
	if late := r.late(ctx, p.epoch.Add(at), need); late {
		r.mu.Unlock()
		return r.refuse(ErrRate, 0, need)
	}
	w, shed := r.queue.join(class, waiters(r.MaxWaiters))
	if w == nil {
		r.mu.Unlock()
		return r.refuse(ErrCrowded, 0, need)
	}
	if shed != nil {
		shed.wake()
	}
	r.waiting.Store(int64(r.queue.n))
	defer r.mu.Unlock()

	halted := a.Halted()
	began := time.Now()
	timer := time.NewTimer(Forever)
	defer timer.Stop()
	for {
		passed := time.Since(began)
		first := r.queue.first() == w
		err := cause(ctx, halted)
		switch {
		case w.shed:
			r.shed.Add(1)
			return r.refuse(ErrCrowded, passed, 0)
		case err != nil:
			r.leave(w)
			return err
		case first && r.take(p, a, at+passed):
			r.leave(w)
			r.waited.Add(1)
			return nil
		case passed >= r.MaxWait:
			r.leave(w)
			return r.refuse(ErrRate, passed, 0)
		}
		pause := r.MaxWait - passed
		if first {
			pause = min(pause, r.due(p)-at-passed)
		}
		r.mu.Unlock()
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-w.turn:
		case <-ctx.Done():
		case <-halted.Done():
		}
		r.mu.Lock()
	}
}

// late says that a wait from at on is too long to begin with. An attempt's time stands for the clock.
func (r *Rate) late(ctx context.Context, at time.Time, need time.Duration) bool {
	if need > r.MaxWait || r.MaxWait <= 0 {
		return true
	}
	deadline, ok := ctx.Deadline()
	return ok && deadline.Sub(at) < need
}

// leave takes a waiter out of the queue, and makes the next one look. r.mu is held.
func (r *Rate) leave(w *waiter) {
	r.queue.remove(w)
	r.waiting.Store(int64(r.queue.n))
	r.next()
}

// next makes look whose turn it is. r.mu is held.
func (r *Rate) next() {
	if w := r.queue.first(); w != nil {
		w.wake()
	}
}

func (r *Rate) refuse(reason error, waited, after time.Duration) error {
	r.refused.Add(1)
	return &Error{Name: r.Name, Reason: reason, Waited: waited, After: max(0, after)}
}

// Stats returns how things stand. The numbers are each right, but not of one moment.
func (r *Rate) Stats() Stats {
	return Stats{
		Waiting: int(r.waiting.Load()),
		Waited:  r.waited.Load(), Refused: r.refused.Load(), Shed: r.shed.Load(),
	}
}

// Check returns the mistakes in r's fields, joined, each beginning with the field's name, or nil.
func (r *Rate) Check() error {
	errs := checkWait(r.MaxWait, r.MaxWaiters)
	if r.Tokens < 0 {
		errs = append(errs, fmt.Errorf("Tokens: %d is negative and counts as 1", r.Tokens))
	}
	if r.Per < 0 {
		errs = append(errs, fmt.Errorf("Per: %v is negative and counts as %v", r.Per, positive(r.Per)))
	}
	if r.Burst < 0 {
		errs = append(errs, fmt.Errorf("Burst: %d is negative and counts as 1", r.Burst))
	}
	return errors.Join(errs...)
}
