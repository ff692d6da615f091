package budget

import "sync/atomic"

// shards is a power of two, so that a lane is found with a mask.
const shards = 32

// lanes count first attempts in flight. Each counter has two cache lines of its own, since processors fetch
// lines in pairs: calls on different processors do not disturb each other.
type lanes [shards]struct {
	n atomic.Int64
	_ [120]byte
}

func (l *lanes) add(lane uint32, n int64) { l[lane&(shards-1)].n.Add(n) }

// sum is exact when nobody adds at the same time; otherwise each call that comes or goes meanwhile may or may not be in it.
func (l *lanes) sum() int64 {
	var sum int64
	for i := range l {
		sum += l[i].n.Load()
	}
	return max(0, sum)
}
