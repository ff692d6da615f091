package retryshared

import (
	"math/rand"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
)

func own() error { return backoff.Retry(call, backoff.NewExponentialBackOff()) }

var (
	mu       sync.Mutex
	guarded1 = rand.New(rand.NewSource(1))
	dice     = rand.New(rand.NewSource(1))
	set      = backoff.NewExponentialBackOff()
)

func delay(d time.Duration) time.Duration {
	mu.Lock()
	defer mu.Unlock()
	return time.Duration(guarded1.Int63n(int64(d)))
}

// roll has nothing to do with the wait after it.
func roll() int {
	n := dice.Intn(6)
	time.Sleep(time.Second)
	return n
}

func init() { set.Reset() }
