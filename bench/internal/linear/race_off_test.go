//go:build !race

package linear

const slowdown = 1
