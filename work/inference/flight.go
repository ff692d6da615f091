package inference

import (
	"context"
	"errors"
	"time"
)

// A flight is a call that several callers share.
type flight[Out any] struct {
	done   chan struct{}
	cancel context.CancelCauseFunc
	until  time.Time // the deadline by which the models share out the time; the zero time for none

	callers int // guarded by the ladder's lock

	answer Answer[Out] // set before done is closed, as what follows
	err    error
	fell   *Panic
	late   bool          // it ended by its deadline, without an answer
	took   time.Duration // how long it lasted
}

// mostFlights is how many flights a caller sees end before their time until it asks alone.
const mostFlights = 3

// share joins the flight for a query's key, begins one, or asks alone if there are as many as may be.
func (l *Ladder[In, Out]) share(ctx context.Context, q *query[In, Out]) (Answer[Out], error) {
	f, err := l.board(ctx, q)
	if err != nil {
		return Answer[Out]{}, err
	}
	if f == nil {
		return l.ask(ctx, q)
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		l.leave(q.key, f)
		return l.late(ctx, q)
	}
	if f.fell != nil {
		panic(f.fell)
	}
	if until, ok := ctx.Deadline(); !f.late || ctx.Err() != nil || ok && time.Until(until) <= f.took {
		return f.answer, f.err
	}
	// The time of whoever began it was over, but ours is not.
	if q.flights++; q.flights == mostFlights {
		return l.ask(ctx, q)
	}
	return l.share(ctx, q)
}

// board returns the flight that a caller is on, or nil if it must go alone. One that must land before the flight may not join.
func (l *Ladder[In, Out]) board(ctx context.Context, q *query[In, Out]) (*flight[Out], error) {
	until, _ := ctx.Deadline()
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.flights[q.key]; f != nil {
		if !until.IsZero() && (f.until.IsZero() || until.Before(f.until)) {
			return nil, nil
		}
		f.callers++
		return f, nil
	}
	most := l.Flights
	if most == 0 {
		most = DefaultFlights
	}
	if l.flying >= most {
		return nil, nil
	}
	f := &flight[Out]{done: make(chan struct{}), until: until, callers: 1}
	own := *q // the caller keeps its query, for when it leaves
	f.cancel = l.owner.start(ctx, func(ctx context.Context) { l.fly(ctx, f, &own) })
	if f.cancel == nil {
		return nil, ErrClosed
	}
	l.flights[q.key] = f
	l.flying++
	return f, nil
}

// fly makes the call of a flight, in a goroutine of its own.
func (l *Ladder[In, Out]) fly(ctx context.Context, f *flight[Out], q *query[In, Out]) {
	began, returned := time.Now(), false
	defer func() {
		if !returned {
			f.fell = fell(recover())
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.flying--; f.fell != nil && f.callers == 0 {
			l.models[q.at].err = f.fell // nobody else hears of it
		}
		if l.flights[q.key] == f {
			delete(l.flights, q.key)
		}
		close(f.done)
	}()
	if !f.until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, f.until)
		defer cancel()
	}
	f.answer, f.err = l.ask(ctx, q)
	f.late, f.took = f.err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded), time.Since(began)
	returned = true
}

// leave takes a caller off its flight. The last one ends it.
func (l *Ladder[In, Out]) leave(key string, f *flight[Out]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.callers--; f.callers > 0 {
		return
	}
	f.cancel(context.Canceled)
	if l.flights[key] == f {
		delete(l.flights, key)
	}
}
