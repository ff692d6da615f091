//go:build race

package retryws_test

// raced says that the race detector is on, which cannot bear millions of switches between goroutines.
const raced = true
