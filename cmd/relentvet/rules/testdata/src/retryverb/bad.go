package retryverb

import (
	"context"
	"fmt"

	"github.com/relent-go/relent/retry"
)

func call() error                  { return nil }
func fetch(string) (string, error) { return "", nil }

func plain(ctx context.Context, p *retry.Policy) error {
	return retry.Run(ctx, p, func(context.Context) error {
		if err := call(); err != nil {
			return fmt.Errorf("call: %v", err) // want `hides the class`
		}
		return nil
	})
}

func second(ctx context.Context, p *retry.Policy) (string, error) {
	return retry.Do(ctx, p, func(context.Context) (string, error) {
		v, err := fetch("a")
		if err != nil {
			return "", fmt.Errorf("fetch %q, 100%% of it: %s", v, err) // want `hides the class`
		}
		return v, nil
	})
}

// Not mended by the tool: a constant elsewhere, two errors, a width of its own, an index.
const format = "call: %v"

func by(ctx context.Context, p *retry.Policy) (err error) {
	for range retry.Attempts(ctx, p, &err) {
		a, b := call(), call()
		err = fmt.Errorf(format, a)          // want `hides the class`
		err = fmt.Errorf("%v and %v", a, b)  // want `hides the class`
		err = fmt.Errorf("%*d %v", 3, 4, a)  // want `hides the class`
		err = fmt.Errorf("%[1]v", a)         // want `hides the class`
		err = fmt.Errorf("call: %+v", a)     // want `hides the class`
		err = fmt.Errorf("call: %v %", 1, a) // want `hides the class`
	}
	return err
}
