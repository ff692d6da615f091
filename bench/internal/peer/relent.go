package peer

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// relent: one policy for all calls, the context and the function in each, errors marked with what
// is known of them.
func relent() Subject {
	first := func() Loop {
		p := &retry.Policy{Name: "bench", Idempotent: true}
		return relentLoop(p)
	}
	return Subject{
		Name: Relent, Module: "github.com/relent-go/relent",
		Fail:   retry.Mark(errBusy, retry.Transient),
		Reject: retry.Mark(errRejected, retry.Permanent),
		RunFirst: func() RunLoop {
			p := &retry.Policy{Name: "bench", Idempotent: true}
			return func(ctx context.Context, n int, fn func(context.Context) error) (err error) {
				for range n {
					err = retry.Run(ctx, p, fn)
				}
				return err
			}
		},
		First: first,
		Shared: func() Loop {
			p := &retry.Policy{Name: "bench", Idempotent: true}
			return func(_ context.Context, n int, fn Func) (q Quote, err error) {
				ctx := context.Background()
				for range n {
					q, err = retry.Do(ctx, p, fn)
				}
				return q, err
			}
		},
		Retry: func() Loop { return relentLoop(relentPolicy(0)) },
		Stop:  first,
		Async: func() Loop {
			p := &retry.Policy{Name: "bench", Idempotent: true}
			return func(ctx context.Context, n int, fn Func) (q Quote, err error) {
				for range n {
					q, err = retry.Go(ctx, p, fn).Wait(ctx)
				}
				return q, err
			}
		},
		Guarded: func() Loop {
			return relentLoop(&retry.Policy{
				Name: "bench", Idempotent: true,
				Gates: []retry.Gate{&breaker.Breaker{}, &budget.Budget{}},
			})
		},
		Stoppable: func() Loop {
			stops := &halt.Tree{}
			return relentLoop(&retry.Policy{
				Name: "bench", Idempotent: true,
				Gates: []retry.Gate{stops.Gate("desk", "venue", "fetch_quote"), &breaker.Breaker{}, &budget.Budget{}},
			})
		},
		Gated: func(gates int) Loop { return relentLoop(relentGated(gates, openGate{})) },
		Delays: func() func(int) time.Duration {
			var s backoff.Strategy = backoff.Exponential{Base: base, Max: most}
			return func(n int) (sum time.Duration) {
				for range n {
					var d time.Duration
					for i := range failures {
						d = s.Delay(i+1, d, rand.Float64())
						sum += d
					}
				}
				return sum
			}
		},
		Waiting: func(wait time.Duration) Call {
			p := relentPolicy(wait)
			return func(ctx context.Context, fn Func) (Quote, error) { return retry.Do(ctx, p, fn) }
		},
		Start: func(wait time.Duration) func(context.Context, Func) {
			p := relentPolicy(wait)
			return func(ctx context.Context, fn Func) { retry.Go(ctx, p, fn) }
		},
		HTTP: func(base http.RoundTripper, wait time.Duration) Send {
			client := &http.Client{Transport: &retryhttp.Transport{Base: base, Policy: relentHTTPPolicy(wait)}}
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

func relentLoop(p *retry.Policy) Loop {
	return func(ctx context.Context, n int, fn Func) (q Quote, err error) {
		for range n {
			q, err = retry.Do(ctx, p, fn)
		}
		return q, err
	}
}

func relentPolicy(wait time.Duration) *retry.Policy {
	return &retry.Policy{
		Name: "bench", MaxAttempts: Attempts, Idempotent: true,
		Backoff: backoff.Constant{Wait: wait, Jitter: backoff.None},
	}
}

// relentHTTPPolicy leaves it to the request whether it is idempotent.
func relentHTTPPolicy(wait time.Duration) *retry.Policy {
	p := relentPolicy(wait)
	p.Idempotent = false
	return p
}

func relentGated(gates int, g retry.Gate) *retry.Policy {
	p := &retry.Policy{Name: "bench", Idempotent: true}
	for range gates {
		p.Gates = append(p.Gates, g)
	}
	return p
}

// An openGate admits everything and learns nothing.
type openGate struct{}

func (openGate) Admit(context.Context, *retry.Attempt) error { return nil }
func (openGate) Settle(*retry.Attempt, *retry.Outcome)       {}
