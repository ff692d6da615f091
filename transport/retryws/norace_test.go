//go:build !race

package retryws_test

const raced = false
