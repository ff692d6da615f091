// Package backoff has names of the real one.
package backoff

type BackOff interface{ Reset() }

type ExponentialBackOff struct{}

func (*ExponentialBackOff) Reset() {}

func NewExponentialBackOff() *ExponentialBackOff { return nil }

func Retry(o func() error, b BackOff) error { return nil }
