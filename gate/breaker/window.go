package breaker

import "sync/atomic"

// slots is how many buckets a window keeps: a power of two above the ten that it reads.
const slots = 16

// A cell is one counter of one bucket: the bucket's number above, the count below. Whoever finds the number of an
// earlier bucket starts the cell anew, so that no lock and no clean-up is needed when time goes on.
type cell = atomic.Uint64

const (
	countBits = 36
	countMask = 1<<countBits - 1
	tagMask   = 1<<(64-countBits) - 1
)

// A shard holds the successes counted on one processor: 128 bytes, so that neighbours share no cache line.
type shard struct{ ok [slots]cell }

// counters count by kind and bucket. Anyone may read them at any time.
type counters struct {
	shards []shard
	rare   [kinds][slots]cell
}

// add counts one in c for the bucket tick.
func add(c *cell, tick int64) {
	tag := uint64(tick) & tagMask
	for {
		v := c.Load()
		switch ahead := (v>>countBits - tag) & tagMask; {
		case ahead == 0, v != 0 && ahead <= tagMask/2: // of this bucket, or of a later one that somebody else has begun
			c.Add(1)
			return
		}
		if c.CompareAndSwap(v, tag<<countBits|1) {
			return
		}
	}
}

// current says that c counts in the bucket tick: adding to it is all that it needs.
func current(c *cell, tick int64) bool { return c.Load()>>countBits == uint64(tick)&tagMask }

// success returns the cell for the successes of a lane.
func (c *counters) success(lane uint32, tick int64) *cell {
	return &c.shards[lane&uint32(len(c.shards)-1)].ok[tick&(slots-1)]
}

func (c *counters) count(k kind, lane uint32, tick int64) {
	i := tick & (slots - 1)
	switch k {
	case slow:
		add(&c.rare[slow][i], tick)
		fallthrough
	case ok:
		add(c.success(lane, tick), tick)
	default:
		add(&c.rare[k][i], tick)
	}
}

// bucket returns what was counted in one bucket.
func (c *counters) bucket(tick int64) Counts {
	i := tick & (slots - 1)
	tag := uint64(tick) & tagMask
	read := func(c *cell) uint64 {
		if v := c.Load(); v>>countBits == tag {
			return v & countMask
		}
		return 0
	}
	var n Counts
	for s := range c.shards {
		n.OK += read(&c.shards[s].ok[i])
	}
	n.Slow = min(read(&c.rare[slow][i]), n.OK)
	n.Transient = read(&c.rare[transient][i])
	n.Throttled = read(&c.rare[throttled][i])
	n.Ambiguous = read(&c.rare[ambiguous][i])
	n.Refused = read(&c.rare[refused][i])
	return n
}

// window returns what was counted in the buckets from first to last.
func (c *counters) window(first, last int64) Counts {
	var n Counts
	for t := max(first, 1); t <= last; t++ {
		n = n.plus(c.bucket(t))
	}
	return n
}
