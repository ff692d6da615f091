package exchange

import (
	"math"
	"time"
)

// A ledger counts what was used of one limit. Limits.mu guards it.
type ledger struct {
	key    ledgerKey
	limit  float64
	margin float64
	form   form
	window time.Duration // of the limit, or in which a bucket fills; the shares' accounts have the same
	refill float64       // a second, of buckets

	fixed    [4]fixedWindow
	low      int64 // windows in which a request may be counted now
	high     int64
	slots    [slots + 1]float64 // of sliding windows, the newest at slot
	slot     int64
	level    float64 // of buckets and caps
	levelAt  time.Time
	unfilled bool
	reported bool // of caps: somebody says how many there are

	book      shareBook
	blocked   time.Time // nothing goes before, by the local clock
	shrunk    float64   // target that a refusal left; 0: none
	shrunkAt  time.Time
	throttled uint64
	lastSlow  time.Time
	waits     uint64 // marks who waits for it while waiters are served
}

// A form is how a ledger counts.
type form uint8

const (
	fixed   form = iota // windows at multiples of their length, on the venue's clock
	sliding             // the sum over the last window, which is cut into slots
	bucket              // a level that falls steadily
	capped              // a level that others lower
)

// slots are the parts of a sliding window. One more counts, so that the sum is never too low.
const slots = 32

type fixedWindow struct {
	id   int64
	used float64 // by us, or as the venue said, with what we used since
}

// at returns the record of a window, and begins one in the place of the oldest if there is none.
func (l *ledger) at(id int64) *fixedWindow {
	oldest := &l.fixed[0]
	for i := range l.fixed {
		switch w := &l.fixed[i]; {
		case w.id == id:
			return w
		case w.id < oldest.id:
			oldest = w
		}
	}
	*oldest = fixedWindow{id: id}
	return oldest
}

// turn brings the ledger up to now.
func (l *ledger) turn(m moment) {
	switch l.form {
	case fixed:
		// The shares of the next window open when this one has surely ended: what is let go at the edge counts in both.
		l.low, l.high = m.windows(l.window)
		l.book.roll(l.low)
		return
	case sliding:
		now := floor(m.local, l.slotLength())
		for n := int64(0); l.slot < now && n <= slots; n++ {
			l.slot++
			l.slots[l.slot%(slots+1)] = 0
		}
		l.slot = max(l.slot, now)
		// After a long pause the loop has emptied all, at the wrong places: there is nothing to tell apart.
	case bucket:
		if passed := m.local.Sub(l.levelAt); passed > 0 {
			l.level = max(0, l.level-passed.Seconds()*l.refill)
		}
		l.levelAt = m.local
	}
	l.book.roll(floor(m.local, l.window))
}

// used returns what is used now. The ledger has been turned.
func (l *ledger) used(m moment) float64 {
	switch l.form {
	case fixed:
		most := 0.0
		for id := l.low; id <= l.high; id++ {
			most = max(most, l.at(id).used)
		}
		return most
	case sliding:
		sum := 0.0
		for _, n := range l.slots {
			sum += n
		}
		return sum
	}
	return l.level
}

// slotLength is rounded up: the slots cover the window.
func (l *ledger) slotLength() time.Duration { return (l.window + slots - 1) / slots }

// target is how much may be used.
func (l *ledger) target(m moment, ramp float64) float64 {
	t := l.limit * (1 - l.margin)
	if l.shrunk > 0 {
		quiet := math.Floor(m.local.Sub(l.shrunkAt).Minutes())
		if grown := l.shrunk + 0.01*l.limit*max(0, quiet); grown < t {
			t = grown
		} else {
			l.shrunk = 0
		}
	}
	return t * ramp
}

// A part is what one request took of one ledger.
type part struct {
	ledger    *ledger
	cost      float64
	low, high int64 // windows, or the slot
	window    int64 // of the shares
	share     share
	shares    [shares]float64
}

// fits returns 0 if a cost may be taken now, and else how long at least it may not.
func (l *ledger) fits(m moment, s share, cancel bool, cost, ramp float64) time.Duration {
	l.turn(m)
	if wait := l.blocked.Sub(m.local); wait > 0 {
		return wait
	}
	if l.form == capped && !l.reported {
		return 0
	}
	used, target := l.used(m), l.target(m, ramp)
	if l.book.fits(s, cancel, cost, used, target) {
		return 0
	}
	return max(time.Millisecond, l.room(m, used+cost-target))
}

