package retryws

import (
	"context"
	"sync"
	"time"
)

// maxAnswers is how many answers to a server's pings may wait to be written.
const maxAnswers = 16

// A link is one connection of a session. Three goroutines serve it: one reads, one writes and watches the
// clocks, one pings. What is not set once is guarded by the session's mutex.
type link struct {
	s       *Session
	number  uint64
	conn    Conn
	cred    Credentials
	release func()
	born    time.Time

	ctx    context.Context // of writes, pings and reads of the account; ends with the link
	cancel context.CancelFunc
	drop   context.Context // of reading; ends when the connection is closed
	ended  chan struct{}   // closed when the link is given up
	done   chan struct{}   // closed when its goroutines are gone
	kick   chan struct{}   // wakes the writer
	wg     sync.WaitGroup
	frame  Frame // the reader's

	over     bool
	ending   ending
	code     int // to close with
	subs     map[Topic]*subscription
	requests map[uint64]*request
	answers  [][]byte
	deaths   []time.Time
	quota    quota
	authSent time.Time
	authed   bool
	heard    bool // a message or heartbeat has come
	playing  bool // events go to consumers, and not into the buffer
	clean    bool // the account has been reconciled on this link
	ready    bool
	readyAt  time.Time
	stable   bool // ready for 30 s without a break
	buffer   []buffered
	message  time.Time // the last message or heartbeat
	checking bool      // Verify is being asked
	alive    time.Time // the last pong, or server's ping
	pinged   time.Time // our last ping as a message; the zero time when answered
	missed   int       // pings without an answer
	pingDue  bool      // as a message
	closing  time.Time // when the venue will close it; the zero time if it did not say
}

// buffered is an event of a link that is not live yet.
type buffered struct {
	sub *subscription
	e   Event
}

// begin starts the goroutines of a link that has connected.
func (s *Session) begin(ctx context.Context, conn Conn, cred Credentials, release func()) *link {
	now := time.Now()
	l := &link{
		s: s, conn: conn, cred: cred, release: release, born: now,
		ended: make(chan struct{}), done: make(chan struct{}), kick: make(chan struct{}, 1),
		subs: make(map[Topic]*subscription), requests: make(map[uint64]*request),
		quota: newQuota(s.c.Limits), message: now, alive: now,
	}
	l.ctx, l.cancel = context.WithCancel(ctx)
	drop, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.drop = drop
	s.mu.Lock()
	s.links++
	l.number = s.links
	s.mu.Unlock()
	l.wg.Go(l.read)
	l.wg.Go(func() { l.write(cancel) })
	l.wg.Go(l.ping)
	go func() {
		l.wg.Wait()
		close(l.done)
	}()
	return l
}

// finish gives the link up. Only the first time counts.
func (l *link) finish(e ending, code int) {
	s := l.s
	s.mu.Lock()
	l.end(e, code)
	s.mu.Unlock()
	s.flush()
}

// end is finish with the mutex held.
func (l *link) end(e ending, code int) {
	if l.over {
		return
	}
	now := time.Now()
	s := l.s
	l.over, l.ending, l.code = true, e, code
	l.stable = l.stable || l.ready && now.Sub(l.readyAt) >= stableAfter
	if l == s.active {
		for _, sub := range l.subs {
			s.goBroken(l, sub.flow, now)
		}
		s.soil(e.err)
		if s.State() != Draining {
			s.set(Idle)
		}
	}
	l.buffer = nil
	close(l.ended)
	l.cancel()
}

// read hands over what comes, until the connection ends.
func (l *link) read() {
	for {
		m, err := l.conn.Read(l.drop)
		if err != nil {
			l.finish(judge(err, false), 0)
			return
		}
		l.receive(m)
	}
}

// receive is the path of each message.
func (l *link) receive(m []byte) {
	s := l.s
	f := &l.frame
	*f = Frame{Topics: f.Topics[:0]}
	s.c.Protocol.Classify(m, f)
	now := time.Now()
	s.stats.frames.Add(1)
	s.mu.Lock()
	if !l.over {
		if f.Answer != nil {
			l.answer(f.Answer)
		}
		switch f.Kind {
		case Data:
			l.data(f, m, now)
		case Other:
			s.stats.other.Add(1)
		default:
			l.control(f, now)
			s.update(now)
		}
	}
	noted := len(s.notes) > 0
	s.mu.Unlock()
	if noted {
		s.flush()
	}
}

