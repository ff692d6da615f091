package retrybatch

import (
	"context"

	"github.com/cenkalti/backoff/v4"
	"github.com/relent-go/relent/retry"
)

func send(context.Context, string) error          { return nil }
func insert(string) (int, error)                  { return 0, nil }
func get(context.Context, string) (string, error) { return "", nil }

func all(ctx context.Context, p *retry.Policy, items []string) error {
	return retry.Run(ctx, p, func(ctx context.Context) error {
		for _, item := range items {
			if err := send(ctx, item); err != nil { // want `again for the items before it`
				return err
			}
		}
		return nil
	})
}

func others(items []string) error {
	return backoff.Retry(func() error {
		for _, item := range items {
			_, err := insert(item) // want `again for the items before it`
			if err != nil {
				return err
			}
		}
		return nil
	}, backoff.NewExponentialBackOff())
}
