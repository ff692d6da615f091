package peer

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// awsRetry: retry.Standard in the SDK's own Attempt middleware, which is the only loop it has. The
// middleware is shared, which is kinder than the SDK, where each operation makes its own. The quota
// is off, because retries without pause would soon use it up.
func awsRetry() Subject {
	first := func() Loop { return awsLoop(awsMiddleware(0, same)) }
	return Subject{
		Name: "aws", Module: "github.com/aws/aws-sdk-go-v2", Licence: "Apache-2.0",
		Fail: awsError{errBusy, true}, Reject: awsError{errRejected, false},
		RunFirst: func() RunLoop {
			m := awsMiddleware(0, same)
			return func(ctx context.Context, n int, fn func(context.Context) error) (err error) {
				for range n {
					_, _, err = m.HandleFinalize(ctx, middleware.FinalizeInput{}, middleware.FinalizeHandlerFunc(
						func(ctx context.Context, _ middleware.FinalizeInput) (out middleware.FinalizeOutput, md middleware.Metadata, err error) {
							return out, md, fn(ctx)
						}))
				}
				return err
			}
		},
		First: first, Shared: first, Retry: first, Stop: first,
		Delays: func() func(int) time.Duration {
			s := retry.NewStandard(func(o *retry.StandardOptions) { o.BaseDelay, o.MaxBackoff = base, most })
			return func(n int) (sum time.Duration) {
				for range n {
					for i := range failures {
						d, _ := s.RetryDelay(i+1, errBusy)
						sum += d
					}
				}
				return sum
			}
		},
		Waiting: func(wait time.Duration) Call {
			m := awsMiddleware(wait, same)
			return func(ctx context.Context, fn Func) (Quote, error) { return awsCall(ctx, m, fn) }
		},
		HTTP: awsHTTP,
	}
}

func awsMiddleware(wait time.Duration, clone retry.RequestCloner) *retry.Attempt {
	standard := retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = Attempts
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return wait, nil })
		o.RateLimiter = ratelimit.None
	})
	return retry.NewAttemptMiddleware(standard, clone)
}

// same is for calls that have no request to clone.
func same(request any) any { return request }

func awsLoop(m *retry.Attempt) Loop {
	return func(ctx context.Context, n int, fn Func) (q Quote, err error) {
		for range n {
			q, err = awsCall(ctx, m, fn)
		}
		return q, err
	}
}

func awsCall(ctx context.Context, m *retry.Attempt, fn Func) (Quote, error) {
	var q Quote
	_, _, err := m.HandleFinalize(ctx, middleware.FinalizeInput{}, middleware.FinalizeHandlerFunc(
		func(ctx context.Context, _ middleware.FinalizeInput) (out middleware.FinalizeOutput, md middleware.Metadata, err error) {
			q, err = fn(ctx)
			return out, md, err
		}))
	return q, err
}

// awsHTTP sends through the middleware as a client of the SDK does, failed statuses as its errors.
// Signing and serialising are left out.
func awsHTTP(base http.RoundTripper, wait time.Duration) Send {
	m := awsMiddleware(wait, smithyhttp.RequestCloner)
	client := &http.Client{Transport: base}
	handler := middleware.FinalizeHandlerFunc(
		func(ctx context.Context, in middleware.FinalizeInput) (out middleware.FinalizeOutput, md middleware.Metadata, err error) {
			resp, err := client.Do(in.Request.(*smithyhttp.Request).Build(ctx))
			if err != nil {
				return out, md, &smithyhttp.RequestSendError{Err: err}
			}
			if resp.StatusCode >= 400 {
				failed := &smithyhttp.ResponseError{
					Response: &smithyhttp.Response{Response: resp}, Err: fmt.Errorf("http %d", resp.StatusCode)}
				smithyhttp.CloseResponseBody(ctx, failed.Response, false, failed) // as its deserializers do
				return out, md, failed
			}
			out.Result = resp
			return out, md, nil
		})
	return func(ctx context.Context, method, url string, body any) (*http.Response, error) {
		plain, err := newRequest(ctx, method, url, nil)
		if err != nil {
			return nil, err
		}
		req := smithyhttp.NewStackRequest().(*smithyhttp.Request)
		req.Method, req.URL = plain.Method, plain.URL
		if stream := reader(body); stream != nil {
			if req, err = req.SetStream(stream); err != nil {
				return nil, err
			}
		}
		out, _, err := m.HandleFinalize(ctx, middleware.FinalizeInput{Request: req}, handler)
		if err != nil {
			return nil, err
		}
		return out.Result.(*http.Response), nil
	}
}

// awsError says of itself whether it may be retried, as errors of the SDK do.
type awsError struct {
	error
	retryable bool
}

func (e awsError) RetryableError() bool { return e.retryable }
func (e awsError) Unwrap() error        { return e.error }
