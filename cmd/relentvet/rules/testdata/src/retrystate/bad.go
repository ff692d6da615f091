package retrystate

import (
	"context"

	"github.com/cenkalti/backoff/v4"
	"github.com/relent-go/relent/retry"
)

func fetch(string) (string, error) { return "", nil }

func pages(ctx context.Context, p *retry.Policy) (all []string, err error) {
	err = retry.Run(ctx, p, func(context.Context) error {
		v, err := fetch("a")
		all = append(all, v) // want `the next attempt appends it again`
		return err
	})
	return all, err
}

func others() (all []string, err error) {
	err = backoff.Retry(func() error {
		v, err := fetch("a")
		all = append(all, v) // want `the next attempt appends it again`
		return err
	}, backoff.NewExponentialBackOff())
	return all, err
}
