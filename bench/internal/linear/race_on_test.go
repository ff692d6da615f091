//go:build race

package linear

// slowdown is what the race detector costs: so many times fewer histories.
const slowdown = 16
