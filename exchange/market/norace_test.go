//go:build !race

package market

const racing = false
