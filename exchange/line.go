package exchange

import (
	"context"
	"slices"
	"time"
)

// A waiter is a request that waits for its grant. Limits.mu guards it.
type waiter struct {
	r       *request
	g       *grant
	line    int
	turn    chan struct{} // holds one: look again
	granted bool
	due     time.Time // not before
	short   *ledger   // what it waits for
}

// lines hold who waits, in the order in which they are served: cancels, verification, orders, repair, the rest; and in
// each the order of arrival.
type lines struct {
	of     [5][]*waiter
	n      int
	leader *waiter // who has an eye on the time for all
	round  uint64
}

// lineOf is the line of a kind of request.
func lineOf(k Kind) int {
	if k == Cancel {
		return 0
	}
	return [shares]int{shareOrders: 2, shareVerify: 1, shareRepair: 3, shareRest: 4}[shareOf(k)]
}

// wait waits for a grant. l.mu is held, and let go meanwhile.
func (l *Limits) wait(ctx context.Context, m moment, r *request, g *grant) error {
	if l.lines.n >= l.maxWaiters() {
		return &LimitError{Venue: l.Profile.Exchange, Limit: "any", Reason: ErrCrowded}
	}
	w := &waiter{r: r, g: g, line: lineOf(r.kind), turn: make(chan struct{}, 1)}
	l.lines.of[w.line] = append(l.lines.of[w.line], w)
	l.lines.n++
	g.waited = true
	began := m.local
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		m = l.now()
		next := l.serve(m)
		left := l.maxWait() - m.local.Sub(began)
		switch {
		case w.granted:
			return nil
		case ctx.Err() != nil:
			l.leave(w)
			return context.Cause(ctx)
		}
		if err := l.refuse(ctx, m, w.short, max(1, w.due.Sub(m.local)), left); err != nil {
			l.leave(w)
			return err
		}
		if l.lines.leader == nil {
			l.lines.leader = w
		}
		pause := left
		if l.lines.leader == w {
			pause = min(left, next)
		}
		l.mu.Unlock()
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-w.turn:
		case <-ctx.Done():
		}
		l.mu.Lock()
	}
}

// serve gives everybody in the lines what there is, and returns when to look again. l.mu is held.
func (l *Limits) serve(m moment) time.Duration {
	next := maxWait
	for i := range l.lines.of {
		l.lines.round++
		line := l.lines.of[i]
		kept := line[:0]
		for _, w := range line {
			if l.ahead(w) {
				w.due, w.short = m.local, w.g.parts[0].ledger
			} else if wait, short := l.take(m, w.r, w.g); wait == 0 {
				w.granted = true
				l.lines.n--
				l.dismiss(w)
				w.wake()
				continue
			} else {
				w.due, w.short = m.local.Add(wait), short
				next = min(next, wait)
			}
			for j := range w.g.parts {
				w.g.parts[j].ledger.waits = l.lines.round
			}
			kept = append(kept, w)
		}
		clear(line[len(kept):])
		l.lines.of[i] = kept
	}
	return max(next, time.Millisecond)
}

// ahead says whether somebody ahead in the line waits for one of the same ledgers. l.mu is held.
func (l *Limits) ahead(w *waiter) bool {
	for i := range w.g.parts {
		if w.g.parts[i].ledger.waits == l.lines.round {
			return true
		}
	}
	return false
}

// leave takes a waiter out. l.mu is held.
func (l *Limits) leave(w *waiter) {
	line := l.lines.of[w.line]
	i := slices.Index(line, w)
	l.lines.of[w.line] = slices.Delete(line, i, i+1)
	l.lines.n--
	l.dismiss(w)
	l.wake()
}

// dismiss passes the eye on the time on, if it was w's. l.mu is held.
func (l *Limits) dismiss(w *waiter) {
	if l.lines.leader == w {
		l.lines.leader = nil
		l.wake()
	}
}

// wake makes one of those who wait look at the lines. l.mu is held.
func (l *Limits) wake() {
	for _, line := range l.lines.of {
		for _, w := range line {
			if !w.granted {
				w.wake()
				return
			}
		}
	}
}

// wake makes a waiter look again.
func (w *waiter) wake() {
	select {
	case w.turn <- struct{}{}:
	default:
	}
}
