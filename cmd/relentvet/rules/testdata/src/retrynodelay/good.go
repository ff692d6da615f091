package retrynodelay

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func waits() (err error) {
	for range 3 {
		if err = call(); err == nil {
			return nil
		}
		time.Sleep(time.Second)
	}
	return err
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

type pool struct{}

func (pool) next() string { return "" }

// balanced takes another server each time.
func balanced(p pool) (v string, err error) {
	for range 3 {
		if v, err = fetch(p.next()); err == nil {
			return v, nil
		}
	}
	return "", err
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

type coded struct{ code int }

func (coded) Error() string { return "" }

// created mends what was missing before it tries again.
func created() error {
	for range 2 {
		err := call()
		if err == nil {
			return nil
		}
		e, ok := errors.AsType[coded](err)
		if !ok || e.code != 404 {
			return fmt.Errorf("call: %w", err)
		}
	}
	return nil
}

// fixed tries again at once only where another port may be free.
func fixed(port int) (err error) {
	for range 10 {
		if err = call(); err == nil {
			return nil
		}
		if port != 0 {
			break
		}
	}
	return err
}

// all goes on after a success.
func all() {
	for i := 0; i < 3; i++ {
		v, err := fetch("a")
		if err != nil {
			continue
		}
		fmt.Println(v)
	}
}

func do(func() error) error { return nil }

// polls is given something that waits.
func polls(ctx context.Context, poll func() error) (err error) {
	for ctx.Err() == nil {
		if err = do(poll); err == nil {
			break
		}
	}
	return err
}
