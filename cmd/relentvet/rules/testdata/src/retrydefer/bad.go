package retrydefer

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/relent-go/relent/retry"
)

func fetch(context.Context) (string, error) { return "", nil }

func deferred() {
	for i := 0; i < 3; i++ {
		f, err := os.Open("a")
		defer f.Close() // want `defer in a retry loop`
		if err != nil {
			time.Sleep(time.Second)
			continue
		}
		return
	}
}

func cancels(ctx context.Context) (string, error) {
	for {
		one, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel() // want `defer in a retry loop`
		v, err := fetch(one)
		if err == nil {
			return v, nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func attempts(ctx context.Context, p *retry.Policy) (v string, err error) {
	for ctx := range retry.Attempts(ctx, p, &err) {
		v, err = fetch(ctx)
		defer fmt.Println(v) // want `defer in a retry loop`
	}
	return v, err
}
