package sim

import (
	"math/rand/v2"
	"sync"
)

// A purpose has random streams of its own, so that a change in one thing does not reshuffle the others.
type purpose uint64

const (
	arrivals purpose = iota + 1
	service
	jitter  // one stream for each client
	choice  // of the client
	gates   // one stream for each client
	network // one stream for each client
)

// stream returns the random numbers of one purpose, and of one client where each has its own.
func stream(seed uint64, p purpose, client int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(p)<<32+uint64(client)))
}

// chance draws from a stream, and is safe for concurrent use, as policies ask of it.
func chance(seed uint64, p purpose, client int) func() float64 {
	var mu sync.Mutex
	r := stream(seed, p, client)
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return r.Float64()
	}
}

// scramble is the output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): neighbours
// become strangers.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
