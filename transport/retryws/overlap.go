package retryws

import (
	"context"
	"time"
)

// overlap says whether b may take over from a: everything wanted is confirmed on it, and for each topic
// it has brought a message that a has brought, too. A topic that is quiet on b overlaps a second after
// its confirmation: what was published before that has come on a by then.
func (s *Session) overlap(a, b *link, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.over || b.over || !b.authed || !b.heard || !b.complete() || s.c.Account != nil && !a.clean {
		return false
	}
	for t := range s.want {
		sub := b.subs[t]
		fl := sub.flow
		switch {
		case !fl.live:
		case !sub.got:
			if now.Sub(sub.since) < settleTime {
				return false
			}
		case sub.first != 0:
			if sub.first > fl.last {
				return false
			}
		case sub.key != "":
			if !fl.keys.has(sub.key) {
				return false
			}
		}
	}
	return true
}

// replace lets b take over from a. Until a is closed both may bring the next message of a topic. Of a topic
// without sequence numbers and keys nobody can tell what a has brought: it begins anew on b, with a Live.
func (s *Session) replace(a, b *link) {
	now := time.Now()
	s.mu.Lock()
	s.active, s.older = b, a
	for t, sub := range b.subs {
		old := a.subs[t]
		if old == nil {
			continue
		}
		if !sub.flow.live { // it begins anew on b
			old.dead = true
			continue
		}
		if sub.got && sub.first == 0 && sub.key == "" {
			sub.flow.live = false
		} else {
			sub.merging = true
		}
		old.merging = true
	}
	b.clean, a.ready = a.clean, false
	b.play(now)
	s.update(now)
	s.note(Change{Kind: TurnoverEnded, Link: b.number})
	s.mu.Unlock()
	s.flush()
	s.stats.turnovers.Add(1)
	s.stats.reconnects[Requested].Add(1)
}

// drain lets what is under way on a come, closes it, and has the account read once more.
func (s *Session) drain(ctx context.Context, a, b *link) {
	timer := time.NewTimer(drainTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.ended:
	case <-b.ended:
	case <-ctx.Done():
	}
	a.finish(ending{sign: Lost, reason: Requested, err: ErrReplaced}, CloseNormal)
	s.bury(a)
	s.mu.Lock()
	s.older = nil
	s.mu.Unlock()
	raise(s.books)
}
