package batch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relent-go/relent/retry"
)

// ErrNoAnswer is the error of an item that the function gave no answer for. Its outcome is not known.
var ErrNoAnswer = errors.New("no answer for this item")

// An Answer is what the other side said of one item.
type Answer[V any] struct {
	Value V
	Err   error // nil means success; its class decides, as that of an attempt's error does
}

// Bulk does the items with a function that takes many at once: at most Options.Size, Options.Concurrency calls at a time. fn answers
// for each item, in the order in which it got them. Those that failed, and may be sent again, go into a later call, together as far as
// their waits allow; the others do not. Of an order, one item at a time is sent.
//
// If fn returns an error, it is that of every item that there is no answer for; without one it is [ErrNoAnswer], which leaves the outcome open.
// The policy's AttemptTimeout is that of the call. The gates are asked for each item: each has an attempt, a budget
// and a stop of its own. Directly before fn is called a stop is looked for once more.
//
// All else is as with [Do].
func Bulk[T, V any](ctx context.Context, s retry.Source, items []T, fn func(context.Context, []Item[T]) ([]Answer[V], error), o *Options[T, V]) (*Report[V], error) {
	b := newRun(ctx, s, items, o)
	h := newHall(b, fn)
	b.workers(func() caller[T, V] {
		m := &member[T, V]{hall: h}
		p := b.with(m)
		if m.strategy = p.Backoff; m.strategy == nil {
			m.strategy = retryDefault
		}
		p.Backoff = m
		if p.AttemptTimeout > 0 && p.Expected == 0 {
			p.Expected = min(p.AttemptTimeout, retry.DefaultExpected)
		}
		p.AttemptTimeout = 0 // the flight has it
		return func(ctx context.Context, item Item[T], attempts *int) (V, error) {
			if fn == nil {
				return retry.Do[V](ctx, p, nil)
			}
			m.item, m.attempts = item, attempts
			return retry.Do(ctx, p, m.fly)
		}
	}, h.leave)
	h.close()
	return b.end()
}

// A flight is one call of the function.
type flight[T, V any] struct {
	hall    *hall[T, V]
	members []*member[T, V]
	u       float64              // the chance in the wait after it, shared, so that those who failed come back together
	boarded chan context.Context // of each member; nil for one that was refused
}

// fly makes the call.
func (f *flight[T, V]) fly() {
	h := f.hall
	done := false
	defer func() {
		if !done {
			h.run.fell(f.members[0].item.Index, recover())
			f.land(nil, errFell)
		}
	}()
	ctx, cancel := f.board()
	defer cancel()
	var items []Item[T]
	for _, m := range f.members {
		if !m.boarded {
			continue
		}
		if err := f.stopped(m); err != nil {
			m.boarded = false
			m.answer <- Answer[V]{Err: err}
			continue
		}
		*m.attempts++
		items = append(items, m.item)
	}
	if len(items) == 0 {
		done = true
		f.land(nil, nil)
		return
	}
	answers, err := h.fn(ctx, items)
	done = true
	f.land(answers, err)
}

// errFell is for those whose call never came to its end.
var errFell = errors.New("the function panicked or ended its goroutine")

// board waits for the members whose other gates let them start, and returns the context of the call.
func (f *flight[T, V]) board() (context.Context, context.CancelFunc) {
	run := f.hall.run
	var latest time.Time
	bounded := true
	previous := 0
	for range f.members {
		ctx := <-f.boarded
		if ctx == nil {
			continue
		}
		deadline, ok := ctx.Deadline()
		bounded = bounded && ok
		if deadline.After(latest) {
			latest = deadline
		}
		previous = max(previous, retry.PreviousAttempts(ctx)-retry.PreviousAttempts(run.ctx))
	}
	ctx := retry.WithPreviousAttempts(run.ctx, previous)
	cancels := []context.CancelFunc{}
	if bounded && !latest.IsZero() {
		c, cancel := context.WithDeadlineCause(ctx, latest, retry.ErrElapsed)
		ctx, cancels = c, append(cancels, cancel)
	}
	if d := run.policy.AttemptTimeout; d > 0 {
		c, cancel := context.WithTimeoutCause(ctx, d, retry.ErrAttemptTimeout)
		ctx, cancels = c, append(cancels, cancel)
	}
	return ctx, func() {
		for _, cancel := range cancels {
			cancel()
		}
	}
}

// stopped says that a stop of m came while the others boarded.
func (f *flight[T, V]) stopped(m *member[T, V]) error {
	for _, g := range f.hall.run.policy.Gates {
		if h, ok := g.(retry.Halter); ok {
			if halted := h.Halted(&m.now); halted.Err() != nil {
				return retry.Mark(fmt.Errorf("stopped before it was sent: %w", context.Cause(halted)), retry.Transient)
			}
		}
	}
	return nil
}

// land gives each member its answer.
func (f *flight[T, V]) land(answers []Answer[V], err error) {
	f.hall.landed(len(f.members))
	if err == nil {
		err = ErrNoAnswer
	}
	i := 0
	for _, m := range f.members {
		if !m.boarded {
			continue
		}
		a := Answer[V]{Err: err}
		if i < len(answers) {
			a = answers[i]
		}
		i++
		m.answer <- a
	}
}
