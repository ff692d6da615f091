package retrydefer

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/relent-go/relent/retry"
)

// lastRound defers where the loop cannot go around any more.
func lastRound() (string, error) {
	for i := 0; i < 3; i++ {
		f, err := os.Open("a")
		if err != nil {
			time.Sleep(time.Second)
			continue
		}
		defer f.Close()
		return f.Name(), nil
	}
	return "", os.ErrNotExist
}

func locked() {
	for i := 0; i < 3; i++ {
		f, err := os.Open("a")
		if err == nil {
			defer f.Close()
			fmt.Println(f.Name())
			return
		}
		time.Sleep(time.Second)
	}
}

func inFunctions(ctx context.Context, p *retry.Policy) (v string, err error) {
	for ctx := range retry.Attempts(ctx, p, &err) {
		func() {
			v, err = fetch(ctx)
			defer fmt.Println(v)
		}()
	}
	return v, err
}
