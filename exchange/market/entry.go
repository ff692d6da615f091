package market

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/relent-go/relent/retry"
)

// entry is the book of one symbol and those who want to see it. A book that is carried and not SYNCED
// has its errand waiting or under way.
type entry struct {
	books  *Books
	errand errand

	mu       sync.Mutex // after the Link's, before the roster's and the Watch's
	book     *Book      // guarded by mu
	link     *Link      // guarded by mu; the one that carries the symbol; nil if none does
	shown    State      // guarded by mu; what consumers were told last
	top      Top        // guarded by mu
	round    uint64     // guarded by mu; rises when an answer under way is no longer wanted
	tries    int        // guarded by mu; repairs that failed in a row
	watchers []*seat    // guarded by mu
	counts   BookStats  // guarded by mu
}

// start makes the book wait for its first snapshot, which comes in band or is asked for at once.
func (e *entry) start(l *Link, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	was := e.link
	e.link = l
	if was != nil && e.book.state == Synced && e.books.Rules.Sequence.portable() {
		return
	}
	e.tries = 0
	e.round++
	e.book.Begin(now)
	due := now
	if !e.books.Rules.Fetched {
		due = now.Add(answerIn)
	}
	e.books.roster.put(&e.errand, due, e.tries)
	e.tell()
}

// stop forgets the book.
func (e *entry) stop(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.drop()
	e.book.Clear(now)
	e.tell()
}

// lose makes the book STALE until somebody carries it again.
func (e *entry) lose(l *Link, reason error, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.link == l {
		e.drop()
		e.book.Invalidate(reason, now)
		e.tell()
	}
}

// drop ends all repairs. The caller holds mu.
func (e *entry) drop() {
	e.link = nil
	e.round++
	e.books.roster.drop(&e.errand)
}

// apply hands a delta to the book.
func (e *entry) apply(l *Link, d *Delta, now time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.link != l {
		return nil
	}
	e.counts.Received++
	was, version, settled := e.book.state, e.book.version, e.settled(now)
	err := e.book.Apply(d, now)
	switch {
	case err != nil:
		e.spoilt(settled, now)
	case e.book.version == version:
		return nil // late, kept or ignored
	case was != Synced: // a snapshot in band
		e.round++
		e.books.roster.drop(&e.errand)
	}
	e.tell()
	return err
}

// suspect makes a SYNCED book STALE for a reason beside its deltas. The caller holds mu.
func (e *entry) suspect(reason error, now time.Time) {
	if e.book.state == Synced {
		settled := e.settled(now)
		e.book.Invalidate(reason, now)
		e.spoilt(settled, now)
		e.tell()
	}
}

// settled says whether the book has been SYNCED long enough to forget what failed before.
func (e *entry) settled(now time.Time) bool {
	return e.book.state == Synced && now.Sub(e.book.synced) >= resetAfter
}

// spoilt has a book repaired that has just become STALE. The caller holds mu.
func (e *entry) spoilt(settled bool, now time.Time) {
	if settled {
		e.tries = 0
	}
	e.round++
	e.again(0, now)
}

// again waits for the next repair, longer after each that failed, and floor at least. The caller holds mu.
func (e *entry) again(floor time.Duration, now time.Time) {
	e.tries++
	e.books.roster.put(&e.errand, now.Add(max(floor, e.books.delay(e.tries))), e.tries)
}

// repair asks for a snapshot, once.
func (e *entry) repair(ctx context.Context) {
	symbol, round, asked, ok := e.begin()
	if !ok {
		return
	}
	s, err := e.books.Source(ctx, symbol)
	now := time.Now()

	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.round != round: // something else happened meanwhile
		return
	case err == nil && !e.books.Rules.Fetched:
		e.again(answerIn, now) // unless the snapshot arrives
		return
	case err == nil && s == nil:
		err = errors.New("no snapshot")
	case err == nil:
		err = e.book.Load(s, asked, now)
	}
	if err != nil {
		e.counts.Failed++
		e.again(retry.Hint(err), now)
	}
	e.tell()
}

// begin makes the book BUFFERING, unless it needs no repair any more.
func (e *entry) begin() (symbol string, round uint64, asked time.Time, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	asked = time.Now()
	if e.link == nil || e.book.state == Synced {
		return "", 0, asked, false
	}
	if e.book.state != Buffering { // else it keeps the deltas it has
		e.book.Begin(asked)
		e.tell()
	}
	e.counts.Snapshots++
	return e.book.symbol, e.round, asked, true
}

// tell lets consumers know that there is something new. The caller holds mu.
func (e *entry) tell() {
	now := e.book.State()
	if e.shown == Synced && now == Stale {
		e.counts.Stale++
	}
	e.shown = now
	bid, ask := e.book.Top()
	e.top = Top{Bid: bid, Ask: ask, State: now, Sequence: e.book.mark.last, Updated: e.book.updated}
	for _, s := range e.watchers {
		s.changed()
	}
}

// leave takes a consumer off.
func (e *entry) leave(s *seat) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := slices.Index(e.watchers, s); i >= 0 {
		e.watchers = slices.Delete(e.watchers, i, i+1)
	}
}
