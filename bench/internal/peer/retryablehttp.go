package peer

import (
	"context"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// retryablehttpSubject: one client, its own requests, no log.
func retryablehttpSubject() Subject {
	return Subject{
		Name: "retryablehttp", Module: "github.com/hashicorp/go-retryablehttp", Licence: "MPL-2.0",
		Delays: func() func(int) time.Duration {
			return func(n int) (sum time.Duration) {
				for range n {
					for i := range failures {
						// Its default, which has no jitter. The one with jitter seeds a generator for each delay.
						sum += retryablehttp.DefaultBackoff(base, most, i, nil)
					}
				}
				return sum
			}
		},
		HTTP: func(base http.RoundTripper, wait time.Duration) Send {
			client := retryablehttp.NewClient()
			client.Logger = nil
			client.HTTPClient = &http.Client{Transport: base}
			client.RetryMax = Attempts - 1
			client.RetryWaitMin, client.RetryWaitMax = wait, wait
			return func(ctx context.Context, method, url string, body any) (*http.Response, error) {
				req, err := retryablehttp.NewRequestWithContext(ctx, method, url, body)
				if err != nil {
					return nil, err
				}
				return client.Do(req)
			}
		},
	}
}
