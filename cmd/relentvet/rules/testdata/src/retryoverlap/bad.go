package retryoverlap

import (
	"context"
	"errors"
	"time"

	"github.com/relent-go/relent/retry"
)

func call() error                { return nil }
func with(context.Context) error { return nil }

func deaf(ctx context.Context) error {
	return retry.Run(ctx, &retry.Policy{AttemptTimeout: time.Second}, func(context.Context) error { // want `AttemptTimeout cannot end it`
		return call()
	})
}

func left(ctx context.Context, p *retry.Policy) error {
	return retry.Run(ctx, p, func(ctx context.Context) error {
		done := make(chan error, 1)
		go func() { done <- call() }() // want `the next attempt runs beside it`
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func byHand() error {
	for range 3 {
		done := make(chan error, 1)
		timer := time.NewTimer(time.Second)
		go func() { // want `the next attempt runs beside it`
			err := call()
			done <- err
		}()
		err := errors.New("timed out")
		select {
		case err = <-done:
		case <-timer.C:
		}
		if err == nil {
			return nil
		}
		err = call()
		if err == nil {
			return nil
		}
		time.Sleep(time.Second)
	}
	return nil
}
