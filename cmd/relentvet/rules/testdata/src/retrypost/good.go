package retrypost

import (
	"context"
	"net/http"
	"strings"

	"github.com/relent-go/relent/retry"
)

// once leaves a lost answer alone.
func once(ctx context.Context) error {
	return retry.Run(ctx, &retry.Policy{}, func(ctx context.Context) error {
		_, err := http.Post("http://venue/order", "application/json", strings.NewReader("{}"))
		return err
	})
}

func keyed(ctx context.Context, key string) error {
	return retry.Run(ctx, &retry.Policy{Idempotent: true}, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, "POST", "http://venue/order", strings.NewReader("{}"))
		if err != nil {
			return err
		}
		req.Header.Set("Idempotency-Key", key)
		_, err = http.DefaultClient.Do(req)
		return err
	})
}

func reads(ctx context.Context) error {
	return retry.Run(ctx, &retry.Policy{Idempotent: true}, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, "GET", "http://venue/book", nil)
		if err != nil {
			return err
		}
		_, err = http.DefaultClient.Do(req)
		return err
	})
}

// elsewhere says in a variable whether it may run twice.
func elsewhere(ctx context.Context, p *retry.Policy) error {
	return retry.Run(ctx, p, func(ctx context.Context) error {
		_, err := http.Post("http://venue/order", "application/json", nil)
		return err
	})
}
