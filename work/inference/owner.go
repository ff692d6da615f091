package inference

import (
	"context"
	"sync"
)

// An owner starts goroutines, and ends them all. The zero value is ready.
type owner struct {
	mu     sync.Mutex
	closed bool            // guarded by mu, as what follows
	base   context.Context // ends when the owner is closed; an owner's whole life is one scope
	end    context.CancelCauseFunc
	group  sync.WaitGroup
}

// start runs f in a goroutine with the values of ctx and a life of its own, which the returned function ends. It returns
// nil, and does nothing, if the owner is closed.
func (o *owner) start(ctx context.Context, f func(context.Context)) context.CancelCauseFunc {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	if o.base == nil {
		o.base, o.end = context.WithCancelCause(context.Background())
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	forget := context.AfterFunc(o.base, func() { cancel(ErrClosed) })
	o.group.Go(func() {
		defer cancel(context.Canceled)
		defer forget()
		f(ctx)
	})
	return cancel
}

// over says that the owner is closed.
func (o *owner) over() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed
}

// close ends all goroutines, and waits for them.
func (o *owner) close() {
	o.mu.Lock()
	o.closed = true
	if o.end != nil {
		o.end(ErrClosed)
	}
	o.mu.Unlock()
	o.group.Wait()
}
