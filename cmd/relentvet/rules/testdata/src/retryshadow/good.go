package retryshadow

import (
	"context"

	"github.com/relent-go/relent/retry"
)

func sets(ctx context.Context, p *retry.Policy) (v string, err error) {
	for range retry.Attempts(ctx, p, &err) {
		v, err = fetch("a")
	}
	return v, err
}

// second has a further error of its own beside the one that it sets.
func second(ctx context.Context, p *retry.Policy) (v string, err error) {
	for range retry.Attempts(ctx, p, &err) {
		v, err = fetch("a")
		if err := call(); err != nil {
			work(v)
		}
	}
	return v, err
}

func parse(*error) {}

func byAddress(ctx context.Context, p *retry.Policy) (err error) {
	for range retry.Attempts(ctx, p, &err) {
		parse(&err)
		if err := call(); err != nil {
			continue
		}
	}
	return err
}