// answer sends back what a server's ping asks for, before anything else.
func (l *link) answer(message []byte) {
	if len(l.answers) == maxAnswers {
		l.end(ending{sign: Lost, reason: Timeout, err: ErrTransport}, 0)
		return
	}
	l.answers = append(l.answers, message)
	l.life(time.Now())
	l.wake()
}

// life is a sign of the transport.
func (l *link) life(now time.Time) {
	l.alive, l.missed, l.pinged = now, 0, time.Time{}
}

// control takes what is no data.
func (l *link) control(f *Frame, now time.Time) {
	s := l.s
	switch f.Kind {
	case Heartbeat:
		l.message, l.heard = now, true
		s.stats.heard.Store(now.UnixNano())
		if sub := l.subs[f.Topic]; sub != nil {
			sub.seen, sub.check = now, now
		}
	case Pong:
		l.life(now)
		l.pong()
	case Confirmed:
		l.confirmed(f, now)
	case Refused:
		l.refused(f, now)
	case Authed:
		l.authed = true
	case Notice:
		s.note(Change{Kind: Noticed, Link: l.number, Text: f.Text})
		if f.Closing && l.closing.IsZero() {
			l.closing = now.Add(positive(f.Within, turnoverTime))
			s.wakeUp()
		}
	default:
		l.fault(f)
	}
	l.wake()
}

// pong stands for a heartbeat where a private stream has none: it may have no messages for hours.
func (l *link) pong() {
	if l.s.c.Private && l.s.c.Clocks.Heartbeat == 0 {
		l.heard = true
	}
}

// fault takes an error that the venue sent.
func (l *link) fault(f *Frame) {
	err := &faultError{f.Text}
	switch f.Sign {
	case Harmless:
		l.s.note(Change{Kind: Noticed, Link: l.number, Text: f.Text})
		return
	case Lost:
		l.end(ending{sign: Lost, reason: EOF, after: f.After, err: err}, CloseNormal)
	case Unauthorized:
		l.end(ending{sign: Unauthorized, reason: AuthReason, after: f.After, err: err}, CloseNormal)
	default:
		l.end(ending{sign: f.Sign, reason: RefusedReason, after: f.After, err: err}, CloseNormal)
	}
}

// A faultError is an error message of the venue.
type faultError struct{ text string }

func (e *faultError) Error() string { return "the venue reports: " + e.text }

// data takes a message of a topic.
func (l *link) data(f *Frame, m []byte, now time.Time) {
	s := l.s
	l.message = now
	s.stats.heard.Store(now.UnixNano())
	sub := l.subs[f.Topic]
	if sub == nil || sub.at != asked && sub.at != on || sub.dead {
		s.stats.unexpected.Add(1)
		return
	}
	e := Event{
		Topic: f.Topic, First: f.First, Last: f.Last, Key: f.Key, Time: f.Time, At: now, Data: m, Link: l.number,
	}
	if !f.Time.IsZero() {
		e.Lag = now.Add(s.c.Offset()).Sub(f.Time)
		s.lag(l, e.Lag)
	}
	if !sub.got {
		sub.got, sub.first, sub.key = true, f.Last, f.Key
	} else if l.ready {
		sub.flow.gaps.add(now.Sub(sub.seen))
	}
	sub.seen, sub.check = now, now
	if !l.heard {
		l.heard = true
		s.update(now)
	}
	switch {
	case l.playing:
		if !s.deliver(l, sub, &e) {
			l.cut()
		}
		sub.last = f.Last
	case len(l.buffer) >= s.c.Buffer:
		l.end(ending{sign: Lost, reason: Gap, err: ErrBuffer}, CloseNormal)
		return
	default:
		l.buffer = append(l.buffer, buffered{sub, e})
	}
	if s.c.Account != nil && l == s.active {
		s.last = e.At
		if !e.Time.IsZero() {
			s.last = e.Time
		}
	}
}

// cut ends the link because a consumer that must not lose events would.
func (l *link) cut() {
	l.s.stats.cuts.Add(1)
	l.end(ending{sign: Lost, reason: Gap, err: ErrSlow}, CloseNormal)
}

// play hands over what has waited, and makes the link live.
func (l *link) play(now time.Time) {
	l.playing = true
	for _, sub := range l.subs {
		if sub.at == on && !sub.flow.live && !sub.merging {
			l.s.goLive(l, sub.flow, now)
		}
	}
	buffer := l.buffer
	l.buffer = nil
	for i := range buffer {
		b := &buffer[i]
		if !l.s.deliver(l, b.sub, &b.e) {
			l.cut()
			return
		}
		b.sub.last = b.e.Last
	}
}

func (l *link) wake() {
	raise(l.kick)
}
