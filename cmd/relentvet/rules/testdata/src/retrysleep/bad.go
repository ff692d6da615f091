package retrysleep

import (
	"context"
	"log"
	"math/rand/v2"
	"time"
)

func call() error                                    { return nil }
func ready(context.Context, string) (bool, error)    { return false, nil }
func dial(context.Context) (func(), error)           { return nil, nil }
func interval(int) time.Duration                     { return 0 }
func try(context.Context) error                      { return nil }
func list(context.Context, string) ([]string, error) { return nil, nil }

func retries(ctx context.Context) (err error) {
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

func first(ctx context.Context) (err error) {
	for i := range 3 {
		if i > 0 {
			time.Sleep(time.Second + rand.N(5*time.Second)) // want `does not end with the context`
		}
		if err = try(ctx); err == nil {
			return nil
		}
	}
	return err
}

// reconnects goes around after a success, too.
func reconnects(ctx context.Context) {
	for n := 0; ; n++ {
		run, err := dial(ctx)
		if err != nil {
			log.Print(err)
			time.Sleep(interval(n)) // want `does not end with the context`
			continue
		}
		run()
	}
}

// polls asks until it is so.
func polls(ctx context.Context) error {
	for {
		ok, err := ready(ctx, "a")
		if err != nil {
			return err
		}
		if ok {
			return nil
		}
		time.Sleep(time.Second) // want `does not end with the context`
	}
}

type server struct{ ctx context.Context }

// kept has its context in a field, and makes one for each attempt from it.
func (s *server) kept() {
	go func() {
		for {
			ctx, cancel := context.WithTimeout(s.ctx, time.Second)
			err := try(ctx)
			cancel()
			if err == nil {
				return
			}
			time.Sleep(time.Second) // want `does not end with the context`
		}
	}()
}

func empty(ctx context.Context) []string {
	for {
		all, err := list(ctx, "a")
		if err != nil || len(all) == 0 {
			time.Sleep(time.Second) // want `does not end with the context`
			continue
		}
		return all
	}
}

// configured waits for a number of milliseconds that is not known here.
func configured(ms int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for range 3 {
		if err := try(ctx); err == nil {
			return
		}
		time.Sleep(time.Duration(ms) * time.Millisecond) // want `does not end with the context`
	}
}

func fractions(ctx context.Context) {
	for i := range 3 {
		if err := try(ctx); err == nil {
			return
		}
		time.Sleep(time.Duration(1.5 * float64(i) * float64(time.Second))) // want `does not end with the context`
	}
}
