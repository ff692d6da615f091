package lease

import (
	"sync"
	"sync/atomic"
)

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

// A lane holds the last slots of time. Adding to the current slot, which is what nearly every call does, takes no lock.
// Somebody who is held up right there for the whole history adds to a slot that has a new meaning by then:
// one deposit that counts once, but late.
type lane struct {
	mu      sync.Mutex   // of whoever goes on to another slot, or takes
	current atomic.Int64 // number of the latest slot
	amounts [slots]atomic.Int64
}

// move forgets what is no longer among the slots up to now. A time that is earlier than another counts as that. The
// caller holds mu.
func (l *lane) move(now int64) {
	current := l.current.Load()
	for n := min(now-current, slots); n > 0; n-- {
		l.amounts[(now-n+1)%slots].Store(0)
	}
	l.current.Store(max(current, now))
}

// add earns n in a slot.
func (d *deposits) add(to uint32, now, n int64) {
	l := &d[to%lanes].lane
	if now > l.current.Load() {
		l.mu.Lock()
		l.move(now)
		l.mu.Unlock()
	}
	l.amounts[l.current.Load()%slots].Add(n)
}

// sum is what counts.
func (d *deposits) sum(now int64) (sum int64) {
	for i := range d {
		l := &d[i].lane
		l.mu.Lock()
		l.move(now)
		for k := range l.amounts {
			sum += l.amounts[k].Load()
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
		for age := int64(slots) - 1; age >= 0; age-- {
			amount := &l.amounts[(l.current.Load()+slots-age)%slots]
			part := min(amount.Load(), n-taken)
			amount.Add(-part)
			taken += part
		}
		l.mu.Unlock()
	}
	return taken
}
