package limit

import "github.com/relent-go/relent/retry"

// classes is how many priorities there are.
const classes = 3

// A waiter is an attempt that waits for its turn. Its queue's mutex guards it.
type waiter struct {
	class      int // 0 is served first
	prev, next *waiter
	turn       chan struct{} // holds one: look again
	granted    bool          // it has what it waited for, and left the queue
	shed       bool          // it lost its place to a more urgent one
}

// wake makes the waiter look again.
func (w *waiter) wake() {
	select {
	case w.turn <- struct{}{}:
	default:
	}
}

// A queue holds waiters, the most urgent first and each class in the order of arrival. The zero value is empty.
type queue struct {
	lines [classes]struct{ first, last *waiter }
	n     int
}

// class is the place of an attempt's priority among the lines.
func class(a *retry.Attempt) int {
	if a.Policy == nil {
		return 1
	}
	return 1 - int(max(retry.Sheddable, min(retry.Critical, a.Policy.Priority)))
}

// join adds a new waiter. If the queue holds most already, the waiter returned as shed left for it; a nil w
// means that nobody is less urgent.
func (q *queue) join(class, most int) (w, shed *waiter) {
	if q.n >= most {
		if shed = q.last(class); shed == nil {
			return nil, nil
		}
		q.remove(shed)
		shed.shed = true
	}
	w = &waiter{class: class, turn: make(chan struct{}, 1)}
	line := &q.lines[class]
	if w.prev = line.last; w.prev == nil {
		line.first = w
	} else {
		w.prev.next = w
	}
	line.last = w
	q.n++
	return w, shed
}

// last returns who came last in the last line behind class, or nil.
func (q *queue) last(class int) *waiter {
	for i := classes - 1; i > class; i-- {
		if w := q.lines[i].last; w != nil {
			return w
		}
	}
	return nil
}

// first returns whose turn it is, or nil.
func (q *queue) first() *waiter {
	for i := range q.lines {
		if w := q.lines[i].first; w != nil {
			return w
		}
	}
	return nil
}

// ahead returns how many a new waiter of class would wait behind.
func (q *queue) ahead(class int) int {
	n := 0
	for i := range class + 1 {
		for w := q.lines[i].first; w != nil; w = w.next {
			n++
		}
	}
	return n
}

// remove takes a waiter out, who is in.
func (q *queue) remove(w *waiter) {
	line := &q.lines[w.class]
	if w.prev == nil {
		line.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		line.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
	q.n--
}
