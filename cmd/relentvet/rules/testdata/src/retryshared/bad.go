package retryshared

import (
	"math/rand"
	"time"

	"github.com/cenkalti/backoff/v4"
)

var shared = backoff.NewExponentialBackOff()

var source = rand.New(rand.NewSource(1))

func call() error { return nil }

func retries() error {
	return backoff.Retry(call, shared) // want `shared is shared by all calls`
}

func again() error {
	shared.Reset()
	return retries()
}

func jitter(d time.Duration) time.Duration {
	return time.Duration(source.Int63n(int64(d))) // want `source is shared by all calls`
}
