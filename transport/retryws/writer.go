package retryws

import (
	"context"
	"time"
)

// tick is how often the clocks of a link are looked at.
const tick = time.Second

// write sends what is to be sent, watches the clocks, and closes the connection when the link is given up.
func (l *link) write(drop context.CancelFunc) {
	defer drop()
	defer func() { l.conn.Close(l.code) }() // l.code is set before ended is closed
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	slot := time.NewTimer(0)
	defer slot.Stop()
	for {
		select {
		case <-l.ended:
			return
		case <-l.kick:
		case <-slot.C:
		case <-ticker.C:
			l.watch(time.Now())
		}
		if wait := l.flush(); wait > 0 {
			slot.Reset(wait)
		}
	}
}

// flush sends what may be sent now, and returns how long to wait for the next; 0 if nothing waits.
func (l *link) flush() time.Duration {
	s := l.s
	for {
		s.mu.Lock()
		m, wait, err := l.next(time.Now())
		s.mu.Unlock()
		s.flush()
		if err != nil {
			l.finish(ending{sign: Disallowed, reason: RefusedReason, err: err}, CloseNormal)
			return 0
		}
		if m == nil {
			return wait
		}
		ctx, cancel := context.WithTimeout(l.ctx, writeTimeout)
		err = l.conn.Write(ctx, m)
		cancel()
		if err != nil {
			l.finish(judge(err, false), 0)
			return 0
		}
	}
}

// next chooses a message: answers first, which do not wait for the quota, then pings, authentication, and the
// difference of subscriptions.
func (l *link) next(now time.Time) (m []byte, wait time.Duration, err error) {
	if l.over {
		return nil, 0, nil
	}
	if len(l.answers) > 0 {
		m, l.answers = l.answers[0], l.answers[1:]
		l.quota.take(now)
		return m, 0, nil
	}
	if wait := l.quota.wait(now); wait > 0 {
		return nil, wait, nil
	}
	switch {
	case l.pingDue:
		l.pingDue = false
		l.pinged = now
		m = l.s.c.Protocol.Ping()
	case l == l.s.older: // it only has to end
	case l.authed:
		m, err = l.plan(now)
	case l.authSent.IsZero():
		m, err = l.s.c.Protocol.Auth(&Request{ID: l.s.ids + 1, Credentials: l.cred})
		l.authSent = now
		if m != nil {
			l.s.ids++
		} else if err == nil {
			l.authed = true
			l.s.update(now)
			m, err = l.plan(now)
		}
	}
	if m != nil {
		l.quota.take(now)
	}
	return m, 0, err
}

// ping asks the other side for signs of life. Two pings in a row without any end the link.
func (l *link) ping() {
	every := l.s.c.Clocks.Ping
	if every < 0 {
		return
	}
	timer := time.NewTimer(every)
	defer timer.Stop()
	if l.s.c.Private && l.s.c.Clocks.Heartbeat == 0 {
		timer.Reset(0) // the first sign that the link works
	}
	for {
		select {
		case <-l.ended:
			return
		case <-timer.C:
		}
		began := time.Now()
		if l.s.c.Protocol.Ping() != nil {
			l.pingMessage(began)
			timer.Reset(every)
			continue
		}
		l.s.mu.Lock()
		l.quota.take(began)
		l.s.mu.Unlock()
		ctx, cancel := context.WithTimeout(l.ctx, every)
		err := l.conn.Ping(ctx)
		expired := ctx.Err() != nil
		cancel()
		if err != nil && !expired {
			l.finish(judge(err, false), 0)
			return
		}
		l.pingResult(began, err)
		timer.Reset(time.Until(began.Add(every)))
	}
}

// pingMessage has a ping written, and counts the one before if nothing has answered it.
func (l *link) pingMessage(now time.Time) {
	l.s.mu.Lock()
	if !l.pinged.IsZero() {
		l.miss()
	}
	l.pingDue = true
	l.s.mu.Unlock()
	l.s.flush()
	l.wake()
}

func (l *link) pingResult(began time.Time, err error) {
	s := l.s
	s.mu.Lock()
	switch {
	case err == nil:
		l.life(time.Now())
		l.pong()
		s.update(time.Now())
	case l.alive.Before(began):
		l.miss()
	}
	s.mu.Unlock()
	s.flush()
}

func (l *link) miss() {
	if l.missed++; l.missed >= 2 {
		l.end(ending{sign: Lost, reason: Timeout, err: ErrTransport}, 0)
	}
}

// pinged by the server: a sign of the transport.
func (l *link) heardPing() {
	l.s.mu.Lock()
	l.life(time.Now())
	l.s.mu.Unlock()
}
