package retryws

import (
	"context"
	"time"
)

// A silence is a read to be made by Config.Verify.
type silence struct {
	sub   *subscription // nil for the link as a whole
	topic Topic
	since time.Time
}

// watch looks at the clocks of a link.
func (l *link) watch(now time.Time) {
	s := l.s
	s.mu.Lock()
	var doubts []silence
	if !l.over {
		doubts = l.clocks(now)
		s.update(now)
	}
	if len(doubts) > 0 {
		l.checking = true
		l.wg.Go(func() { l.verify(doubts) }) // the writer is one of wg, so that it is not waited out yet
	}
	s.mu.Unlock()
	s.flush()
}

// clocks ends what has been silent for too long, and returns what must be looked at first.
func (l *link) clocks(now time.Time) (doubts []silence) {
	s := l.s
	l.overdue(now)
	if !l.authed && !l.authSent.IsZero() && now.Sub(l.authSent) >= DefaultAuthTimeout {
		l.end(ending{sign: Lost, reason: Timeout, err: errAuthTimeout}, CloseNormal)
		return nil
	}
	if l.ready && now.Sub(l.readyAt) >= stableAfter {
		l.stable = true
	}
	if l.checking {
		return nil
	}
	if l.mute(now) {
		switch {
		case s.c.Clocks.Heartbeat > 0 || s.c.Verify == nil && !s.c.Private:
			l.end(ending{sign: Lost, reason: Heartbeats, err: ErrSilent}, 0)
			return nil
		case s.c.Verify != nil:
			return []silence{{since: l.message}}
		}
	}
	if !l.ready || s.c.Clocks.Topic < 0 || s.c.Verify == nil && s.c.Clocks.Heartbeat == 0 {
		return nil
	}
	for _, sub := range l.subs {
		limit, known := sub.flow.gaps.p99()
		limit = max(s.c.Clocks.Topic, 5*limit)
		if sub.at != on || sub.dead || !known || now.Sub(sub.check) < limit {
			continue
		}
		if s.c.Verify != nil {
			doubts = append(doubts, silence{sub, sub.flow.topic, sub.seen})
		} else if !l.died(sub, now) {
			l.end(ending{sign: Lost, reason: Heartbeats, err: ErrDead}, CloseNormal)
			return nil
		}
	}
	return doubts
}

// mute says whether no topic has been heard of for too long.
func (l *link) mute(now time.Time) bool {
	return l.s.c.Clocks.Message > 0 && now.Sub(l.message) >= l.s.c.Clocks.Message
}

// verify asks the venue by other means whether silence means death, one topic after the other.
func (l *link) verify(doubts []silence) {
	s := l.s
	for _, d := range doubts {
		ctx, cancel := context.WithTimeout(l.ctx, s.c.DialTimeout)
		missed, err := s.c.Verify(ctx, d.topic, d.since)
		cancel()
		s.mu.Lock()
		l.verdict(d, missed || err != nil, time.Now())
		s.mu.Unlock()
		s.flush()
	}
	s.mu.Lock()
	l.checking = false
	s.mu.Unlock()
	l.wake()
}

// verdict acts on an answer of Verify, unless a message has come meanwhile.
func (l *link) verdict(d silence, dead bool, now time.Time) {
	s := l.s
	switch {
	case l.over:
	case d.sub == nil && l.message.After(d.since):
	case d.sub == nil && dead:
		l.end(ending{sign: Lost, reason: Heartbeats, err: ErrSilent}, 0)
	case d.sub == nil:
		l.message, l.heard = now, true
		s.update(now)
	case d.sub.seen.After(d.since) || d.sub.at != on:
	case !dead:
		d.sub.check = now
	case !l.died(d.sub, now):
		l.end(ending{sign: Lost, reason: Heartbeats, err: ErrDead}, CloseNormal)
	}
}

// lag keeps the gauge, and tells when it crosses the limit.
func (s *Session) lag(l *link, d time.Duration) {
	s.stats.lag.Store(int64(d))
	if late := d > s.c.MaxLag; late != s.late {
		s.late = late
		s.note(Change{Kind: LagChanged, Link: l.number, Late: late, Lag: d})
	}
}
