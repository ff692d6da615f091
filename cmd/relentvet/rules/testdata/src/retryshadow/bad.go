package retryshadow

import (
	"context"

	"github.com/relent-go/relent/retry"
)

func call() error                  { return nil }
func fetch(string) (string, error) { return "", nil }
func work(string)                  {}

func both(ctx context.Context, p *retry.Policy) (v string, err error) {
	for range retry.Attempts(ctx, p, &err) {
		v, err := fetch("a") // want `ErrUnreported`
		work(v)
		_ = err
	}
	return v, err
}

func conditional(ctx context.Context, p *retry.Policy) (err error) {
	for range retry.Attempts(ctx, p, &err) {
		if err := call(); err != nil { // want `ErrUnreported`
			work(err.Error())
		}
	}
	return err
}

// other needs more than another sign: v is declared here.
func other(ctx context.Context, p *retry.Policy) (err error) {
	for range retry.Attempts(ctx, p, &err) {
		v, err := fetch("a") // want `ErrUnreported`
		work(v)
		_ = err
	}
	return err
}
