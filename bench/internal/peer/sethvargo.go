package peer

import (
	"context"
	"time"

	"github.com/sethvargo/go-retry"
)

// sethvargo: a Backoff counts its own attempts, so each call makes one. Constant refuses a wait of
// zero; a BackoffFunc is how its README customises waits.
func sethvargo() Subject {
	first := func() Loop {
		return sethvargoLoop(func() retry.Backoff {
			return retry.WithMaxRetries(Attempts-1, retry.NewExponential(base))
		})
	}
	return Subject{
		Name: "sethvargo", Module: "github.com/sethvargo/go-retry", Licence: "Apache-2.0",
		Fail: retry.RetryableError(errBusy), Reject: errRejected,
		RunFirst: func() RunLoop {
			return func(ctx context.Context, n int, fn func(context.Context) error) (err error) {
				for range n {
					err = retry.Do(ctx, retry.WithMaxRetries(Attempts-1, retry.NewExponential(base)), fn)
				}
				return err
			}
		},
		First:  first,
		Shared: first,
		Retry: func() Loop {
			zero := retry.BackoffFunc(func() (time.Duration, bool) { return 0, false })
			return sethvargoLoop(func() retry.Backoff { return retry.WithMaxRetries(Attempts-1, zero) })
		},
		Stop: first,
		Delays: func() func(int) time.Duration {
			return func(n int) (sum time.Duration) {
				for range n {
					b := retry.WithFullJitter(retry.WithCappedDuration(most, retry.NewExponential(base)))
					for range failures {
						d, _ := b.Next()
						sum += d
					}
				}
				return sum
			}
		},
		Waiting: func(wait time.Duration) Call {
			return func(ctx context.Context, fn Func) (Quote, error) {
				return retry.DoValue(ctx, retry.WithMaxRetries(Attempts-1, retry.NewConstant(wait)), retry.RetryFuncValue[Quote](fn))
			}
		},
	}
}

func sethvargoLoop(backoff func() retry.Backoff) Loop {
	return func(ctx context.Context, n int, fn Func) (q Quote, err error) {
		for range n {
			q, err = retry.DoValue(ctx, backoff(), retry.RetryFuncValue[Quote](fn))
		}
		return q, err
	}
}
