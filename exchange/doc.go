// Package exchange knows venues: their facts, their limits, and what their answers mean.
package exchange
