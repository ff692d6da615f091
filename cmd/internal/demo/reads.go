package demo

import (
	"context"
	"errors"
	"time"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/retry"
)

// reread reads until there is an answer, within the limits of the operation. That there is no such order is an answer.
func reread[T any](ctx context.Context, s retry.Source, fn func(context.Context) (T, error)) (value T, err error) {
	var answer error
	value, err = retry.Do(ctx, s, func(ctx context.Context) (T, error) {
		ctx, v := exchange.WithVerdict(ctx)
		value, err := fn(ctx)
		answer = err
		switch {
		case errors.Is(err, order.ErrNotFound), errors.Is(err, order.ErrUnsupported):
			return value, nil
		case err != nil && v.Status != 0:
			err = retry.MarkAfter(err, v.Class, v.After)
		}
		return value, err
	})
	if err == nil {
		err = answer
	}
	return value, err
}

// Query is of order.Venue.
func (a *adapter) Query(ctx context.Context, r order.Ref) (order.Report, error) {
	return reread(ctx, a.run.ops.query, func(ctx context.Context) (order.Report, error) { return a.Venue.Query(ctx, r) })
}

// Open is of order.Lister.
func (a *adapter) Open(ctx context.Context, symbol string) ([]order.Report, error) {
	return reread(ctx, a.run.ops.query, func(ctx context.Context) ([]order.Report, error) { return a.Venue.Open(ctx, symbol) })
}

// Finished is of order.Lister.
func (a *adapter) Finished(ctx context.Context, symbol string, since time.Time) ([]order.Report, error) {
	return reread(ctx, a.run.ops.query, func(ctx context.Context) ([]order.Report, error) { return a.Venue.Finished(ctx, symbol, since) })
}

// Fills is of order.FillReader.
func (a *adapter) Fills(ctx context.Context, symbol string, since time.Time) ([]order.Fill, error) {
	return reread(ctx, a.run.ops.query, func(ctx context.Context) ([]order.Fill, error) { return a.Venue.Fills(ctx, symbol, since) })
}

// Holding is of order.Holder. What the account's stream keeps is as good as a read that need not be fresh, and costs nothing.
func (a *adapter) Holding(ctx context.Context, symbol string, fresh bool) (order.Decimal, error) {
	if held, ok := a.run.balances.of(symbol); ok && !fresh {
		return held, nil
	}
	return reread(ctx, a.run.ops.query, func(ctx context.Context) (order.Decimal, error) { return a.Venue.Holding(ctx, symbol, fresh) })
}
