package retry

import (
	"context"
	"sync"
	"sync/atomic"
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
	a.task, a.slot = a, -1
	a.policy, a.outer = current(s), ctx
	p := &defaultPool
	if scope := scopeOf(ctx); scope != nil && scope.pool != nil {
		p = scope.pool
	}
	if !p.submit(&a.parked) {
		var c call
		c.set(ctx, a.policy)
		a.future.resolve(*new(T), c.finish(ErrSaturated))
	}
	return &a.future
}

// A Future is the result of an asynchronous call, there once and for all readers. It is safe for
// concurrent use, and may be left unread.
type Future[T any] struct {
	mu    sync.Mutex
	done  chan struct{} // made by the first who asks before there is a result; guarded by mu
	ended atomic.Bool   // there is a result
	value T
	err   error
}

// closed is the done channel of futures that nobody asked before they ended.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Done is closed when the result is there.
func (f *Future[T]) Done() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended.Load() {
		return closed
	}
	if f.done == nil {
		f.done = make(chan struct{})
	}
	return f.done
}

// resolve is called once.
func (f *Future[T]) resolve(v T, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.value, f.err = v, err
	f.ended.Store(true)
	if f.done != nil {
		close(f.done)
	}
}

// Wait returns the result of the call as [Do] would, or the cause of ctx if that ends first. The call then
// goes on: its own context is the one given to [Go].
func (f *Future[T]) Wait(ctx context.Context) (T, error) {
	if f.ended.Load() {
		return f.value, f.err
	}
	var zero T
	if ctx == nil {
		return zero, ErrNilContext
	}
	ended := ctx.Done()
	if ended == nil { // a plain receive is cheaper than a select
		<-f.Done()
		return f.value, f.err
	}
	select {
	case <-f.Done():
		return f.value, f.err
	case <-ended:
		return zero, context.Cause(ctx)
	}
}

// async is a call with its function and its future: all that an asynchronous call costs.
type async[T any] struct {
	parked
	fn     func(context.Context) (T, error)
	future Future[T]
}

// step makes the attempts up to the next wait.
func (a *async[T]) step() (again bool) {
	var v T
	var err error
	var w *call
	if a.opened {
		v, err, w = proceed(&a.call, a.fn)
	} else {
		a.opened = true
		v, err, w = start(a.outer, a.policy, a.fn, &a.call)
	}
	if w == nil {
		a.future.resolve(v, err)
	}
	return w != nil
}

// lost ends a call whose function, or another part of whose policy, panicked or ended its goroutine.
func (a *async[T]) lost() {
	e, ok := a.err.(*Error)
	if !ok || e.Reason != ErrPanicked { // it had ended, and an observer panicked when it was told so
		e = &Error{Name: a.policy.Name, Attempts: int(a.attempts), Reason: ErrPanicked, Last: a.err, Unknown: true}
	}
	a.future.resolve(*new(T), e)
}
