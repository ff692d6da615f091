package exchange

import "time"

// A moment is now, by this machine's monotonic clock and by the venue's.
type moment struct {
	local time.Time
	venue time.Time
	off   time.Duration // of venue, either way
}

// arrival is how long after it was let go a request may take to be counted by the venue.
const arrival = 500 * time.Millisecond

// gateways is how far the clock of whoever counts may be behind that of whoever writes the Date of an answer: they are
// different machines of the venue.
const gateways = 250 * time.Millisecond

// edges are the earliest and the latest time by which the venue may count, in windows of some length, a request that is let
// go now.
func (m moment) edges(length time.Duration) (early, late time.Time) {
	off := min(m.off, length/4)
	return m.venue.Add(-off - min(gateways, length/20)), m.venue.Add(off + min(arrival, length/10))
}

// windows returns the windows of the venue in which a request that is let go now may be counted: mostly one, two at the
// edge.
func (m moment) windows(length time.Duration) (low, high int64) {
	early, late := m.edges(length)
	return floor(early, length), floor(late, length)
}

// next returns how long it is until the current window has surely ended.
func (m moment) next(length time.Duration) time.Duration {
	early, _ := m.edges(length)
	return time.Duration(floor(early, length)+1)*length - early.Sub(time.Unix(0, 0))
}

// holds returns how long what may be let go now is counted in no window after high.
func (m moment) holds(length time.Duration, high int64) time.Duration {
	_, late := m.edges(length)
	return time.Duration(high+1)*length - late.Sub(time.Unix(0, 0))
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
