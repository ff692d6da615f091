package halt

import (
	"context"
	"math"
	"runtime"
	"sync/atomic"
)

// A leaf is what the gates of one scope share.
//
// Starting an attempt is one atomic addition to a word of the attempt's lane: it counts the attempt and, with
// the same step, reads the flag in the sign bit. A stop stores the view and then sets the flag in all lanes.
// So for each attempt one of two holds: its addition came before the flag, and then it had begun before Stop
// returned; or the addition shows the flag, and then the view that the attempt loads after it is at least as
// new as the stop. There is no third case, in which an attempt looks, waits, and begins after the stop.
type leaf struct {
	lanes   []lane // a power of two of them
	view    atomic.Pointer[view]
	halted  [ways]atomic.Pointer[ending] // waits, by the way in
	work    atomic.Pointer[ending]       // contexts of Bind
	counted bool                         // attempts that ended are counted, too
	draws   atomic.Uint64
}

// A lane has two cache lines of its own, since processors fetch lines in pairs.
type lane struct {
	begun atomic.Int64 // attempts, and the flag; 2^63 attempts, which would reach it, take 290 years at one per nanosecond
	ended atomic.Int64 // of begun, while counted
	_     [112]byte
}

// special is the flag of a lane: starting takes more than counting.
const special = math.MinInt64

// lanesFor returns how many lanes to have: the lanes of attempts are numbers that calls on one processor
// mostly share, not the numbers of processors, so a few more keep them apart.
func lanesFor(processors int) int {
	n := 4
	for n < 2*processors && n < 64 {
		n *= 2
	}
	return n
}

func newLeaf(counted bool) *leaf {
	l := &leaf{lanes: make([]lane, lanesFor(runtime.GOMAXPROCS(0))), counted: counted}
	for i := range l.halted {
		l.halted[i].Store(newEnding())
	}
	l.work.Store(newEnding())
	return l
}

// set puts a view in force. It returns ends with the waits to end added. The tree's mu is held.
func (l *leaf) set(v *view, ends []end) []end {
	for i := range l.halted { // before anybody is let through, or new waits would end at once
		l.halted[i].Load().renew(&l.halted[i], v.deny[i])
	}
	l.work.Load().renew(&l.work, v.cancel)
	l.view.Store(v) // before the flags: who sees a flag must see the view
	plain := v.plain() && !l.counted
	for i := range l.lanes {
		if plain {
			l.lanes[i].begun.And(^special)
		} else {
			l.lanes[i].begun.Or(special)
		}
	}
	for i := range l.halted {
		ends = l.halted[i].Load().end(v.deny[i], ends)
	}
	return l.work.Load().end(v.cancel, ends)
}

// touch does to the lanes what set does, and changes nothing.
func (l *leaf) touch() {
	for i := range l.lanes {
		l.lanes[i].begun.Or(0)
	}
}

// counts returns the attempts that began, and those among them that run if attempts that end are counted.
func (l *leaf) counts() (begun, running int64) {
	for i := range l.lanes {
		ended := l.lanes[i].ended.Load()
		n := l.lanes[i].begun.Load() &^ special
		begun += n
		running += n - ended
	}
	if !l.counted {
		return begun, 0
	}
	return begun, max(0, running)
}

// An ending is a context that stops end.
type ending struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	over   bool // guarded by the tree's mu
}

func newEnding() *ending {
	e := &ending{}
	e.ctx, e.cancel = context.WithCancelCause(context.Background())
	return e
}

// An end is a context to be ended once the locks are released.
type end struct {
	*ending
	why *Error
}

// renew replaces a context that was ended, unless there still is a reason why it was.
func (e *ending) renew(place *atomic.Pointer[ending], why *Error) {
	if e.over && why == nil {
		place.Store(newEnding())
	}
}

// end adds the context to those to end, if there is a reason for it now.
func (e *ending) end(why *Error, ends []end) []end {
	if e.over || why == nil {
		return ends
	}
	e.over = true
	return append(ends, end{e, why})
}
