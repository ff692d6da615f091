package retrypost

import (
	"context"
	"net/http"
	"strings"

	"github.com/relent-go/relent/retry"
)

func request(ctx context.Context) error {
	return retry.Run(ctx, &retry.Policy{Idempotent: true}, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://venue/order", strings.NewReader("{}")) // want `without an idempotency key`
		if err != nil {
			return err
		}
		_, err = http.DefaultClient.Do(req)
		return err
	})
}

func post(ctx context.Context, c *http.Client) error {
	return retry.Run(ctx, &retry.Policy{Idempotent: true}, func(ctx context.Context) error {
		_, err := c.Post("http://venue/order", "application/json", strings.NewReader("{}")) // want `without an idempotency key`
		return err
	})
}
