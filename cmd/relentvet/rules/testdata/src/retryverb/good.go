package retryverb

import (
	"context"
	"errors"
	"fmt"

	"github.com/cenkalti/backoff/v4"
	"github.com/relent-go/relent/retry"
)

func wrapped(ctx context.Context, p *retry.Policy) error {
	return retry.Run(ctx, p, func(context.Context) error {
		v, err := fetch("a")
		if err != nil {
			return fmt.Errorf("fetch %s: %w", v, err)
		}
		return fmt.Errorf("%s is not what was asked for", v)
	})
}

var format2 string

func dynamic(ctx context.Context, p *retry.Policy) error {
	return retry.Run(ctx, p, func(context.Context) error { return fmt.Errorf(format2, errors.ErrUnsupported) })
}

// elsewhere errors have no class.
func elsewhere() error {
	return backoff.Retry(func() error { return fmt.Errorf("call: %v", call()) }, nil)
}
