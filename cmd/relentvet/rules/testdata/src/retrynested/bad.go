package retrynested

import (
	"context"
	"errors"

	"github.com/cenkalti/backoff/v4"
	"github.com/relent-go/relent/retry"
	k8s "k8s.io/client-go/util/retry"
)

func call() error { return nil }
func wait()       {}

func around(ctx context.Context, p *retry.Policy) error {
	for i := 0; i < 3; i++ { // want `attempts multiply`
		err := retry.Run(ctx, p, func(context.Context) error { return call() })
		if err == nil {
			return nil
		}
		wait()
	}
	return errors.New("gave up")
}

func inside(ctx context.Context, p *retry.Policy) error {
	return retry.Run(ctx, p, func(context.Context) error {
		for i := 0; i < 3; i++ { // want `attempts multiply`
			if err := call(); err == nil {
				return nil
			}
			wait()
		}
		return nil
	})
}

func loop(ctx context.Context, p *retry.Policy) (err error) {
	for range retry.Attempts(ctx, p, &err) {
		for range 3 { // want `attempts multiply`
			if err = call(); err == nil {
				break
			}
			wait()
		}
	}
	return err
}

func others() error {
	operation := func() error {
		for range 3 { // want `attempts multiply`
			if err := call(); err == nil {
				return nil
			}
			wait()
		}
		return errors.New("gave up")
	}
	if err := backoff.Retry(operation, backoff.NewExponentialBackOff()); err != nil {
		return err
	}
	return k8s.OnError(1, func(error) bool { return true }, func() error {
		for range 3 { // want `attempts multiply`
			if err := call(); err == nil {
				return nil
			}
			wait()
		}
		return errors.New("gave up")
	})
}
