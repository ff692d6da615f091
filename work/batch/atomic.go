package batch

import (
	"context"
	"errors"
	"fmt"

	"github.com/relent-go/relent/retry"
)

// ErrNoTransaction is why a batch was not done: the transaction ended well, but had not called the function it was given.
var ErrNoTransaction = retry.Mark(errors.New("the transaction did not run the batch"), retry.Permanent)

// Atomic does all items or none, in a transaction that the caller supplies: tx begins one, calls the function it is given, commits if that returns
// nil, and else rolls back and returns the error. The functions of transport/retrysql have this form, as do those of most libraries for
// databases.
//
// An attempt is the whole transaction. fn is called for each item, in order, in the goroutine that tx runs it in, with a context that
// has what tx put into it; after a rollback it is called for all of them again, so it must have no effect beyond the transaction. The
// policy's classes decide: of a commit whose answer got lost, nobody knows what became of it, and all items are Unknown
// unless the policy is Idempotent.
//
// Concurrency, Size, Linger, Order and Strict have no meaning here. All else is as with [Do].
func Atomic[T, V any](ctx context.Context, s retry.Source, items []T, tx func(context.Context, func(context.Context) error) error, fn func(context.Context, T) (V, error), o *Options[T, V]) (*Report[V], error) {
	b := newRun(ctx, s, items, o)
	defer b.cancel()
	values := make([]V, len(items))
	attempts := 0
	var err error
	if tx == nil || fn == nil {
		err = retry.Run(b.ctx, b.policy, nil)
	} else {
		err = retry.Run(b.ctx, b.policy, func(ctx context.Context) error {
			attempts++
			inside := ErrNoTransaction
			err := tx(ctx, func(ctx context.Context) error {
				inside = b.all(ctx, values, fn)
				return inside
			})
			if err == nil {
				err = inside // not to be swallowed
			}
			return err
		})
	}
	if err != nil {
		clear(values) // they were rolled back
	}
	for i := range b.report.Outcomes {
		o := &b.report.Outcomes[i]
		o.Attempts = attempts
		b.ended(o, b.item(i), values[i], err)
		b.tell(o.State)
	}
	return b.end()
}

// all does the items inside a transaction.
func (b *run[T, V]) all(ctx context.Context, values []V, fn func(context.Context, T) (V, error)) error {
	clear(values)
	for i, item := range b.items {
		v, err := fn(context.WithValue(ctx, keyContext{}, b.report.Outcomes[i].Key), item)
		if err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
		values[i] = v
	}
	return nil
}
