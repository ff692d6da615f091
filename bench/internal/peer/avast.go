package peer

import (
	"context"
	"time"

	"github.com/avast/retry-go/v5"
)

// avast: the context is an option of the retrier, so calls with a context of their own need a
// retrier of their own. Shared is its "reusable retrier for high-frequency retry operations".
func avast() Subject {
	return Subject{
		Name: "avast", Module: "github.com/avast/retry-go/v5", Licence: "MIT",
		Fail: errBusy, Reject: retry.Unrecoverable(errRejected),
		RunFirst: func() RunLoop {
			attempts := retry.Attempts(Attempts)
			return func(ctx context.Context, n int, fn func(context.Context) error) (err error) {
				for range n {
					err = retry.New(attempts, retry.Context(ctx)).Do(func() error { return fn(ctx) })
				}
				return err
			}
		},
		First: func() Loop { return avastLoop(retry.Attempts(Attempts)) },
		Shared: func() Loop {
			retrier := retry.NewWithData[Quote](retry.Attempts(Attempts))
			return func(ctx context.Context, n int, fn Func) (q Quote, err error) {
				call := func() (Quote, error) { return fn(ctx) }
				for range n {
					q, err = retrier.Do(call)
				}
				return q, err
			}
		},
		Retry: func() Loop {
			return avastLoop(retry.Attempts(Attempts), retry.Delay(0), retry.DelayType(retry.FixedDelay))
		},
		Stop: func() Loop { return avastLoop(retry.Attempts(Attempts)) },
		Delays: func() func(int) time.Duration {
			r := retry.New(retry.Delay(base), retry.MaxDelay(most))
			return func(n int) (sum time.Duration) {
				for range n {
					for i := range failures {
						sum += retry.FullJitterBackoffDelay(uint(i), nil, r)
					}
				}
				return sum
			}
		},
		Waiting: func(wait time.Duration) Call {
			attempts, delay, fixed := retry.Attempts(Attempts), retry.Delay(wait), retry.DelayType(retry.FixedDelay)
			return func(ctx context.Context, fn Func) (Quote, error) {
				return retry.NewWithData[Quote](attempts, delay, fixed, retry.Context(ctx)).
					Do(func() (Quote, error) { return fn(ctx) })
			}
		},
	}
}

// avastLoop makes the options that hold no context once.
func avastLoop(options ...retry.Option) Loop {
	return func(ctx context.Context, n int, fn Func) (q Quote, err error) {
		with := append(options[:len(options):len(options)], nil)
		for range n {
			with[len(with)-1] = retry.Context(ctx)
			q, err = retry.NewWithData[Quote](with...).Do(func() (Quote, error) { return fn(ctx) })
		}
		return q, err
	}
}
