package peer

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v6"
)

// cenkalti: backoff.Retry with options in each call, as its README does. An option that holds no
// state is made once; a BackOff that holds some belongs to one call.
func cenkalti() Subject {
	first := func() Loop {
		return cenkaltiLoop(backoff.WithMaxTries(Attempts))
	}
	return Subject{
		Name: "cenkalti", Module: "github.com/cenkalti/backoff/v6", Licence: "MIT",
		Fail: errBusy, Reject: backoff.Permanent(errRejected),
		RunFirst: func() RunLoop {
			tries := backoff.WithMaxTries(Attempts)
			return func(ctx context.Context, n int, fn func(context.Context) error) (err error) {
				for range n {
					_, err = backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, fn(ctx) }, tries)
				}
				return err
			}
		},
		First:  first,
		Shared: first,
		Retry: func() Loop {
			return cenkaltiLoop(backoff.WithMaxTries(Attempts), backoff.WithBackOff(&backoff.ZeroBackOff{}))
		},
		Stop: first,
		Delays: func() func(int) time.Duration {
			b := backoff.NewExponentialBackOff()
			b.InitialInterval, b.MaxInterval, b.Multiplier = base, most, 2
			return func(n int) (sum time.Duration) {
				for range n {
					b.Reset()
					for range failures {
						sum += b.NextBackOff()
					}
				}
				return sum
			}
		},
		Waiting: func(wait time.Duration) Call {
			// A ConstantBackOff has no state, so sharing it is safe.
			tries, constant := backoff.WithMaxTries(Attempts), backoff.WithBackOff(backoff.NewConstantBackOff(wait))
			unlimited := backoff.WithMaxElapsedTime(0) // else it stops after 15 minutes
			return func(ctx context.Context, fn Func) (Quote, error) {
				return backoff.Retry(ctx, func() (Quote, error) { return fn(ctx) }, tries, constant, unlimited)
			}
		},
	}
}

func cenkaltiLoop(options ...backoff.RetryOption) Loop {
	return func(ctx context.Context, n int, fn Func) (q Quote, err error) {
		for range n {
			q, err = backoff.Retry(ctx, func() (Quote, error) { return fn(ctx) }, options...)
		}
		return q, err
	}
}
