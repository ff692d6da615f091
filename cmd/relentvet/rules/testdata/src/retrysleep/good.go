package retrysleep

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// sleeps has no context that could end it.
func sleeps() {
	for i := 0; i < 3; i++ {
		if err := call(); err == nil {
			break
		}
		time.Sleep(time.Second)
	}
}

// unnamed cannot use its context.
func unnamed(context.Context) {
	for i := 0; i < 3; i++ {
		if err := call(); err == nil {
			break
		}
		time.Sleep(time.Second)
	}
}

// perAttempt has a context for each attempt only, which has ended when it waits.
func perAttempt() {
	for range 3 {
		ctx := context.Background()
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		err := try(ctx)
		cancel()
		if err == nil {
			return
		}
		time.Sleep(time.Second)
	}
}

func background() {
	for range 3 {
		if err := try(context.Background()); err == nil {
			return
		}
		time.Sleep(time.Second)
	}
}

// endless has a context that nothing ends.
func endless() {
	ctx := context.Background()
	for range 3 {
		if err := try(ctx); err == nil {
			return
		}
		time.Sleep(time.Second)
	}
}

func declared() {
	var ctx = context.Background()
	for range 3 {
		if err := try(ctx); err == nil {
			return
		}
		time.Sleep(time.Second)
	}
}

var forever = context.Background()

func global() {
	for range 3 {
		if err := try(forever); err == nil {
			return
		}
		time.Sleep(time.Second)
	}
}

// Tested polls in a test, whose context ends after it.
func Tested(t *testing.T) {
	ctx := t.Context()
	for {
		ok, err := ready(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			return
		}
		time.Sleep(time.Second)
	}
}

// brief waits too short for anybody to notice.
func brief(ctx context.Context) {
	for i := range 10 {
		time.Sleep(time.Duration(i+1) * 10 * time.Millisecond)
		if err := try(ctx); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
		time.Sleep(time.Duration(100*i) * time.Millisecond)
		time.Sleep(time.Duration(0.5 * float64(time.Millisecond)))
	}
}

// looks sees after each wait whether the context has ended.
func looks(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := try(ctx); err == nil {
			return nil
		}
		time.Sleep(time.Second)
	}
	return ctx.Err()
}

// paced waits between events, for no failure and for nothing to come true.
func paced(ctx context.Context) {
	for i := 0; ; i++ {
		time.Sleep(time.Second)
		if _, err := ready(ctx, fmt.Sprint(i)); err != nil {
			fmt.Println(err)
		}
	}
}

func items(ctx context.Context, all []string) error {
	for _, a := range all {
		if _, err := ready(ctx, a); err != nil {
			fmt.Println(err)
			time.Sleep(time.Second)
		}
	}
	return nil
}
