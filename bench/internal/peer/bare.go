package peer

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

// bare is the least that the work can cost: a look at the context and a call of the closure, and
// the loops that people write by hand.
func bare() Subject {
	return Subject{
		Name: Bare, Fail: errBusy, Reject: errRejected,
		RunFirst: func() RunLoop {
			return func(ctx context.Context, n int, fn func(context.Context) error) (err error) {
				for range n {
					if err = ctx.Err(); err == nil {
						err = fn(ctx)
					}
				}
				return err
			}
		},
		First:  func() Loop { return bareFirst },
		Shared: func() Loop { return bareFirst },
		Stop:   func() Loop { return bareFirst },
		Retry: func() Loop {
			return func(ctx context.Context, n int, fn Func) (q Quote, err error) {
				for range n {
					for range Attempts {
						if err = ctx.Err(); err != nil {
							break
						}
						if q, err = fn(ctx); err == nil {
							break
						}
					}
				}
				return q, err
			}
		},
		Async: func() Loop {
			return func(ctx context.Context, n int, fn Func) (Quote, error) {
				var r result
				for range n {
					done := make(chan result, 1)
					go func() {
						q, err := fn(ctx)
						done <- result{q, err}
					}()
					r = <-done
				}
				return r.quote, r.err
			}
		},
		Gated: func(gates int) Loop {
			if gates > 0 {
				return nil
			}
			return bareFirst
		},
		Guarded:   func() Loop { return bareClock },
		Stoppable: func() Loop { return bareClock },
		Delays: func() func(int) time.Duration {
			return func(n int) (sum time.Duration) {
				for range n {
					d := base
					for range failures {
						sum += time.Duration(rand.Int64N(int64(d)))
						d = min(2*d, most)
					}
				}
				return sum
			}
		},
		Waiting: func(wait time.Duration) Call {
			return func(ctx context.Context, fn Func) (q Quote, err error) {
				for i := range Attempts {
					if q, err = fn(ctx); err == nil || i == Attempts-1 {
						break
					}
					t := time.NewTimer(wait)
					select {
					case <-t.C:
					case <-ctx.Done():
						t.Stop()
						return q, ctx.Err()
					}
				}
				return q, err
			}
		},
		HTTP: func(base http.RoundTripper, wait time.Duration) Send {
			client := &http.Client{Transport: base}
			return func(ctx context.Context, method, url string, body any) (resp *http.Response, err error) {
				for i := range Attempts {
					req, err := newRequest(ctx, method, url, body)
					if err != nil {
						return nil, err
					}
					resp, err = client.Do(req)
					if err != nil || resp.StatusCode < 500 || i == Attempts-1 {
						return resp, err
					}
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if wait > 0 {
						time.Sleep(wait)
					}
				}
				return resp, err
			}
		},
	}
}

// clock keeps what was read from being optimised away.
var clock time.Time

func bareClock(ctx context.Context, n int, fn Func) (q Quote, err error) {
	for range n {
		clock = time.Now()
		if err = ctx.Err(); err == nil {
			q, err = fn(ctx)
		}
	}
	return q, err
}

func bareFirst(ctx context.Context, n int, fn Func) (q Quote, err error) {
	for range n {
		if err = ctx.Err(); err == nil {
			q, err = fn(ctx)
		}
	}
	return q, err
}

type result struct {
	quote Quote
	err   error
}
