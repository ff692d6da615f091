package retry

import (
	"context"
	"sync"
)

// Go begins a call without waiting for it, and returns its future. The call is as with [Do], but
// its attempts run on the goroutines of a [Pool] (the one of [WithPool], else one that the process
// shares), and between attempts it holds no goroutine at all.
//
// When ctx ends, the call ends: at once if it waits, and as soon as fn returns if it runs. A call
// that the pool has no room for fails with [ErrSaturated]. A panic in fn rises in the pool's
// goroutine, as it would after a go statement.
func Go[T any](ctx context.Context, s Source, fn func(context.Context) (T, error)) *Future[T] {
	a := &async[T]{fn: fn}
	a.task, a.index, a.future.done = a, -1, make(chan struct{})
	p := &defaultPool
	if scope := scopeOf(ctx); scope != nil && scope.pool != nil {
		p = scope.pool
	}
	a.policy, a.outer = current(s), ctx
	if !p.submit(a) {
		a.set(ctx, a.policy)
		a.resolve(*new(T), a.finish(ErrSaturated))
	}
	return &a.future
}

// A Future is the result of an asynchronous call, there once and for all readers. It is safe for
// concurrent use, and may be left unread.
type Future[T any] struct {
	done  chan struct{}
	once  sync.Once
	value T
	err   error
}

// Done is closed when the result is there.
func (f *Future[T]) Done() <-chan struct{} { return f.done }

// Wait returns the result of the call as [Do] would, or the cause of ctx if that ends first. The call then
// goes on: its own context is the one given to [Go].
func (f *Future[T]) Wait(ctx context.Context) (T, error) {
	select {
	case <-f.done:
		return f.value, f.err
	default:
	}
	var zero T
	if ctx == nil {
		return zero, ErrNilContext
	}
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	}
}

// async is a call with its function and its future: all that an asynchronous call costs.
type async[T any] struct {
	parked
	fn     func(context.Context) (T, error)
	future Future[T]
	opened bool
}

func (a *async[T]) asCall() *parked { return &a.parked }

func (a *async[T]) resolve(v T, err error) {
	a.future.once.Do(func() {
		a.future.value, a.future.err = v, err
		close(a.future.done)
	})
}

// step makes the next attempt.
func (a *async[T]) step() (again bool) {
	var zero T
	if !a.opened {
		a.opened = true
		if e := a.open(a.outer, a.policy, a.fn == nil); e != nil {
			a.resolve(zero, e)
			return false
		}
	} else if e := a.wake(); e != nil {
		a.resolve(zero, e)
		return false
	}
	v, err := a.fn(a.begin())
	if err == nil {
		a.succeed()
		a.resolve(v, nil)
		return false
	}
	if e := a.failed(err); e != nil {
		a.resolve(v, e)
		return false
	}
	return true
}

// lost ends a call whose function, or another part of whose policy, panicked or ended its goroutine.
func (a *async[T]) lost() {
	e := a.close()
	if e == nil { // it had ended, and an observer panicked when it was told so
		e = &Error{Name: a.policy.Name, Attempts: a.attempts, Reason: ErrPanicked, Last: a.err, Unknown: true}
	}
	a.resolve(*new(T), e)
}
