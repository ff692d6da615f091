package venue

import (
	"hash/fnv"
	"math/rand/v2"
)

// mix is the finaliser of SplitMix64: it turns neighbouring numbers into unrelated ones.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// draw returns a number in [0, 1) that depends on its arguments alone.
func draw(seed uint64, what string, n uint64) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(what)) // a hash never fails
	return float64(mix(mix(seed^h.Sum64())^n)>>11) / (1 << 53)
}

// generator returns the random numbers of one part of the venue.
func generator(seed uint64, part string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(part)) // a hash never fails
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// generatedID makes the client id of an order or a cancel that came without one: 22 characters, as the venue's are.
func generatedID(seed uint64, what string, n uint64) string {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	g := rand.New(rand.NewPCG(mix(seed^n), generator(seed, what).Uint64()))
	id := make([]byte, 22)
	for i := range id {
		id[i] = letters[g.IntN(len(letters))]
	}
	return string(id)
}
