package peer

import (
	"context"
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/budget"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

// failsafeGo: one executor for all calls; WithContext makes a copy with the call's context, as the
// documentation of Executor says. The default retry policy has three attempts and no delay.
func failsafeGo() Subject {
	first := func() Loop {
		return failsafeLoop(failsafe.With[Quote](retrypolicy.NewWithDefaults[Quote]()))
	}
	return Subject{
		Name: "failsafe", Module: "github.com/failsafe-go/failsafe-go", Licence: "MIT",
		Fail: errBusy, Reject: errRejected,
		RunFirst: func() RunLoop {
			executor := failsafe.With[any](retrypolicy.NewWithDefaults[any]())
			return func(ctx context.Context, n int, fn func(context.Context) error) (err error) {
				for range n {
					err = executor.WithContext(ctx).Run(func() error { return fn(ctx) })
				}
				return err
			}
		},
		First: first,
		Shared: func() Loop {
			executor := failsafe.With[Quote](retrypolicy.NewWithDefaults[Quote]())
			return func(ctx context.Context, n int, fn Func) (q Quote, err error) {
				call := func() (Quote, error) { return fn(ctx) }
				for range n {
					q, err = executor.Get(call)
				}
				return q, err
			}
		},
		Retry: first,
		Stop: func() Loop {
			p := retrypolicy.NewBuilder[Quote]().AbortOnErrors(errRejected).Build()
			return failsafeLoop(failsafe.With[Quote](p))
		},
		Guarded: func() Loop {
			retries := retrypolicy.NewBuilder[Quote]().WithBudget(budget.New()).Build()
			breaker := circuitbreaker.NewBuilder[Quote]().WithFailureThresholdRatio(5, 10).Build()
			return failsafeLoop(failsafe.With[Quote](retries, breaker))
		},
		Async: func() Loop {
			executor := failsafe.With[Quote](retrypolicy.NewWithDefaults[Quote]())
			return func(ctx context.Context, n int, fn Func) (q Quote, err error) {
				for range n {
					q, err = executor.WithContext(ctx).GetAsync(func() (Quote, error) { return fn(ctx) }).Get()
				}
				return q, err
			}
		},
		Waiting: func(wait time.Duration) Call {
			executor := failsafe.With[Quote](retrypolicy.NewBuilder[Quote]().WithDelay(wait).Build())
			return func(ctx context.Context, fn Func) (Quote, error) {
				return executor.WithContext(ctx).Get(func() (Quote, error) { return fn(ctx) })
			}
		},
		HTTP: func(base http.RoundTripper, wait time.Duration) Send {
			p := failsafehttp.NewRetryPolicyBuilder()
			if wait > 0 {
				p = p.WithDelay(wait)
			}
			client := &http.Client{Transport: failsafehttp.NewRoundTripper(base, p.Build())}
			return func(ctx context.Context, method, url string, body any) (*http.Response, error) {
				req, err := newRequest(ctx, method, url, body)
				if err != nil {
					return nil, err
				}
				return client.Do(req)
			}
		},
	}
}

func failsafeLoop(executor failsafe.Executor[Quote]) Loop {
	return func(ctx context.Context, n int, fn Func) (q Quote, err error) {
		for range n {
			q, err = executor.WithContext(ctx).Get(func() (Quote, error) { return fn(ctx) })
		}
		return q, err
	}
}
