// Package a has each mistake once or more.
package a

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/relent-go/relent/retry"
)

func call() error                  { return nil }
func fetch(string) (string, error) { return "", nil }

func noCap() error {
	for { // want `without a cap`
		if err := call(); err == nil {
			return nil
		}
		time.Sleep(time.Second)
	}
}

func noCapContinues() string {
	for { // want `without a cap`
		v, err := fetch("a")
		if err != nil {
			time.Sleep(time.Second)
			continue
		}
		return v
	}
}

func noDelay() (err error) {
	for i := 0; i < 3; i++ { // want `without a wait`
		err = call()
		if err == nil {
			return nil
		}
	}
	return err
}

func sleep(ctx context.Context) (err error) {
	for range 3 {
		_ = ctx
	}
	for i := 0; i < 3; i++ {
		if err = call(); err == nil {
			break
		}
		time.Sleep(time.Second) // want `does not end with the context`
	}
	return err
}

func deferred() {
	for i := 0; i < 3; i++ {
		f, err := os.Open("a")
		if err != nil {
			time.Sleep(time.Second)
			continue
		}
		defer f.Close() // want `defer in a retry loop`
		return
	}
}

func attempts(ctx context.Context, p *retry.Policy) (v string, err error) {
	for range retry.Attempts(ctx, p, &err) {
		v, err := fetch("a") // want `ErrUnreported`
		defer fmt.Println(v) // want `defer in a retry loop`
		_ = err
	}
	return v, err
}

func nested(ctx context.Context, p *retry.Policy) error {
	for i := 0; i < 3; i++ { // want `attempts multiply`
		err := retry.Run(ctx, p, func(context.Context) error { return call() })
		if err == nil {
			return nil
		}
		wait()
	}
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

func wait() {}

func verb(ctx context.Context, p *retry.Policy) error {
	return retry.Run(ctx, p, func(context.Context) error {
		if err := call(); err != nil {
			return fmt.Errorf("call: %v", err) // want `hides the class`
		}
		return nil
	})
}

func state(ctx context.Context, p *retry.Policy) (all []string, err error) {
	err = retry.Run(ctx, p, func(context.Context) error {
		v, err := fetch("a")
		all = append(all, v) // want `the next attempt appends it again`
		return err
	})
	return all, err
}

func post(ctx context.Context) error {
	return retry.Run(ctx, &retry.Policy{Idempotent: true}, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://venue/order", strings.NewReader("{}")) // want `without an idempotency key`
		if err != nil {
			return err
		}
		_, err = http.DefaultClient.Do(req)
		return err
	})
}
