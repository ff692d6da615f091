package retrynodelay

import (
	"context"
	"fmt"
)

func call() error                  { return nil }
func fetch(string) (string, error) { return "", nil }

func counted() (err error) {
	for i := 0; i < 3; i++ { // want `without a wait`
		err = call()
		if err == nil {
			return nil
		}
	}
	return err
}

func ranged() (v string, err error) {
	for range 3 { // want `without a wait`
		if v, err = fetch("a"); err == nil {
			break
		}
	}
	return v, err
}

func countedInside() error {
	left := 5
	for { // want `without a wait`
		err := call()
		if err == nil {
			return nil
		}
		left--
		fmt.Println(err, left)
		if left == 0 {
			return err
		}
	}
}

func untilCancelled(ctx context.Context) {
	for ctx.Err() == nil { // want `without a wait`
		if err := call(); err == nil {
			return
		}
	}
}
