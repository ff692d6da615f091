package exchange

import "time"

// A moment is now, by this machine's monotonic clock and by the venue's.
type moment struct {
	local time.Time
	venue time.Time
	off   time.Duration // of venue, either way
}

// arrival is how long after the grant a request may take to be counted by the venue.
const arrival = 500 * time.Millisecond

// windows returns the windows of the venue in which a request that is let go now may be counted: mostly one, two at the
// edge.
func (m moment) windows(length time.Duration) (low, high int64) {
	off := min(m.off, length/4)
	return floor(m.venue.Add(-off), length), floor(m.venue.Add(off+min(arrival, length/10)), length)
}

// next returns how long it is until the current window has surely ended.
func (m moment) next(length time.Duration) time.Duration {
	low, _ := m.windows(length)
	return time.Duration(low+1)*length - m.venue.Add(-min(m.off, length/4)).Sub(time.Unix(0, 0))
}

// floor numbers the windows of some length since 1970.
func floor(t time.Time, length time.Duration) int64 {
	since := t.UnixNano()
	n := since / int64(length)
	if since < 0 {
		n--
	}
	return n
}
