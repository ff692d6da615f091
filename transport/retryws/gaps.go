package retryws

import (
	"math/bits"
	"time"
)

// gaps learns how long the silences of a topic are: counts in buckets of a quarter of an octave from a
// millisecond on, so that a quantile is at most 25 % too long. Halving the counts forgets the past.
type gaps struct {
	counts [96]uint16
	total  uint32
}

// Below so many gaps nothing is known.
const fewGaps = 20

// forget is how many gaps are held, at most.
const forget = 4096

func (g *gaps) add(d time.Duration) {
	if g.total >= forget {
		g.total = 0
		for i := range g.counts {
			g.counts[i] /= 2
			g.total += uint32(g.counts[i])
		}
	}
	g.counts[bucket(d)]++
	g.total++
}

// p99 returns the upper bound of the 99th percentile, by nearest rank, and false while too little is known.
func (g *gaps) p99() (time.Duration, bool) {
	if g.total < fewGaps {
		return 0, false
	}
	above := g.total / 100 // so many may be longer
	for i := len(g.counts) - 1; ; i-- {
		if n := uint32(g.counts[i]); n > above {
			return upper(i), true
		} else {
			above -= n
		}
	}
}

// bucket numbers quarters of octaves: 4·log2 of milliseconds, linear within an octave.
func bucket(d time.Duration) int {
	ms := uint64(max(0, d)/time.Millisecond) + 1
	octave := bits.Len64(ms) - 1
	quarter := (ms << 2 >> octave) & 3
	return min(octave*4+int(quarter), 95)
}

// upper is the end of a bucket.
func upper(i int) time.Duration {
	octave, quarter := i/4, uint64(i%4)
	return time.Duration((5+quarter)<<octave/4) * time.Millisecond
}
