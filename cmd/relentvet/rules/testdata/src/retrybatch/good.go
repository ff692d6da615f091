package retrybatch

import (
	"context"

	"github.com/relent-go/relent/retry"
)

// rest keeps what has still to be sent.
func rest(ctx context.Context, p *retry.Policy, items []string) error {
	return retry.Run(ctx, p, func(ctx context.Context) error {
		for _, item := range items {
			if err := send(ctx, item); err != nil {
				return err
			}
			items = items[1:]
		}
		return nil
	})
}

// repeatable may run twice, as its policy says.
func repeatable(ctx context.Context, items []string) error {
	return retry.Run(ctx, &retry.Policy{Idempotent: true}, func(ctx context.Context) error {
		for _, item := range items {
			if err := send(ctx, item); err != nil {
				return err
			}
		}
		return nil
	})
}

// reads have no effect.
func reads(ctx context.Context, p *retry.Policy, items []string) error {
	return retry.Run(ctx, p, func(ctx context.Context) error {
		for _, item := range items {
			if _, err := get(ctx, item); err != nil {
				return err
			}
		}
		return nil
	})
}

// own makes its items in the attempt; goes goes on after a failure; the last is of something else.
func own(ctx context.Context, p *retry.Policy, made func() []string, items []string) error {
	return retry.Run(ctx, p, func(ctx context.Context) error {
		mine := made()
		for _, item := range mine {
			if err := send(ctx, item); err != nil {
				return err
			}
		}
		for _, item := range made() {
			if err := send(ctx, item); err != nil {
				return err
			}
		}
		for _, item := range items {
			if err := send(ctx, item); err != nil {
				continue
			}
		}
		for range items {
			if err := send(ctx, "a"); err != nil {
				return err
			}
		}
		return nil
	})
}
