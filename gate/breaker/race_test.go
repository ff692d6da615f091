//go:build race

package breaker_test

// racing says that the race detector is on. It makes the statistics of single goroutines ten times as long, and has
// nothing to find in them.
const racing = true
