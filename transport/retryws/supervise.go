package retryws

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// haltAgain is how often Halt is asked while it says no.
const haltAgain = time.Second

// supervise opens one link after the other.
func (s *Session) supervise(ctx context.Context) error {
	refused := false // the credentials, since a link was ready
	for {
		l, err := s.open(ctx, ctx)
		var e ending
		if err != nil {
			e = judge(err, true)
		} else {
			l = s.live(ctx, l)
			e = l.ending
			refused = refused && l.readyAt.IsZero()
			if l.stable {
				s.pace.failures = 0
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.stats.reconnects[e.reason].Add(1)
		if e.sign == Unauthorized {
			s.forget()
			if refused {
				return s.refuse(e.err)
			}
			refused = true
		}
		s.pause(ctx, e)
	}
}

// refuse ends the session for good.
func (s *Session) refuse(err error) error {
	err = fmt.Errorf("session %s: %w, also with new credentials: check the key and its rights: %w", s.c.Name, ErrAuth, err)
	s.mu.Lock()
	s.note(Change{Kind: Alerted, Reason: AuthReason, Err: err})
	s.set(Stopped)
	s.mu.Unlock()
	s.flush()
	return err
}

// pause waits before the next link.
func (s *Session) pause(ctx context.Context, e ending) {
	failures := s.pace.failures
	wait, hold := s.pace.wait(e, time.Now(), s.c.Rand())
	if e.reason == Requested { // no failure
		s.pace.failures = failures
		wait = time.Duration(s.c.Rand() * float64(backoffBase))
	}
	s.mu.Lock()
	s.note(Change{Kind: LinkEnded, Reason: e.reason, Err: e.err, Wait: wait})
	if e.sign == Disallowed || e.sign == Banned {
		s.note(Change{Kind: Alerted, Reason: e.reason, Err: e.err})
	}
	if e.sign == Disallowed {
		s.set(Stopped)
	} else {
		s.set(Idle)
	}
	s.mu.Unlock()
	s.flush()
	s.hold(ctx, e, hold)
	if sleep(ctx, wait) {
		s.move(Idle)
	}
}

// hold keeps all sessions from the host, if until is a time.
func (s *Session) hold(ctx context.Context, e ending, until time.Time) {
	if until.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout) // a ban outlives this session
	defer cancel()
	for _, b := range s.c.Budgets {
		if err := b.Hold(ctx, s.host(), until, e.err.Error()); err != nil {
			s.tellOf(Change{Kind: Alerted, Reason: e.reason, Err: err})
		}
	}
}

func (s *Session) host() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return host(s.c.Protocol.Address(s.cred).URL)
}

// open waits for the budgets, and connects a link that lives as long as life. ctx bounds opening it: of a
// turnover it is another, which takes no part in the state of the session, and does not wait until a halt is over.
func (s *Session) open(ctx, life context.Context) (*link, error) {
	turnover := ctx != life
	for {
		if err := s.halted(ctx, turnover); err != nil {
			return nil, err
		}
		cred, err := s.credentials(ctx)
		if err != nil {
			return nil, err
		}
		var heard atomic.Pointer[link]
		to := s.c.Protocol.Address(cred)
		release, err := s.acquire(ctx, host(to.URL))
		if err != nil {
			return nil, err
		}
		if s.c.Halt() != nil { // meanwhile
			release()
			continue
		}
		conn, err := s.dial(ctx, to, turnover, &heard)
		if err != nil {
			release()
			return nil, err
		}
		l := s.begin(life, conn, cred, release)
		heard.Store(l)
		return l, nil
	}
}

// halted waits until Halt lets dials pass.
func (s *Session) halted(ctx context.Context, turnover bool) error {
	for told := false; ; told = true {
		err := s.c.Halt()
		if err == nil {
			if told {
				s.move(Idle)
			}
			return context.Cause(ctx)
		}
		err = fmt.Errorf("%w: %w", ErrHalted, err)
		if turnover {
			return err
		}
		if !told {
			s.mu.Lock()
			s.note(Change{Kind: Alerted, Reason: RefusedReason, Err: err})
			s.set(Stopped)
			s.mu.Unlock()
			s.flush()
		}
		if !sleep(ctx, haltAgain) {
			return context.Cause(ctx)
		}
	}
}

// acquire asks all budgets.
func (s *Session) acquire(ctx context.Context, host string) (release func(), err error) {
	var held []*Budget
	release = func() {
		for _, b := range held {
			b.Release()
		}
	}
	for _, b := range s.c.Budgets {
		if err := b.Acquire(ctx, host, s.c.Private); err != nil {
			release()
			return nil, err
		}
		held = append(held, b)
	}
	return release, nil
}

func (s *Session) dial(ctx context.Context, to Address, turnover bool, heard *atomic.Pointer[link]) (Conn, error) {
	if !turnover {
		s.move(Dialing)
	}
	s.stats.dials.Add(1)
	ctx, cancel := context.WithTimeout(ctx, s.c.DialTimeout)
	defer cancel()
	conn, err := s.c.Dialer.Dial(ctx, to, func() {
		if l := heard.Load(); l != nil {
			l.heardPing()
		}
	})
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", host(to.URL), err)
	}
	return conn, nil
}
