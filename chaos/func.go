package chaos

import "context"

// Do runs fn as the operation op, with the fault that i decides on. A nil i lets it pass.
func Do[T any](ctx context.Context, i *Injector, op string, fn func(context.Context) (T, error)) (v T, err error) {
	var zero T
	h := i.next(op)
	if err := h.before(ctx); err != nil {
		return zero, err
	}
	if h.fault == Duplicate {
		fn(ctx)
	}
	v, err = fn(ctx)
	if lost := h.after(ctx); lost != nil {
		return zero, lost
	}
	return v, err
}

// Func returns fn with faults: a function of the same shape that calls it through [Do].
func Func[A, R any](i *Injector, op string, fn func(context.Context, A) (R, error)) func(context.Context, A) (R, error) {
	return func(ctx context.Context, a A) (R, error) {
		return Do(ctx, i, op, func(ctx context.Context) (R, error) { return fn(ctx, a) })
	}
}
