package profile

import "time"

// A window sums up amounts of several kinds over a sliding time, in slots of a fraction of it. What
// was added counts until the slot has left the window: the time of the window at most, and one
// slot less at least. The slots begin with the first time seen.
//
// The windows of Finagle and Tower let a slot last longer when nothing happens in it; this one does not.
type window struct {
	clock
	width   time.Duration // of a slot
	slots   [][kinds]int64
	current int64 // number of the slot that is written to, from 0 on
	sum     [kinds]int64
}

// kinds is how many amounts a slot holds.
const kinds = 3

// open sets up a window of n slots unless that was done.
func (w *window) open(length time.Duration, n int) {
	if w.slots == nil {
		w.width, w.slots = length/time.Duration(n), make([][kinds]int64, n)
	}
}

// move goes forward to t, and forgets the slots that have left the window.
func (w *window) move(t time.Time) {
	now := int64(w.at(t) / w.width)
	for n := min(now-w.current, int64(len(w.slots))); n > 0; n-- {
		slot := &w.slots[(now-n+1)%int64(len(w.slots))]
		for k := range slot {
			w.sum[k] -= slot[k]
		}
		*slot = [kinds]int64{}
	}
	w.current = now
}

// add adds to the current slot.
func (w *window) add(kind int, amount int64) {
	w.slots[w.current%int64(len(w.slots))][kind] += amount
	w.sum[kind] += amount
}

// mark identifies the current slot for undo. It is never 0.
func (w *window) mark() uint64 { return uint64(w.current) + 1 }

// undo takes back what was added in the slot of a mark, unless it has left the window. It does nothing for 0.
func (w *window) undo(mark uint64, kind int, amount int64) {
	if mark == 0 || w.current-int64(mark-1) >= int64(len(w.slots)) {
		return
	}
	w.slots[int64(mark-1)%int64(len(w.slots))][kind] -= amount
	w.sum[kind] -= amount
}
