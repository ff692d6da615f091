// Package clean has the same shapes without mistakes: nothing is reported.
package clean

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/relent-go/relent/retry"
)

func call() error                  { return nil }
func fetch(string) (string, error) { return "", nil }
func work(string)                  {}

func capped(ctx context.Context) error {
	for i := 0; ; i++ {
		err := call()
		if err == nil {
			return nil
		}
		if i == 3 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func dies() {
	for {
		if err := call(); err == nil {
			return
		}
		time.Sleep(time.Second)
		if time.Now().Year() > 2100 {
			panic("too late")
		}
	}
}

// others tries each address once: that is no retry.
func others(addresses []string) (v string, err error) {
	for i := 0; i < len(addresses); i++ {
		if v, err = fetch(addresses[i]); err == nil {
			return v, nil
		}
	}
	return "", err
}

// all goes on after a success.
func all() {
	for i := 0; i < 3; i++ {
		v, err := fetch("a")
		if err != nil {
			continue
		}
		work(v)
	}
}

// once never goes around.
func once() error {
	for {
		err := call()
		if err == nil {
			return nil
		}
		return err
	}
}

func judge(error) error { return nil }

// judged and told let the error decide whether to go around.
func judged() error {
	for {
		err := call()
		if err == nil {
			return nil
		}
		if e := judge(err); e != nil {
			return e
		}
	}
}

func told() error {
	for i := 0; ; i++ {
		err := call()
		if err == nil {
			return nil
		}
		switch err {
		case context.Canceled:
			return err
		}
	}
}

// root goes down a chain: each call is another one.
func root(err error) error {
	for {
		e := errors.Unwrap(err)
		if e == nil {
			break
		}
		err = e
	}
	return err
}

// sleeps has no context that could end it.
func sleeps() {
	for i := 0; i < 3; i++ {
		if err := call(); err == nil {
			break
		}
		time.Sleep(time.Second)
	}
}

func attempts(ctx context.Context, p *retry.Policy) (v string, err error) {
	for range retry.Attempts(ctx, p, &err) {
		v, err = fetch("a")
		if err := call(); err != nil {
			work(v)
		}
		func() { defer work(v) }()
	}
	return v, err
}

func nested(ctx context.Context, p *retry.Policy) error {
	return retry.Run(ctx, p, func(ctx context.Context) error {
		return retry.Run(ctx, p, func(context.Context) error { return call() })
	})
}

func wrapped(ctx context.Context, p *retry.Policy) (all []string, err error) {
	err = retry.Run(ctx, p, func(context.Context) error {
		all = nil
		v, err := fetch("a")
		if err != nil {
			return fmt.Errorf("fetch: %w", err)
		}
		var own []string
		own = append(own, v)
		all = append(all, own...)
		return fmt.Errorf("%s is not what was asked for", v)
	})
	return all, err
}

func post(ctx context.Context, key string) error {
	send := func(ctx context.Context) error {
		_, err := http.Post("http://venue/order", "application/json", strings.NewReader("{}"))
		return err
	}
	if err := retry.Run(ctx, &retry.Policy{}, func(ctx context.Context) error {
		_, err := http.Post("http://venue/order", "application/json", strings.NewReader("{}"))
		return err
	}); err != nil {
		return send(ctx)
	}
	return retry.Run(ctx, &retry.Policy{Idempotent: true}, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, "POST", "http://venue/order", strings.NewReader("{}"))
		if err != nil {
			return err
		}
		req.Header.Set("Idempotency-Key", key)
		_, err = http.DefaultClient.Do(req)
		return err
	})
}
