package lease

import "sync"

const (
	slots = 5 // of the history
	lanes = 8 // a power of two
)

// deposits are what first attempts earned, by the time when they did, for so long as that counts. Each lane has
// its own, because every call comes here.
type deposits [lanes]struct {
	lane
	_ [128 - laneSize]byte
}

const laneSize = 8 + 8 + 8*slots

// A lane holds the last slots of time.
type lane struct {
	mu      sync.Mutex
	current int64 // number of the latest slot; guarded by mu
	amounts [slots]int64
}

// move forgets what is no longer among the slots up to now. A time that is earlier than another counts as that. The
// caller holds mu.
func (l *lane) move(now int64) {
	for n := min(now-l.current, slots); n > 0; n-- {
		l.amounts[(now-n+1)%slots] = 0
	}
	l.current = max(l.current, now)
}

// add earns n in a slot.
func (d *deposits) add(to uint32, now, n int64) {
	l := &d[to%lanes].lane
	l.mu.Lock()
	defer l.mu.Unlock()
	l.move(now)
	l.amounts[l.current%slots] += n
}

// sum is what counts.
func (d *deposits) sum(now int64) (sum int64) {
	for i := range d {
		l := &d[i].lane
		l.mu.Lock()
		l.move(now)
		for _, n := range l.amounts {
			sum += n
		}
		l.mu.Unlock()
	}
	return sum
}

// take takes up to n out, the oldest of each lane first, and returns how much it found.
func (d *deposits) take(now, n int64) (taken int64) {
	for i := range d {
		l := &d[i].lane
		l.mu.Lock()
		l.move(now)
		for slot := l.current + 1; slot <= l.current+slots; slot++ { // the same places, the oldest first
			amount := &l.amounts[slot%slots]
			part := min(*amount, n-taken)
			*amount -= part
			taken += part
		}
		l.mu.Unlock()
	}
	return taken
}
