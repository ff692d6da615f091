package inference

import (
	"context"
	"fmt"
	"time"

	"github.com/relent-go/relent/retry"
)

// probe begins a probe with a query's input if one is due: one attempt in a goroutine of its own, whose answer only says how the model is. The
// lock is held.
func (l *Ladder[In, Out]) probe(q *query[In, Out], i int) {
	c := l.models[i]
	if c.probing || q.now.Before(c.next) {
		return
	}
	own, era := *q, c.era
	own.key = "" // what a probe says is not kept
	c.probing = l.owner.start(context.Background(), func(ctx context.Context) {
		f, err, returned := bad, error(nil), false
		defer func() {
			if !returned {
				err = fell(recover())
			}
			l.probed(i, era, f, err)
		}()
		ctx, cancel := context.WithTimeoutCause(retry.WithLimit(ctx, retry.Limit{MaxAttempts: 1}), l.rules.ProbeTimeout, ErrShare)
		defer cancel()
		_, attempts, fate, e := l.attempt(ctx, context.Background(), &own, i)
		if fate == broken && attempts == 0 || e != nil && l.owner.over() {
			fate = neutral // the breaker does not want to be asked yet
		}
		f, err, returned = fate, e, true
	}) != nil
}

// probed learns how a probe went.
func (l *Ladder[In, Out]) probed(i int, era uint64, f fate, err error) {
	defer l.tell()
	l.mu.Lock()
	defer l.mu.Unlock()
	c, now := l.models[i], time.Now()
	c.probing = false
	if f == bad || f == broken {
		c.err = err
	}
	if c.era != era {
		return
	}
	switch f {
	case good:
		c.interval = l.rules.ProbeAfter
		l.approve(i, now)
	case bad, broken:
		if c.state == Ramp {
			l.degrade(i, now, "a failed probe in the ramp")
			return
		}
		c.good = 0
		c.interval = min(2*c.interval, l.rules.ProbeMax)
	}
	c.next = now.Add(l.jitter(c.interval))
}

// approve counts a good probe, and begins the return of a model that has enough of them.
func (l *Ladder[In, Out]) approve(i int, now time.Time) {
	c := l.models[i]
	if c.state == Ramp {
		c.proof = true
		l.climb(i, now)
		return
	}
	if c.good++; c.good == 1 {
		c.first = now
	}
	if spread := now.Sub(c.first); c.good >= l.rules.Probes && spread >= c.span {
		c.step, c.stepAt, c.proof = 0, now, false
		l.turn(i, now, Ramp, fmt.Sprintf("%d good probes over %v", c.good, spread.Round(time.Millisecond)))
	}
}

// Hold keeps a model out until [Ladder.Release], the last one too, with what it said earlier, and says why in its status. It returns [ErrNoName] for a
// model that the ladder does not have.
func (l *Ladder[In, Out]) Hold(model, why string) error {
	return l.order(model, func(i int, now time.Time) { l.turn(i, now, Held, why) })
}

// Release lets a model that is held come back, through probes and the ramp as after failures; the last one at once. A model
// that is not held stays as it is. It returns [ErrNoName] for a model that the ladder does not have.
func (l *Ladder[In, Out]) Release(model, why string) error {
	return l.order(model, func(i int, now time.Time) {
		c := l.models[i]
		switch {
		case c.state != Held:
		case c.last:
			c.failures = 0
			l.turn(i, now, Normal, why)
		default:
			c.good, c.failures, c.next, c.interval = 0, 0, now, l.rules.ProbeAfter
			l.turn(i, now, Degraded, why)
		}
	})
}

// order does what an operator wants of a model.
func (l *Ladder[In, Out]) order(model string, f func(int, time.Time)) error {
	l.prepare()
	defer l.tell()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.Models {
		if l.Models[i].Name == model {
			f(i, time.Now())
			return nil
		}
	}
	return fmt.Errorf("%w: %q", ErrNoName, model)
}

// Status returns how each model is, best first.
func (l *Ladder[In, Out]) Status() []Status {
	l.prepare()
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Status, len(l.models))
	for i, c := range l.models {
		m := &l.Models[i]
		list[i] = Status{
			Model: m.Name, Version: m.Version, Quality: m.Quality,
			State: c.state, Percent: c.percent(), Since: c.since, Failures: c.failures, Probes: c.good, Span: c.span, Why: c.why, Err: c.err,
		}
		if c.state == Degraded || c.state == Ramp {
			list[i].NextProbe = c.next
		}
	}
	return list
}
