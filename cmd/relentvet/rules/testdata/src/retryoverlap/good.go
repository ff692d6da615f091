package retryoverlap

import (
	"context"
	"time"

	"github.com/relent-go/relent/retry"
)

func hears(ctx context.Context) error {
	return retry.Run(ctx, &retry.Policy{AttemptTimeout: time.Second}, func(ctx context.Context) error { return with(ctx) })
}

// unlimited promises no end of an attempt.
func unlimited(ctx context.Context) error {
	return retry.Run(ctx, &retry.Policy{}, func(context.Context) error { return call() })
}

func ends(ctx context.Context, p *retry.Policy) error {
	return retry.Run(ctx, p, func(ctx context.Context) error {
		done := make(chan error, 1)
		go func() { done <- with(ctx) }()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// waited has no other way out than the result.
func waited(ctx context.Context, p *retry.Policy) error {
	return retry.Run(ctx, p, func(ctx context.Context) error {
		done := make(chan error)
		go func() { done <- call() }()
		return <-done
	})
}

// told only says that it has begun.
func told(ctx context.Context, p *retry.Policy) error {
	return retry.Run(ctx, p, func(ctx context.Context) error {
		begun := make(chan bool, 1)
		go func() { begun <- true }()
		go with(ctx)
		select {
		case <-begun:
		case <-time.After(time.Second):
		}
		return with(ctx)
	})
}