// room returns how long it takes at least until there is more room.
func (l *ledger) room(m moment, lack float64) time.Duration {
	switch l.form {
	case fixed:
		return m.next(l.window)
	case sliding:
		return time.Duration(l.slot+1)*l.slotLength() - m.local.Sub(time.Unix(0, 0))
	case bucket:
		if lack > 0 {
			return time.Duration(min(lack/l.refill*float64(time.Second), float64(maxWait)))
		}
		return min(l.window-m.local.Sub(time.Unix(0, 0))%l.window, l.window) // its share's window
	}
	return maxWait
}

// holds returns for how long a cost that is booked now is booked where the venue will count it.
func (l *ledger) holds(m moment) time.Duration {
	if l.form == fixed {
		return m.holds(l.window, l.high)
	}
	return arrival
}

// take books the cost of a part. The ledger has been turned.
func (l *ledger) take(m moment, p *part, s share, cancel bool, ramp float64) {
	p.window, p.share = l.book.window, s
	p.shares = l.book.take(s, cancel, p.cost, l.target(m, ramp))
	switch l.form {
	case fixed:
		p.low, p.high = l.low, l.high
		for id := p.low; id <= p.high; id++ {
			l.at(id).used += p.cost
		}
	case sliding:
		p.low = l.slot
		l.slots[l.slot%(slots+1)] += p.cost
	default:
		l.level += p.cost
	}
}

// giveBack undoes a part whose request was not sent.
func (l *ledger) giveBack(p *part) {
	l.book.giveBack(p.window, p.share, p.cost, p.shares)
	switch l.form {
	case fixed:
		l.eachWindow(p, func(w *fixedWindow) { w.used = max(0, w.used-p.cost) })
	case sliding:
		if p.low > l.slot-slots-1 {
			n := &l.slots[p.low%(slots+1)]
			*n = max(0, *n-p.cost)
		}
	default:
		l.level = max(0, l.level-p.cost)
	}
}

// eachWindow calls do for the windows of a part that are still known.
func (l *ledger) eachWindow(p *part, do func(*fixedWindow)) {
	for i := range l.fixed {
		if w := &l.fixed[i]; p.low <= w.id && w.id <= p.high {
			do(w)
		}
	}
}

// correct raises the count to what the venue says was used. It never lowers one. p is the part of the request that was
// answered; server is when the venue answered, by its clock.
func (l *ledger) correct(m moment, p *part, used float64, server time.Time) {
	if !(used >= 0 && used <= math.MaxInt32) {
		return
	}
	l.turn(m)
	switch l.form {
	case fixed:
		// An answer from the next window may be about a request that was counted before its edge. Of the two the earlier
		// window cannot make the later one look full.
		id := min(max(floor(server, l.window), p.low), p.high)
		if id == p.high && p.low < p.high {
			id = p.low
		}
		w := l.at(id)
		w.used = max(w.used, used)
	case sliding:
		if more := used - l.used(m); more > 0 {
			l.slots[l.slot%(slots+1)] += more
		}
	default:
		l.level = max(l.level, used)
	}
}

// late books the cost of a request in the windows after those that it was booked in, up to that of its answer: it may have
// taken longer to arrive than was allowed for.
func (l *ledger) late(m moment, p *part, answered time.Time) {
	if l.form != fixed {
		return
	}
	l.turn(m)
	for last := min(floor(answered, l.window), l.high); p.high < last; {
		p.high++
		l.at(p.high).used += p.cost
	}
}

// slow notes that the venue refused for this limit, and returns whether the local count had said that there was room, and
// whether it is the second time within a window.
func (l *ledger) slow(m moment, until time.Time, ramp float64) (early, again bool) {
	l.turn(m)
	used, target := l.used(m), l.target(m, ramp)
	early = used < target-epsilon
	again = !l.lastSlow.IsZero() && m.local.Sub(l.lastSlow) < l.window
	if early {
		l.shrunk, l.shrunkAt = max(0.9*used, l.limit/100), m.local
	}
	l.lastSlow = m.local
	l.blocked = latest(l.blocked, until)
	l.throttled++
	return early, again
}

// filled gives one count back, for limits that count unfilled orders.
func (l *ledger) filled(m moment) {
	low, high := m.windows(l.window)
	for id := low; id <= high; id++ {
		w := l.at(id)
		w.used = max(0, w.used-1)
	}
}

// quiet says that the ledger holds nothing that would be missed.
func (l *ledger) quiet(m moment) bool {
	l.turn(m)
	return l.used(m) == 0 && !l.blocked.After(m.local) && l.shrunk == 0 && l.form != capped
}
