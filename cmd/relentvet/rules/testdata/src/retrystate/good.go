package retrystate

import (
	"context"

	"github.com/relent-go/relent/retry"
)

func empties(ctx context.Context, p *retry.Policy) (all []string, err error) {
	err = retry.Run(ctx, p, func(context.Context) error {
		all = nil
		v, err := fetch("a")
		var own []string
		own = append(own, v)
		all = append(all, own...)
		return err
	})
	return all, err
}

// failures are kept on purpose.
func failures(ctx context.Context, p *retry.Policy) (all []error) {
	_ = retry.Run(ctx, p, func(context.Context) error {
		_, err := fetch("a")
		all = append(all, err)
		return err
	})
	return all
}

// latest replaces what failed attempts left.
func latest(ctx context.Context, p *retry.Policy) (v string, err error) {
	err = retry.Run(ctx, p, func(context.Context) (err error) {
		v, err = fetch("a")
		return err
	})
	return v, err
}
