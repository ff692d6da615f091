package peer

import (
	"context"
	"time"

	"github.com/eapache/go-resiliency/retrier"
)

// eapache: one retrier for all calls, RunCtx for each. It has no values, so the function writes one
// to a variable, as callers must.
func eapache() Subject {
	first := func() Loop {
		return eapacheLoop(retrier.New(retrier.ConstantBackoff(Attempts-1, base), nil))
	}
	return Subject{
		Name: "eapache", Module: "github.com/eapache/go-resiliency", Licence: "MIT",
		Fail: errBusy, Reject: errRejected,
		RunFirst: func() RunLoop {
			r := retrier.New(retrier.ConstantBackoff(Attempts-1, base), nil)
			return func(ctx context.Context, n int, fn func(context.Context) error) (err error) {
				for range n {
					err = r.RunCtx(ctx, fn)
				}
				return err
			}
		},
		First:  first,
		Shared: first,
		Retry: func() Loop {
			return eapacheLoop(retrier.New(retrier.ConstantBackoff(Attempts-1, 0), nil))
		},
		Stop: func() Loop {
			class := retrier.BlacklistClassifier{errRejected}
			return eapacheLoop(retrier.New(retrier.ConstantBackoff(Attempts-1, base), class))
		},
		Waiting: func(wait time.Duration) Call {
			r := retrier.New(retrier.ConstantBackoff(Attempts-1, wait), nil)
			return func(ctx context.Context, fn Func) (q Quote, err error) {
				err = r.RunCtx(ctx, func(ctx context.Context) (err error) {
					q, err = fn(ctx)
					return err
				})
				return q, err
			}
		},
	}
}

func eapacheLoop(r *retrier.Retrier) Loop {
	return func(ctx context.Context, n int, fn Func) (Quote, error) {
		var last Quote
		var err error
		for range n {
			var q Quote
			err = r.RunCtx(ctx, func(ctx context.Context) (err error) {
				q, err = fn(ctx)
				return err
			})
			last = q
		}
		return last, err
	}
}
