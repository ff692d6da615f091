//go:build !race

package breaker_test

const racing = false
