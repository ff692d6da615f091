package retryws

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Planned turnover.
const (
	turnoverTime = 30 * time.Second       // for the second link to take over
	settleTime   = time.Second            // after which what was under way when a topic was confirmed has come
	drainTime    = time.Second            // for what is under way on the first link
	overlapEvery = 100 * time.Millisecond // how often the overlap is looked at
)

// A turnover is a second link beside the first.
type turnover struct {
	cancel context.CancelFunc // of opening it
	opened chan opened        // has room for one
	link   *link              // once it is open
	until  time.Time          // it has to take over
}

// opened is a second link, or why there is none.
type opened struct {
	link *link
	err  error
}

// live serves a link until it has ended, and returns it. If a second link takes over, that is served then.
func (s *Session) live(ctx context.Context, a *link) *link {
	select {
	case <-s.turn: // asked for before there was a link
	default:
	}
	s.adopt(a)
	var b *turnover
	age := time.NewTimer(s.age(a))
	defer age.Stop()
	look := time.NewTicker(overlapEvery)
	look.Stop()
	defer look.Stop()
	begin := func(until time.Time) {
		if b != nil {
			return
		}
		if s.c.SingleLink {
			a.finish(ending{sign: Lost, reason: Requested, err: ErrRequested}, CloseNormal)
			return
		}
		b = s.second(ctx, until)
		look.Reset(overlapEvery)
	}
	replaced := func() {
		b.cancel()
		a, b = b.link, nil
		s.wakeUp() // in case the venue will close that one, too
		look.Stop()
		age.Reset(s.age(a))
	}
	for {
		var second chan opened
		if b != nil {
			second = b.opened
		}
		select {
		case <-ctx.Done():
			s.move(Draining)
			a.finish(ending{sign: Lost, reason: Requested, err: ErrClosed}, CloseNormal)
			if b != nil {
				s.keep(ctx, b, look, s.abandon(b, ErrClosed))
			}
			s.bury(a)
			return a
		case <-a.ended:
			s.bury(a)
			if b == nil {
				return a
			}
			if b.link == nil || !s.succeed(b.link) {
				s.keep(ctx, b, look, s.abandon(b, ErrReplaced))
				return a
			}
			s.stats.reconnects[a.ending.reason].Add(1)
			s.tellOf(Change{Kind: LinkEnded, Link: a.number, Reason: a.ending.reason, Err: a.ending.err})
			replaced()
		case <-s.poke:
			if until := s.notice(a); !until.IsZero() {
				begin(until)
			}
			if b != nil && b.link != nil {
				b.link.wake()
			}
		case <-s.turn:
			begin(time.Now().Add(turnoverTime))
		case <-age.C:
			begin(time.Now().Add(turnoverTime))
		case o := <-second:
			if b.link = o.link; o.err != nil {
				s.keep(ctx, b, look, o.err)
				b = nil
			}
		case now := <-look.C:
			switch {
			case b.link != nil && s.overlap(a, b.link, now):
				s.replace(a, b.link)
				s.drain(ctx, a, b.link)
				replaced()
			case b.link != nil && over(b.link), !now.Before(b.until):
				s.keep(ctx, b, look, s.abandon(b, ErrReplaced))
				b = nil
			}
		}
	}
}

// age is how long until a link is to be replaced: 23 h less a uniform 0 to 60 min where links live 24 h.
func (s *Session) age(l *link) time.Duration {
	if s.c.MaxAge <= 0 {
		return 1<<63 - 1
	}
	part := s.c.MaxAge / 24
	return time.Until(l.born.Add(s.c.MaxAge - part - time.Duration(s.c.Rand()*float64(part))))
}

// adopt makes a link the one whose events consumers get.
func (s *Session) adopt(l *link) {
	now := time.Now()
	s.mu.Lock()
	s.active = l
	if s.c.Account == nil && !l.over {
		l.play(now)
	}
	s.update(now)
	s.mu.Unlock()
	s.flush()
	l.wake()
}

// succeed adopts the second link when the first has died before the overlap.
func (s *Session) succeed(l *link) bool {
	if over(l) {
		return false
	}
	s.adopt(l)
	s.tellOf(Change{Kind: TurnoverEnded, Link: l.number})
	return true
}

func over(l *link) bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// bury waits for the goroutines of a link, and gives its place back.
func (s *Session) bury(l *link) {
	<-l.done
	l.release()
	s.mu.Lock()
	if s.active == l {
		s.active = nil
	}
	s.mu.Unlock()
}

// notice says until when a link must be replaced because the venue will close it, once.
func (s *Session) notice(l *link) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	until := l.closing
	if until.IsZero() || until.Equal(never) {
		return time.Time{}
	}
	l.closing = never
	if most := time.Now().Add(turnoverTime); until.After(most) {
		return most
	}
	return until
}

var never = time.Unix(1<<40, 0) // a notice that has been acted on

// second opens a second link.
func (s *Session) second(ctx context.Context, until time.Time) *turnover {
	opening, cancel := context.WithDeadline(ctx, until)
	b := &turnover{cancel: cancel, opened: make(chan opened, 1), until: until}
	s.tellOf(Change{Kind: TurnoverBegan})
	go func() {
		l, err := s.open(opening, ctx)
		b.opened <- opened{l, err}
	}()
	return b
}

// keep takes note that the first link stays until it dies. What the venue said about the second one counts.
func (s *Session) keep(ctx context.Context, b *turnover, look *time.Ticker, err error) {
	b.cancel()
	look.Stop()
	s.stats.kept.Add(1)
	e := judge(err, true)
	if e.sign == Unauthorized {
		s.forget()
	}
	before := s.pace
	_, hold := s.pace.wait(e, time.Now(), s.c.Rand())
	s.pace.failures = before.failures
	s.hold(ctx, e, hold)
	s.tellOf(Change{Kind: TurnoverEnded, Err: fmt.Errorf("%w: %w", errKept, err)})
}

// abandon gives a second link up, waits until it is gone, and returns why it ended.
func (s *Session) abandon(b *turnover, why error) error {
	b.cancel()
	if b.link == nil {
		o := <-b.opened
		if o.err != nil {
			return o.err
		}
		b.link = o.link
	}
	b.link.finish(ending{sign: Lost, reason: Requested, err: why}, CloseNormal)
	s.bury(b.link)
	return &endError{b.link.ending}
}

var errKept = errors.New("the second link did not take over")
