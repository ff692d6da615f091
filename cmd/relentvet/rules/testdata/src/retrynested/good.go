package retrynested

import (
	"context"

	"github.com/relent-go/relent/retry"
)

// nested calls of relent know each other: the inner one makes one attempt.
func nested(ctx context.Context, p *retry.Policy) error {
	return retry.Run(ctx, p, func(ctx context.Context) error {
		return retry.Run(ctx, p, func(context.Context) error { return call() })
	})
}

// each does another call for each item.
func each(ctx context.Context, p *retry.Policy, items []string) error {
	for range items {
		err := retry.Run(ctx, p, func(context.Context) error { return call() })
		if err != nil {
			return err
		}
	}
	return nil
}

// unknown is what a variable holds that more than one place sets.
func unknown(ctx context.Context, p *retry.Policy) error {
	fn := func(context.Context) error { return nil }
	fn = func(context.Context) error {
		for range 3 {
			if err := call(); err == nil {
				return nil
			}
			wait()
		}
		return nil
	}
	return retry.Run(ctx, p, fn)
}
