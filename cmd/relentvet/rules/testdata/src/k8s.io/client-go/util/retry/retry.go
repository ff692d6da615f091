// Package retry has names of the real one.
package retry

func OnError(backoff int, retriable func(error) bool, fn func() error) error { return nil }
