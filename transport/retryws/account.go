package retryws

import (
	"context"
	"time"

	"github.com/relent-go/relent/backoff"
)

// fillOverlap is how far before the last event fills are read again.
const fillOverlap = time.Minute

// reconcileBackoff is the wait after a read that failed.
var reconcileBackoff = backoff.Exponential{Base: time.Second, Max: 30 * time.Second}

// reconciler reads the account again: after each new link, before its events are delivered, and from time to time.
func (s *Session) reconciler(ctx context.Context) {
	a := s.c.Account
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	timer.Stop()
	for failures := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-s.books:
		case <-timer.C:
		}
		l, since := s.subscribed()
		if l == nil {
			continue
		}
		n, err := a.Reconcile(l.ctx, since)
		s.readDone()
		switch {
		case l.ctx.Err() != nil:
			failures = 0
			s.reviewBooks()
			continue
		case err != nil:
			failures++
			wait := reconcileBackoff.Delay(failures, 0, s.c.Rand())
			s.tellOf(Change{Kind: ReconcileError, Link: l.number, Err: err, Wait: wait})
			if !s.rest(l, wait) {
				failures = 0
			}
			raise(s.books)
			continue
		}
		failures = 0
		s.reconciled(l, n)
		if a.Every > 0 { // a third either way: 30 to 60 s
			timer.Reset(time.Duration((2 + 2*s.c.Rand()) / 3 * float64(a.Every)))
		}
	}
}

// rest waits while the link lives.
func (s *Session) rest(l *link, d time.Duration) bool { return sleep(l.ctx, d) }

// reviewBooks asks for a read of the link that is active now, if it needs one.
func (s *Session) reviewBooks() {
	s.mu.Lock()
	s.update(time.Now())
	s.mu.Unlock()
	s.flush()
}

// readDone lets the next read be asked for.
func (s *Session) readDone() {
	s.mu.Lock()
	s.reading = false
	s.mu.Unlock()
}

// subscribed returns the active link if everything wanted is confirmed on it, and since when to read. A read
// begins then.
func (s *Session) subscribed() (*link, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.active
	if l == nil || l.over || !l.authed || !l.heard || !l.complete() {
		return nil, time.Time{}
	}
	s.reading = true
	if s.last.IsZero() {
		return l, time.Time{}
	}
	return l, s.last.Add(-fillOverlap)
}

// reconciled takes note of a read. The first on a link makes the account clean, and what has waited is
// delivered. Later ones show what the stream has lost.
func (s *Session) reconciled(l *link, differences int) {
	now := time.Now()
	s.mu.Lock()
	switch {
	case !l.clean && !l.over:
		s.stats.differ.Add(uint64(max(0, differences)))
		l.clean = true
		l.play(now)
		if !l.over {
			s.dirty = false
			s.note(Change{Kind: AccountClean, Link: l.number})
		}
		s.update(now)
	case l.clean && differences > 0:
		s.stats.lost.Add(uint64(differences))
		s.note(Change{Kind: LostFound, Link: l.number, Count: differences})
		if l.mute(now) {
			l.end(ending{sign: Lost, reason: Heartbeats, err: ErrLost}, CloseNormal)
		}
	}
	s.mu.Unlock()
	s.flush()
}
