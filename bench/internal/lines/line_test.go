package lines

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/relent-go/relent/bench/internal/peer"
)

// An operation does the work of a line n times and checks how the last one ended.
type operation func(n int) error

// A line is one piece of work. Its name is a row of the table, its order the table's.
type line struct {
	name     string
	attempts int // of one piece of work

	// prepare builds a subject's policy. With a counter, attempts are counted, too; it returns a nil
	// operation for a subject that lacks the feature. release may be nil.
	prepare func(ctx context.Context, s peer.Subject, counter *atomic.Int64) (op operation, release func())
}

func lines() []line {
	return append([]line{
		{"first try", 1, firstRun},
		{"first try, value", 1, first},
		{"first try, value, in parallel", 1, parallel},
		{"first try, value, shared context", 1, shared},
		{"two retries, no delay", 3, twoRetries},
		{"not retryable", 1, stop},
		{"schedule of ten delays", 0, delays},
		{"retry, breaker and budget", 1, guarded},
		{"retry, stop, breaker and budget", 1, stoppable},
		{"asynchronous, with result", 1, async},
		{"gates 1", 1, gated(1)},
		{"gates 4", 1, gated(4)},
		{"gates 16", 1, gated(16)},
	}, httpLines()...)
}

// fetch is the work itself: as little as possible, and not inlined, as real work would not be.
//
//go:noinline
func fetch(context.Context) (peer.Quote, error) { return peer.Quote{Bid: 1, Ask: 2}, nil }

//go:noinline
func ping(context.Context) error { return nil }

// counted is fn with its calls counted, or fn itself.
func counted(fn peer.Func, counter *atomic.Int64) peer.Func {
	if counter == nil {
		return fn
	}
	return func(ctx context.Context) (peer.Quote, error) {
		counter.Add(1)
		return fn(ctx)
	}
}

// succeeds is an operation of a loop whose calls must succeed.
func succeeds(ctx context.Context, loop peer.Loop, fn peer.Func) operation {
	if loop == nil {
		return nil
	}
	return func(n int) error {
		if q, err := loop(ctx, n, fn); err != nil || q != (peer.Quote{Bid: 1, Ask: 2}) {
			return fmt.Errorf("ended with %v, %v; want the quote", q, err)
		}
		return nil
	}
}

// build calls a constructor of a subject, if it has one.
func build[T any](constructor func() T) (built T) {
	if constructor == nil {
		return built
	}
	return constructor()
}

func firstRun(ctx context.Context, s peer.Subject, counter *atomic.Int64) (operation, func()) {
	loop, fn := build(s.RunFirst), ping
	if loop == nil {
		return nil, nil
	}
	if counter != nil {
		fn = func(context.Context) error { counter.Add(1); return nil }
	}
	return func(n int) error { return loop(ctx, n, fn) }, nil
}

func first(ctx context.Context, s peer.Subject, counter *atomic.Int64) (operation, func()) {
	return succeeds(ctx, build(s.First), counted(fetch, counter)), nil
}

func shared(ctx context.Context, s peer.Subject, counter *atomic.Int64) (operation, func()) {
	return succeeds(ctx, build(s.Shared), counted(fetch, counter)), nil
}

func guarded(ctx context.Context, s peer.Subject, counter *atomic.Int64) (operation, func()) {
	return succeeds(ctx, build(s.Guarded), counted(fetch, counter)), nil
}

func stoppable(ctx context.Context, s peer.Subject, counter *atomic.Int64) (operation, func()) {
	return succeeds(ctx, build(s.Stoppable), counted(fetch, counter)), nil
}

func async(ctx context.Context, s peer.Subject, counter *atomic.Int64) (operation, func()) {
	return succeeds(ctx, build(s.Async), counted(fetch, counter)), nil
}

func gated(gates int) func(context.Context, peer.Subject, *atomic.Int64) (operation, func()) {
	return func(ctx context.Context, s peer.Subject, counter *atomic.Int64) (operation, func()) {
		if s.Gated == nil {
			return nil, nil
		}
		return succeeds(ctx, s.Gated(gates), counted(fetch, counter)), nil
	}
}

// parallel runs the calls on all processors, by one policy.
func parallel(ctx context.Context, s peer.Subject, counter *atomic.Int64) (operation, func()) {
	op := succeeds(ctx, build(s.First), counted(fetch, counter))
	if op == nil {
		return nil, nil
	}
	return func(n int) error { return split(n, op) }, nil
}

func twoRetries(ctx context.Context, s peer.Subject, counter *atomic.Int64) (operation, func()) {
	i := 0
	return succeeds(ctx, build(s.Retry), counted(func(context.Context) (peer.Quote, error) {
		if i++; i%peer.Attempts != 0 {
			return peer.Quote{}, s.Fail
		}
		return peer.Quote{Bid: 1, Ask: 2}, nil
	}, counter)), nil
}

func stop(ctx context.Context, s peer.Subject, counter *atomic.Int64) (operation, func()) {
	loop := build(s.Stop)
	if loop == nil {
		return nil, nil
	}
	fn := counted(func(context.Context) (peer.Quote, error) { return peer.Quote{}, s.Reject }, counter)
	return func(n int) error {
		if _, err := loop(ctx, n, fn); err == nil {
			return fmt.Errorf("ended well; want the error")
		}
		return nil
	}, nil
}

func delays(_ context.Context, s peer.Subject, _ *atomic.Int64) (operation, func()) {
	schedules := build(s.Delays)
	if schedules == nil {
		return nil, nil
	}
	return func(n int) error {
		if sum := schedules(n); sum <= 0 {
			return fmt.Errorf("the delays add up to %v", sum)
		}
		return nil
	}, nil
}

// split runs n pieces of work on all processors.
func split(n int, op operation) error {
	procs := min(n, processors())
	errs := make(chan error, procs)
	var wg sync.WaitGroup
	for i := range procs {
		share := n/procs + min(1, max(0, n%procs-i))
		wg.Go(func() { errs <- op(share) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
